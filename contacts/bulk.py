"""One change of many contacts. Each chunk is a transaction that locks its contacts and compares their versions.

What somebody saved meanwhile, and what cannot be, is left alone and named; nothing is overwritten unseen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, models, transaction
from django.utils import timezone

from contacts.changes import as_json
from contacts.models import CHUNK, Contact
from contacts.selection import Version, Versions

NAMED = 5
PERSON_ONLY = {"company", "company_name", "job_title", "department"}


@dataclass
class Named:
    """How many there were, and the names of the first of them."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.names) < NAMED:
            self.names.append(name)


@dataclass
class Outcome:
    """What became of `confirmed` contacts; where it `broke_off`, the rest is as it was."""

    confirmed: int
    changed: int = 0
    same: int = 0
    edited_meanwhile: Named = field(default_factory=Named)
    companies: Named = field(default_factory=Named)
    broke_off: bool = False

    @property
    def is_complete(self) -> bool:
        return self.changed + self.same == self.confirmed


def change_all(versions: Versions, values: Mapping[str, Any], *, by: models.Model) -> Outcome:
    """Give all these contacts `values`. A chunk that is stored stays, whatever becomes of the next ones."""
    outcome = Outcome(len(versions))
    for chunk in versions.chunks(CHUNK):
        try:
            with transaction.atomic():
                written = change_chunk(chunk, values, outcome, by=by)
        except DatabaseError:
            outcome.broke_off = True
            break
        outcome.changed += written
    return outcome


def change_chunk(chunk: list[Version], values: Mapping[str, Any], outcome: Outcome, *, by: models.Model) -> int:
    """How many of these contacts were written; the others are noted in `outcome`. Call inside a transaction."""
    locked = Contact.objects.select_for_update(of=["self"]).select_related("company").order_by("pk")
    stored = locked.in_bulk([pk for pk, _version in chunk])
    to_write, now = [], timezone.now()
    for pk, version in chunk:
        contact = stored.get(pk)
        if contact is None or contact.version != version:
            outcome.edited_meanwhile.add(str(contact or pk))
        elif not contact.is_person and PERSON_ONLY & values.keys():
            outcome.companies.add(str(contact))
        elif holds(contact, values):
            outcome.same += 1
        else:
            to_write.append(contact.assign(values, by=by, at=now))
    if to_write:
        Contact.objects.bulk_write(to_write)
    return len(to_write)


def holds(contact: Contact, values: Mapping[str, Any]) -> bool:
    """Whether the contact has all these values already."""
    return all(as_json(getattr(contact, attname(name))) == as_json(key_of(value)) for name, value in values.items())


def attname(name: str) -> str:
    return Contact._meta.get_field(name).attname


def key_of(value: Any) -> Any:
    return value.pk if isinstance(value, models.Model) else value
