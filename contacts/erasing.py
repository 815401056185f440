"""Erasing a person from the CRM: their card, those merged into it, and the whole history of each."""

import re
from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.lookups import In

from contacts.changes import MERGES, ContactChange, recorded
from contacts.lookups import Folded
from contacts.models import CHUNK, Contact, full_name
from contacts.uploads import Upload, UploadRow

EMAILS = ["email", "email_2", "email_3"]
SAID = [f"{name}__{place}" for name in EMAILS for place in (0, 1)]  # of {name: [before, after]}
NOBODYS = ("type", "deleted_at")  # tell nothing of anybody, and a merge is titled by them
ADDRESS = re.compile(r'[^\s,;|:<>()"]+@[^\s,;|:<>()"]+')
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


def stands_in(column: str, places: Iterable[str], wanted: set[str]) -> Q:
    """That one of `wanted`, all in lower case, is the text at one of these places of a JSON column, in any case."""
    return Q.create([Q(In(Folded(KT(f"{column}__{place}")), wanted)) for place in places], connector=Q.OR)


def erase(people: list[Contact], emails: set[str]) -> None:
    """Delete these cards with their history, and what that of others says of them. Inside a transaction.

    The log of the admin site keeps their numbers.
    """
    numbers = {str(person.pk): person.number for person in people}
    log = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(Contact), object_id__in=numbers)
    for entry in log:
        entry.object_repr, entry.change_message = numbers[entry.object_id], ""
        entry.save(update_fields=["object_repr", "change_message"])
    forget_in_histories(people, emails)
    forget_uploads(people, emails)
    Contact.objects.filter(pk__in=[person.pk for person in people]).delete()


def forget_in_histories(people: list[Contact], emails: set[str]) -> None:
    """Out of the histories of others take these e-mails and, where they were merged with `people`, what came from them.

    Whose merge was undone is somebody else again, but the history of the merge still says what was theirs.
    """
    merges = ContactChange.objects.filter(source__in=MERGES)
    shared = merges.filter(reference__in=merges.filter(contact__in=people).values("reference"))
    others = ContactChange.objects.exclude(contact__in=people)
    changes = list(others.filter(Q(pk__in=shared.values("pk")) | stands_in("fields", SAID, emails)))
    came_from_them = texts_of(people)
    for change in changes:
        known = emails | (came_from_them if change.source in MERGES else set())
        change.fields = {name: pair for name, pair in change.fields.items() if not tells(name, pair, known)}
    ContactChange.objects.bulk_update(changes, ["fields"], batch_size=CHUNK)


def texts_of(people: list[Contact]) -> set[str]:
    """All that these cards say or, by their history, have said: in lower case."""
    found = [value for person in people for value in recorded(person).values()]
    for fields in ContactChange.objects.filter(contact__in=people).values_list("fields", flat=True):
        found += [value for pair in fields.values() for value in pair]
    return {value.strip().lower() for value in found if isinstance(value, str)} - {""}


def tells(name: str, said: Iterable[Any], known: set[str]) -> bool:
    """Whether one of a field's values is among these texts; of notes, which are put together, has one in it."""
    values = {value.strip().lower() for value in said if isinstance(value, str)}
    if name == "notes":
        return any(text in value for value in values for text in known)
    return name not in NOBODYS and bool(values & known)


def forget_uploads(people: list[Contact], emails: set[str]) -> None:
    """Delete the files with the person in them that wait to be imported. Whoever chose one has it, and can again."""
    about = UploadRow.objects.filter(Q(contact__in=people) | Q(name__folded__in=names_of(people)))
    found = [upload.pk for upload in Upload.objects.all() if addresses_in(upload) & emails]
    Upload.objects.filter(Q(pk__in=about.values("upload")) | Q(pk__in=found)).delete()


def addresses_in(upload: Upload) -> set[str]:
    text = bytes(upload.content).decode(upload.encoding or "utf-8", errors="replace").lower()
    return {address.strip("'.") for address in ADDRESS.findall(text)}
