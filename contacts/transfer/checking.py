"""An uploaded file: what it would do, row by row, and then doing it, if it would do the same still.

What becomes of each row is written to a temporary file while the dry run's transaction is open, and stored after it was
taken back. So neither the file's length nor a change of the CRM meanwhile can make a preview wrong or half an import.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

from django.db import models, transaction

from contacts.transfer.cells import quoted, unquoted
from contacts.transfer.exporting import csv_lines
from contacts.transfer.headings import of_wrong_rows
from contacts.transfer.importing import Choices, import_contacts
from contacts.transfer.report import Kind, Report, RowOutcome, label
from contacts.transfer.said import told
from contacts.transfer.sheet import Sheet, look_at, open_sheet
from contacts.transfer.twins import Duplicates
from contacts.uploads import Upload, UploadRow

MOST_ROWS = 10_000
EXAMPLE_ROWS = 50
LONGEST_EXAMPLE = 60
CHUNK = 500
NAMED = 3  # of the rows that empty a field
IN_MEMORY = 1 << 20


class Digest:
    """Of what becomes of the rows, whatever the language."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()

    def take(self, outcome: RowOutcome) -> None:
        mistakes = [name for name, _message in outcome.mistakes]
        parts = [outcome.row, outcome.kind, outcome.contact, outcome.fields, mistakes]
        self.sha.update(json.dumps(parts).encode())

    def __str__(self) -> str:
        return self.sha.hexdigest()


def prepare(upload: Upload) -> None:
    """Find out encoding, delimiter and columns, with an example of each. Raises UnreadableFile."""
    sheet = look_at(upload.opened())
    examples = examples_of(sheet)
    upload.origin, upload.encoding, upload.delimiter = sheet.columns.origin, sheet.encoding, sheet.delimiter
    upload.columns = [
        {"heading": column.heading, "name": column.name, "surety": column.surety, "example": examples[place]}
        for place, column in enumerate(sheet.columns.all)
    ]
    upload.save()


def examples_of(sheet: Sheet) -> list[str]:
    """The first value of each column, '' where the first rows have none."""
    found = [""] * sheet.columns.width
    for _row, cells in islice(sheet.raw(), EXAMPLE_ROWS):
        for place, cell in enumerate(cells[: len(found)]):
            found[place] = found[place] or " ".join(cell.split())[:LONGEST_EXAMPLE]
    return found


def choose_columns(upload: Upload, names: list[str]) -> None:
    for column, name in zip(upload.columns, names, strict=True):
        column |= {"name": name, "surety": "chosen"}
    upload.save(update_fields=["columns"])


def choices_of(upload: Upload, *, without_wrong: bool = False) -> Choices:
    return Choices(upload.fields, Duplicates(upload.duplicates), without_wrong, MOST_ROWS)


def check(upload: Upload, *, by: models.Model) -> Report:
    """Find out what the file would do, and keep that beside it. Raises UnreadableFile."""
    digest = Digest()
    with tempfile.SpooledTemporaryFile(IN_MEMORY, mode="w+", encoding="utf-8") as spool:

        def sink(outcome: RowOutcome) -> None:
            digest.take(outcome)
            spool.write(json.dumps(outcome.as_json()) + "\n")

        report = Report(is_dry_run=True, sink=sink)
        import_contacts(upload.opened(), by=by, choices=choices_of(upload), report=report)
        spool.seek(0)
        with transaction.atomic():
            upload.rows.all().delete()
            store(upload, spool)
            upload.digest = str(digest)
            upload.save(update_fields=["digest", "emptied", "emptying"])
    return report


def store(upload: Upload, lines: "IO[str] | Iterable[str]") -> None:
    """Keep the rows, and note (without saving) on `upload` what they empty."""
    lines = iter(lines)
    upload.emptied, upload.emptying = [], 0
    while chunk := list(islice(lines, CHUNK)):
        rows = UploadRow.objects.bulk_create(UploadRow.of(upload, json.loads(line)) for line in chunk)
        emptied = [[row.row, row.name, row.emptied] for row in rows if row.emptied]
        upload.emptying += len(emptied)
        upload.emptied = sorted(upload.emptied + emptied, key=lambda each: "email" not in each[2])[:NAMED]


def carry_out(upload: Upload, *, by: models.Model) -> Report | None:
    """Import the right rows, all or none, and forget the file. None where they would no longer do what was shown."""
    digest = Digest()
    report = Report(sink=digest.take)
    with transaction.atomic():
        import_contacts(upload.opened(), by=by, choices=choices_of(upload, without_wrong=True), report=report)
        if str(digest) != upload.digest:
            transaction.set_rollback(True)
            return None
        upload.delete()
    return report


def wrong_rows(upload: Upload) -> Iterator[str]:
    """CSV of the rows that are wrong, as they stand in the file, each with its number and what is wrong before it.

    What a spreadsheet would run has a quote in front, as in an export; mended, the file can be imported as it is.
    """
    sheet = open_sheet(upload.opened(), upload.fields)
    headings = [column["heading"] for column in upload.columns]
    return csv_lines(safe(row) for row in with_reasons(upload, sheet, headings))


def with_reasons(upload: Upload, sheet: Sheet, headings: list[str]) -> Iterator[list[str]]:
    yield [*of_wrong_rows(), *headings]
    wrong: Any = upload.rows.filter(kind=Kind.WRONG).values_list("row", "mistakes").iterator(chunk_size=CHUNK)
    raw = sheet.raw()
    for number, mistakes in wrong:
        cells = next((cells for at, cells in raw if at == number), [])
        reasons = [f"{label(name)}: {told(message)}" if name else told(message) for name, message in mistakes]
        yield [str(number), " ".join(reasons), *cells]


def safe(row: Iterable[str]) -> list[str]:
    return [quoted(unquoted(cell)) for cell in row]
