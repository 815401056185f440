"""Several contacts into one, and back.

The survivor keeps its number and takes the values that were chosen. The others go to the trash, where `merged_into`
says who stands for them from now on; people who belonged to a merged company belong to the survivor. All of it is one
change in each contact's history, under one reference, and that history is what undoing a merge reads.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.changes import ContactChange, Source, recorded
from contacts.history import NotRestorable, as_value, label
from contacts.models import CHUNK, Contact, StaleContact

Versions = Mapping[int, int]


class NotUndoable(Exception):
    """The merge cannot be undone; the message says why, to the person who asked. Nothing was written."""


@transaction.atomic
def merge(survivor: Contact, others: Iterable[Contact], values: Mapping[str, Any], *, by: models.Model) -> Contact:
    """Give `survivor` these values and put `others` into it. StaleContact where one was saved meanwhile."""
    others = list(others)
    lock([survivor, *others], {contact.pk: contact.version for contact in [survivor, *others]})
    made = {"by": by, "at": timezone.now(), "source": Source.MERGE, "reference": uuid.uuid4().hex}
    survivor.assign(values, **made)
    for other in others:
        other.assign({"deleted_at": made["at"], "merged_into": survivor}, **made)
    Contact.objects.bulk_write([survivor, *others])
    if survivor.is_person:
        return survivor
    people = Contact.objects.select_for_update(of=["self"]).filter(company__in=others)
    while moving := list(people[:CHUNK]):
        Contact.objects.bulk_write([person.assign({"company": survivor}, **made) for person in moving])
    return survivor


def lock(contacts: Iterable[Contact], versions: Versions) -> dict[int, Contact]:
    """What is stored of these contacts, locked until the transaction ends; StaleContact where a version is another."""
    keys = sorted(contact.pk for contact in contacts)
    stored = Contact.objects.select_for_update(of=["self"]).order_by("pk").in_bulk(keys)
    for pk, contact in stored.items():
        if contact.version != versions.get(pk, contact.version):
            raise StaleContact(contact)
    return stored


def changes_of(reference: str) -> list[ContactChange]:
    """What a merge changed, in each contact that it touched."""
    return list(ContactChange.objects.filter(source=Source.MERGE, reference=reference).order_by("pk"))


def merged_by(changes: Iterable[ContactChange]) -> dict[int, int]:
    """Of the changes of a merge: who was merged into whom, by primary keys."""
    return {change.contact_id: change.fields["merged_into"][1] for change in changes if "merged_into" in change.fields}


def survivor_of(reference: str) -> Contact | None:
    """Whom the others of a merge were merged into; None where nobody knows any more."""
    return Contact.objects.filter(pk__in=merged_by(changes_of(reference)).values()).first()


def survivors_of(contacts: Iterable[Contact]) -> dict[int, Contact]:
    """Who stands for each of these merged contacts, by their keys; a survivor may have been merged in its turn."""
    wanted = {contact.pk: contact.merged_into_id for contact in contacts if contact.merged_into_id}
    found: dict[int, Contact] = {}
    while wanted:
        reached = Contact.objects.in_bulk(set(wanted.values()))
        found |= {pk: reached[key] for pk, key in wanted.items() if not reached[key].is_trashed}
        wanted = {pk: onward for pk, key in wanted.items() if (onward := reached[key].merged_into_id)}
    return found


def merged_ones_of(survivor: Contact) -> set[int]:
    """The keys of those for whom this contact stands now, of merges of merges too."""
    found: set[int] = set()
    reached = {survivor.pk}
    while reached:
        reached = set(Contact.objects.filter(merged_into__in=reached).values_list("pk", flat=True)) - found
        found |= reached
    return found


@transaction.atomic
def unmerge(reference: str, *, by: models.Model) -> Contact:
    """Have every contact as it was before a merge; the survivor. NotUndoable where that would lose an edit."""
    changes = {change.contact_id: change for change in changes_of(reference)}
    merged = merged_by(changes.values())
    contacts = Contact.objects.select_for_update(of=["self"]).order_by("pk").in_bulk(list(changes))
    survivor = contacts.get(next(iter(merged.values()), None))
    if survivor is None:
        raise NotUndoable(_("The contacts that were merged are no longer in the trash, so the merge stays."))
    others = {pk: contacts[pk] for pk in merged}
    check(survivor, others.values(), changes[survivor.pk])
    made = {"by": by, "at": timezone.now(), "source": Source.UNMERGE, "reference": reference}
    try:
        values = {name: as_value(name, before) for name, (before, _after) in changes[survivor.pk].fields.items()}
    except NotRestorable as error:
        raise NotUndoable(str(error)) from error
    survivor.assign(values, **made)
    for other in others.values():
        other.assign({"deleted_at": None}, **made)
    Contact.objects.bulk_write([survivor, *others.values()])
    employer = {pk: change.fields["company"][0] for pk, change in changes.items() if change.fields.get("company")}
    people = [contacts[pk] for pk in employer if pk != survivor.pk and contacts[pk].company_id == survivor.pk]
    for start in range(0, len(people), CHUNK):
        moving = people[start : start + CHUNK]
        Contact.objects.bulk_write([p.assign({"company": others[employer[p.pk]]}, **made) for p in moving])
    return survivor


def check(survivor: Contact, others: Iterable[Contact], change: ContactChange) -> None:
    """Raise NotUndoable unless everything that the merge changed is still as the merge left it."""
    if survivor.is_trashed:
        raise NotUndoable(_("%(contact)s is in the trash. Restore it first.") % {"contact": survivor})
    for other in others:
        if other.merged_into_id != survivor.pk:
            raise NotUndoable(_("%(contact)s is out of the trash already.") % {"contact": other})
    now = recorded(survivor)
    if edited := [name for name, (_before, after) in change.fields.items() if now[name] != after]:
        message = _(
            "Since the merge somebody has changed: %(fields)s. To undo it now would lose that, so nothing was done. "
            "Restore single values from the history instead, and the other contact from the trash."
        )
        raise NotUndoable(message % {"fields": ", ".join(label(name) for name in edited)})
