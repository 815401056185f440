"""Who set what on a contact's card: for each field the change that gave it its present value, and the one before it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from contacts.changes import ContactChange, recorded
from contacts.history import FIELD_ORDER, SAID_BY_TITLE, Entry, History, Line, label, told
from contacts.models import Contact
from contacts.reading import Marked, shown

LOOKED_AT = 500  # changes, the latest; what was set longer ago counts as not known


@dataclass(frozen=True)
class Origin:
    """One field: what it holds, and, as far as is known, who set it, when, in which run, and what was there before.

    `name` is what to ask for to have the former value back, '' where that cannot be.
    """

    label: str
    value: str
    who: str
    at: datetime | None
    run_url: str
    before: Marked | None
    change: ContactChange | None
    name: str


def origins(contact: Contact, reader: Any) -> list[Origin]:
    """Every field of the card that holds something, or that somebody has emptied. A constant number of queries."""
    latest: dict[str, ContactChange] = {}
    added = None
    for change in contact.changes.select_related("by")[:LOOKED_AT]:
        for name in told(change):
            latest.setdefault(name, change)
        if not change.fields:
            added = change
    changes = {change.pk: change for change in [*latest.values(), added] if change}
    entries = {entry.change.pk: entry for entry in History(contact, changes.values(), reader).entries}
    values = {name: value_of(contact, name) for name in names(contact)}
    return [
        origin(name, value, entries.get(change.pk) if change else None)
        for name, value in values.items()
        if (change := latest.get(name, added if value else None)) or value
    ]


def names(contact: Contact) -> list[str]:
    """The fields that the card shows, in its order: the company once, and a name where it follows from no parts."""
    hidden = {*SAID_BY_TITLE, "type", "name" if contact.is_person else "company"}
    hidden.add("company_name" if contact.company_id or not contact.is_person else "company")
    return [name for name in FIELD_ORDER if name not in hidden]


def value_of(contact: Contact, name: str) -> str:
    """What the field holds, as people write it."""
    if name == "company":
        return f"{contact.company_name} · {contact.company.number}" if contact.company else ""
    if name == "salesperson":
        return str(contact.salesperson or "")
    if name == "privacy_blocked":
        return _("Yes") if contact.privacy_blocked else ""
    return shown(name, recorded(contact)[name])


def origin(name: str, value: str, entry: Entry | None) -> Origin:
    if entry is None:
        return Origin(label(name), value, "", None, "", None, None, "")
    line = line_of(entry, name)
    return Origin(
        label(name), value, entry.who, entry.change.at, entry.run_url, line.before if line else None, entry.change,
        line.name if line else "",
    )  # fmt: skip


def line_of(entry: Entry, name: str) -> Line | None:
    """What the entry says about the field, None where it added the whole contact."""
    return next((line for line in entry.lines if line.label == label(name)), None)
