"""A CSV file into contacts: all of it, or nothing.

The file is read three times: to learn about it, for the companies, and for the people, who may belong to companies that
stand further down. Everything happens in one transaction, which is taken back after a dry run or a mistake in any row.
A dry run so does all that the import does; what it would make of each row goes to the report, a batch at a time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contacts.blocking import blocked
from contacts.changes import Source
from contacts.erasing import EMAILS
from contacts.models import Contact, NumberSeries
from contacts.transfer.cells import Cells, day_first_of
from contacts.transfer.columns import CHOICES
from contacts.transfer.incoming import Incoming, says_company, understand
from contacts.transfer.report import Kind, Report
from contacts.transfer.said import said
from contacts.transfer.sheet import Record, Sheet, UnreadableFile, open_sheet
from contacts.transfer.twins import Duplicates, Twin, Twins, blanks

CHUNK = 500
LONGEST_COMPANY_NAME = Contact._meta.get_field("company_name").max_length
OURS = re.compile(rf"{NumberSeries.CONTACT}(\d{{1,18}})", re.ASCII)


@dataclass(frozen=True)
class Choices:
    """What a person decides about an import.

    `columns` is the field of each column, None to go by the headings that are known. `without_wrong` brings in the
    right rows although others have mistakes.
    """

    columns: Sequence[str] | None = None
    duplicates: Duplicates = Duplicates.SAME
    without_wrong: bool = False
    most_rows: int | None = None


AS_IT_IS = Choices()


def import_contacts(
    file: BinaryIO, *, by: models.Model | None, choices: Choices = AS_IT_IS, report: Report | None = None
) -> Report:
    """Read `file` into contacts, as changes made by `by`. Raises UnreadableFile; mistakes in rows are in the report."""
    report = report or Report()
    report.without_wrong = choices.without_wrong
    sheet = open_sheet(file, choices.columns)
    report.used = [name for name in CHOICES if name in sheet.columns]
    report.unused = sheet.columns.unused
    report.encoding, report.delimiter = sheet.encoding, sheet.delimiter
    day_first, highest = learn(sheet, report, choices.most_rows)
    with transaction.atomic():
        NumberSeries.pass_by(highest)
        reader = Cells(day_first=day_first, strip=sheet.columns.is_foreign)
        Importer(sheet, report, by, reader, Duplicates(choices.duplicates)).run()
        transaction.set_rollback(not report.is_done)
    return report


def learn(sheet: Sheet, report: Report, most_rows: int | None) -> tuple[bool | None, int]:
    """What only the whole file can tell: whether dates begin with the day, and the highest number of our series."""
    highest = 0

    def birthdays() -> Iterator[str]:
        nonlocal highest
        for record in sheet.records():
            report.rows += 1
            if most_rows is not None and report.rows > most_rows:
                message = _(
                    "The file has more than %(count)d rows. An administrator can bring it in with import_contacts."
                )
                raise UnreadableFile(said(message, count=most_rows))
            if found := OURS.fullmatch(record.cells.get("number", "").strip().upper()):
                highest = max(highest, int(found[1]))
            yield record.cells.get("birthday", "")

    return day_first_of(birthdays(), american=sheet.columns.is_american), highest


class Importer:
    """The two readings that write: companies first, then people."""

    def __init__(
        self, sheet: Sheet, report: Report, by: models.Model | None, reader: Cells, duplicates: Duplicates
    ) -> None:
        self.sheet = sheet
        self.report = report
        self.by = by
        self.reader = reader
        self.duplicates = duplicates
        self.twins = Twins(duplicates)
        self.at = timezone.now()
        self.seen: set[str] = set()  # the numbers so far

    def run(self) -> None:
        for companies in (True, False):
            wanted = (record for record in self.sheet.records() if says_company(self.sheet, record.cells) == companies)
            for records in chunks(wanted):
                self.take(records)

    def take(self, records: list[Record]) -> None:
        """Understand these rows, look up what they are about, and store them."""
        found = [understand(self.sheet, record, self.reader) for record in records]
        open_ones = undecided(found)
        self.find_contacts(open_ones)
        for incoming in open_ones:
            incoming.settle()
        self.find_companies(open_ones)
        for incoming in undecided(open_ones):
            if problem := self.problem_of(incoming):
                incoming.mistake(*problem)
        leave_erased_out(undecided(open_ones))
        self.store(undecided(open_ones))
        for incoming in found:
            self.report.take(incoming.outcome)

    def find_contacts(self, found: list[Incoming]) -> None:
        """Give each row with a known number its contact, locked until the end."""
        numbers = {incoming.number for incoming in found if incoming.number}
        by_number = {contact.number: contact for contact in locked().filter(number__in=numbers)}
        for incoming in found:
            incoming.contact = by_number.get(incoming.number)

    def find_companies(self, found: list[Incoming]) -> None:
        """Make each person's company, which the row has as a number or a name, a contact."""
        people = [incoming for incoming in found if not incoming.is_company]
        wanted = {text for person in people for text in (person.company, person.changes.get("company_name")) if text}
        companies = Contact.objects.alive().companies().only("number", "name", "type")
        by_number = {each.number: each for each in companies.filter(number__in={text.upper() for text in wanted})}
        by_name: dict[str, list[Contact]] = {}
        for each in companies.filter(name__in=wanted):
            by_name.setdefault(each.name, []).append(each)
        for person in people:
            if person.company is None:
                if "company_name" in person.changes:
                    named = by_name.get(person.changes["company_name"], [])
                    person.changes["company"] = named[0] if len(named) == 1 else None
            elif person.company.upper() in by_number:
                person.changes["company"] = by_number[person.company.upper()]
            else:
                person.changes["company"] = only_one(person, by_name.get(person.company, []))

    def problem_of(self, incoming: Incoming) -> tuple[str, str] | None:
        """Why the contact may not become what the row says: the field and the reason. None where it may."""
        contact = incoming.contact
        if contact and contact.is_trashed:
            return "number", said(_("%(number)s is in the trash. Restore it first."), number=contact.number)
        if incoming.number in self.seen:
            return "number", said(_("%(number)s stands in the file twice."), number=incoming.number)
        if incoming.number:
            self.seen.add(incoming.number)
        if incoming.is_company and not incoming.name:
            return "name", said(_("A company needs a name."))
        if incoming.is_company and len(incoming.name) > LONGEST_COMPANY_NAME:
            return "name", said(_("A company's name has at most %(count)d characters."), count=LONGEST_COMPANY_NAME)
        if not incoming.is_company and not incoming.name and not incoming.get("email"):
            return "first_name", said(_("A person needs a name or an e-mail."))
        if not incoming.is_company and contact and not contact.is_person and contact.people.exists():
            return "type", said(_("People belong to this company, so it cannot become a person."))
        return None

    def store(self, found: list[Incoming]) -> None:
        """Write new contacts and those that change."""
        fresh = [(incoming, self.fresh(incoming)) for incoming in found if incoming.contact is None]
        twins = self.twins.of(fresh)
        added: list[tuple[Incoming, Contact]] = []
        changed: dict[int, Contact] = {}
        for incoming in found:
            if incoming.contact:
                self.change(incoming, incoming.contact, incoming.changes, changed)
        held = self.targets(found, twins)
        for incoming, contact in fresh:
            twin = twins.get(incoming.row)
            incoming.like = twin.kept if twin else ""
            if twin and self.duplicates == Duplicates.FILL:
                self.fill(incoming, held.get(twin.contact.pk, twin.contact), changed)
            elif twin and self.duplicates != Duplicates.ADD:
                self.leave_out(incoming, twin)
            else:
                incoming.compare(None, incoming.changes)
                incoming.kind = Kind.NEW
                added.append((incoming, contact))
        Contact.objects.bulk_add([contact for _incoming, contact in added])
        Contact.objects.bulk_write(list(changed.values()))
        self.twins.row_of |= {contact.pk: incoming.row for incoming, contact in added}

    def fresh(self, incoming: Incoming) -> Contact:
        """What a row makes that is about nobody yet."""
        return self.assign(Contact(number=incoming.number, created_at=self.at), incoming.changes)

    def targets(self, found: list[Incoming], twins: dict[int, Twin]) -> dict[int, Contact]:
        """The stored contacts whose blank fields are filled in, locked; each is the one object that rows change."""
        if self.duplicates != Duplicates.FILL:
            return {}
        held = {incoming.contact.pk: incoming.contact for incoming in found if incoming.contact}
        wanted = {twin.contact.pk for twin in twins.values() if twin.contact.pk} - held.keys()
        return held | {contact.pk: contact for contact in locked().filter(pk__in=wanted)}

    def change(
        self, incoming: Incoming, contact: Contact, changes: dict[str, Any], changed: dict[int, Contact]
    ) -> None:
        incoming.kind = Kind.SAME
        if incoming.compare(contact, changes):
            incoming.kind = Kind.CHANGED
            changed[contact.pk] = self.assign(contact, changes)

    def fill(self, incoming: Incoming, contact: Contact, changed: dict[int, Contact]) -> None:
        """Fill in blank fields of a stored contact, or of one that an earlier row of this batch makes."""
        changes = blanks(contact, incoming.changes)
        if contact.pk:
            self.change(incoming, contact, changes, changed)
            incoming.contact = contact if contact.pk not in self.twins.row_of else None
            return
        incoming.kind = Kind.CHANGED if incoming.compare(contact, changes) else Kind.SAME
        self.assign(contact, changes)

    def leave_out(self, incoming: Incoming, twin: Twin) -> None:
        incoming.leave_out(twin.words)
        incoming.contact = twin.contact if twin.row is None else None

    def assign(self, contact: Contact, changes: dict[str, Any]) -> Contact:
        return contact.assign(changes, by=self.by, at=self.at, source=Source.IMPORT)


def undecided(found: list[Incoming]) -> list[Incoming]:
    return [incoming for incoming in found if incoming.kind is None]


def leave_erased_out(found: list[Incoming]) -> None:
    """Leave out new people who were erased on request."""
    emails = {id(each): {each.get(name).lower() for name in EMAILS} for each in found if each.contact is None}
    erased = blocked(email for addresses in emails.values() for email in addresses)
    for incoming in found:
        if emails.get(id(incoming), set()) & erased:
            incoming.leave_out(said(_("This person was erased on request.")))


def locked() -> models.QuerySet[Contact]:
    return Contact.objects.select_for_update(of=["self"]).select_related("company")


def only_one(person: Incoming, named: list[Contact]) -> Contact | None:
    """The one company of that name; where there is none or several, the row has a mistake."""
    if person.company and len(named) != 1:
        several, none = (
            _("Several companies are called “%(name)s”. Write the number."),
            _("There is no company “%(name)s”."),
        )
        person.mistake("company", said(several if named else none, name=person.company[:80]))
    return named[0] if named else None


def chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    records = iter(records)
    while chunk := list(islice(records, CHUNK)):
        yield chunk
