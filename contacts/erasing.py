"""Erasing a person from the CRM: their card, those merged into it, and the whole history of each."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from contacts.models import Contact, full_name

EMAILS = ["email", "email_2", "email_3"]
NAME = ["first_name", "middle_name", "surname"]


def family(contact: Contact) -> list[Contact]:
    """The contact, and all that were merged into it: the same person on other cards."""
    found, latest = {contact.pk: contact}, [contact]
    while latest:
        latest = [other for other in Contact.objects.filter(merged_into__in=latest) if other.pk not in found]
        found |= {other.pk: other for other in latest}
    return list(found.values())


def emails_of(people: list[Contact]) -> set[str]:
    """All that these cards hold now or, by their history, have held: in lower case."""
    found = {getattr(person, name) for person in people for name in EMAILS}
    for person in people:
        for fields in person.changes.values_list("fields", flat=True):
            found |= {value for name in EMAILS for value in fields.get(name, ()) if isinstance(value, str)}
    return {email.strip().lower() for email in found} - {""}


def held_by(people: list[Contact]) -> set[str]:
    """The e-mails that these cards hold now, in lower case."""
    return {getattr(person, name).strip().lower() for person in people for name in EMAILS} - {""}


def names_of(people: list[Contact]) -> set[str]:
    """All that these people are called now or, by their history, have been: in lower case."""
    found = set()
    for person in people:
        parts = {part: getattr(person, part) for part in NAME}
        found.add(person.name)
        for fields in person.changes.order_by("-id").values_list("fields", flat=True):
            parts |= {part: fields[part][0] for part in NAME if part in fields}
            found.add(full_name(*parts.values()))
    return {name.lower() for name in found} - {""}


def others_with(emails: set[str], people: list[Contact]) -> list[Contact]:
    """The cards of anybody but `people` that hold one of these e-mails now.

    A card of the same name in the trash is no one else: somebody has thrown away the person's second card.
    """
    others = Contact.objects.with_email(emails).exclude(pk__in=[person.pk for person in people])
    names = names_of(people)
    return [other for other in others if not (other.is_trashed and other.name.lower() in names)]


def erase(people: list[Contact]) -> None:
    """Delete these cards with their history; the log of the admin site keeps their numbers. Inside a transaction."""
    numbers = {str(person.pk): person.number for person in people}
    log = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Contact), object_id__in=numbers)
    for entry in log:
        entry.object_repr, entry.change_message = numbers[entry.object_id], ""
        entry.save(update_fields=["object_repr", "change_message"])
    Contact.objects.filter(pk__in=[person.pk for person in people]).delete()
