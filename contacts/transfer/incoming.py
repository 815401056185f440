"""A row of a file, understood by itself: what it says of a contact, before anything is looked up."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext_noop as _

from contacts.models import Contact, ContactType, full_name
from contacts.reading import clipped
from contacts.transfer import google
from contacts.transfer.cells import BadCell, Cells
from contacts.transfer.columns import GOOGLE
from contacts.transfer.headings import PRIVATE, STREETS
from contacts.transfer.report import Kind, RowOutcome
from contacts.transfer.said import said
from contacts.transfer.sheet import Record, Sheet

NAME_PARTS = ["first_name", "middle_name", "surname"]
PERSON_ONLY = dict.fromkeys([*NAME_PARTS, "initials", "title", "job_title", "department"], "") | {
    "birthday": None,
    "company": None,
}
PRIVATE_WORDS = {"private", "privat", "true", "sand"}


@dataclass
class Incoming:
    """What a row says, and what becomes of it. `company` is a number or a name, or None without such a column."""

    row: int
    number: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    company: str | None = None
    contact: Contact | None = None
    kind: Kind | None = None  # None while that is open
    like: str = ""
    reason: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)
    mistakes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_company(self) -> bool:
        kind = self.changes.get("type") or (self.contact.type if self.contact else ContactType.PERSON)
        return kind == ContactType.COMPANY

    @property
    def name(self) -> str:
        """The name that the contact would have."""
        if self.is_company:
            return self.get("name")
        return full_name(*(self.get(part) for part in NAME_PARTS))

    @property
    def outcome(self) -> RowOutcome:
        title = self.name or self.changes.get("name") or self.get("email") or self.get("company_name")
        key = self.contact.pk if self.contact else None
        return RowOutcome(self.row, str(self.kind), title, key, self.like, self.reason, self.fields, self.mistakes)

    def get(self, name: str) -> Any:
        """The field's value after the change."""
        return self.changes.get(name, getattr(self.contact, name) if self.contact else "")

    def mistake(self, name: str, message: str) -> None:
        self.mistakes.append((name, message))
        self.kind = Kind.WRONG

    def leave_out(self, reason: str) -> None:
        self.kind, self.reason = Kind.LEFT_OUT, reason

    def settle(self) -> None:
        """Say of a company, or of a person, only what such a contact holds."""
        if self.is_company:
            self.changes |= PERSON_ONLY | {"company_name": self.get("name")}
            return
        whole = self.changes.pop("name", "")
        if whole and not any(part in self.changes for part in NAME_PARTS) and whole != self.name:
            self.changes["first_name"], _space, self.changes["surname"] = whole.rpartition(" ")

    def compare(self, contact: Contact | None, changes: dict[str, Any]) -> bool:
        """Note what `changes` make of `contact`, or of nobody, as texts; whether they make anything of it."""
        for name, value in changes.items():
            if name == "company" and "company_name" in changes:
                continue
            before = getattr(contact, name) if contact else ""
            if (before or value) and before != value:
                self.fields[name] = [as_text(before), as_text(value)]
        return contact is None or any(getattr(contact, name) != value for name, value in changes.items())


def as_text(value: Any) -> str:
    """A value as the report keeps it; a page translates it with `contacts.reading.shown`."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, date):
        return value.isoformat()
    return clipped(str(value)) if value else ""


def says_company(sheet: Sheet, cells: dict[str, str]) -> bool:
    """Whether the row by itself is a company's: by its type, or in another program's file by a company's name alone."""
    if "type" in cells:
        return cells["type"].strip().casefold() in ("company", "virksomhed")
    if not sheet.columns.is_foreign:
        return False
    if sheet.columns.origin == GOOGLE:
        cells = google.gather(cells)
    company, whole = cells.get("company_name", "").strip(), cells.get("name", "").strip()
    return bool(company) and whole in ("", company) and not any(cells.get(name, "").strip() for name in NAME_PARTS)


def understand(sheet: Sheet, record: Record, reader: Cells) -> Incoming:
    """What the row says, with its mistakes."""
    incoming = Incoming(record.row)
    if record.mistake:
        incoming.mistake("", record.mistake)
        return incoming
    cells = google.gather(record.cells) if sheet.columns.origin == GOOGLE else dict(record.cells)
    if cells.pop(PRIVATE, "").strip().casefold() in PRIVATE_WORDS:
        incoming.leave_out(said(_("It is marked as private in Outlook.")))
        return incoming
    join_streets(cells)
    incoming.company = cells.pop("company").strip() if "company" in cells else None
    for name, cell in cells.items():
        try:
            incoming.changes[name] = reader.value(name, cell)
        except BadCell as error:
            incoming.mistake(name, error.why)
    if sheet.columns.is_foreign and "company_name" in incoming.changes and says_company(sheet, record.cells):
        incoming.changes |= {"type": ContactType.COMPANY, "name": incoming.changes["company_name"]}
    incoming.number = incoming.changes.pop("number", "")
    return incoming


def join_streets(cells: dict[str, str]) -> None:
    """Street lines become our address and address 2."""
    if any(name in cells for name in STREETS):
        streets = [cells.pop(name, "") for name in STREETS]
        lines = [line.strip() for street in streets for line in street.splitlines() if line.strip()]
        cells["address"] = lines[0] if lines else ""
        cells["address_2"] = "\n".join(lines[1:])
