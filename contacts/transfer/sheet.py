"""A CSV file as it comes: any of the usual encodings and delimiters. Read as a stream, as often as is needed."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from contacts.transfer.columns import Columns, read_header
from contacts.transfer.said import said

CHUNK = 1 << 16
DELIMITERS = ",;\t|"
BOMS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]
MOST_COLUMNS = 300
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"%PDF", b"II*\0", b"MM\0*")
ARCHIVES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class UnreadableFile(Exception):
    """The file as a whole cannot be read; the message says why, and what to do."""


@dataclass(frozen=True)
class Record:
    """A row of the file: its cells by field, or what is wrong with its form. The header is row 1."""

    row: int
    cells: dict[str, str]
    mistake: str = ""


@dataclass(frozen=True)
class Sheet:
    file: BinaryIO
    encoding: str
    delimiter: str
    columns: Columns

    def records(self) -> Iterator[Record]:
        """The rows below the header, blank ones left out, from the start of the file."""
        numbered = rows(self.file, self.encoding, self.delimiter)
        next(numbered, None)
        for number, row in numbered:
            if isinstance(row, csv.Error):
                text = gettext_noop("The quotes in this row are broken, or a cell is far too long.")
                yield Record(number, {}, said(text))
            elif len(row) != self.columns.width:
                counts = {"count": len(row), "width": self.columns.width}
                text = gettext_noop("This row has %(count)d cells; the header has %(width)d.")
                yield Record(number, {}, said(text, **counts))
            else:
                yield Record(number, self.columns.cells(row))

    def raw(self) -> Iterator[tuple[int, list[str]]]:
        """The rows below the header as they stand in the file; none of the cells of one whose quotes are broken."""
        numbered = rows(self.file, self.encoding, self.delimiter)
        next(numbered, None)
        for number, row in numbered:
            yield number, [] if isinstance(row, csv.Error) else row


def open_sheet(file: BinaryIO, chosen: Sequence[str] | None = None) -> Sheet:
    """The file with its encoding and delimiter found out, and its columns as `chosen`, or those that are no guess.

    Raises UnreadableFile.
    """
    sheet = look_at(file)
    if chosen is not None:
        if len(chosen) != sheet.columns.width:
            raise UnreadableFile(_("The columns have changed. Choose the file again."))
        return replace(sheet, columns=sheet.columns.chosen(chosen))
    sheet = replace(sheet, columns=sheet.columns.without_guesses())
    if not sheet.columns.places:
        raise UnreadableFile(
            _("None of the columns is known. The first row must hold field names, such as first_name and email.")
        )
    if sheet.columns.doubled:
        doubled = ", ".join(sheet.columns.doubled)
        raise UnreadableFile(
            _("Several columns mean the same field: %(names)s. Leave one of each.") % {"names": doubled}
        )
    return sheet


def look_at(file: BinaryIO) -> Sheet:
    """The file with its encoding and delimiter found out, and its columns guessed. Raises UnreadableFile."""
    encoding = find_encoding(file)
    candidates = [Sheet(file, encoding, delimiter, header(file, encoding, delimiter)) for delimiter in DELIMITERS]
    best = max(candidates, key=lambda sheet: (sheet.columns.known, len(sheet.columns.places), sheet.columns.width))
    if best.columns.width > MOST_COLUMNS:
        raise UnreadableFile(_("The file has more than %(count)d columns.") % {"count": MOST_COLUMNS})
    return best


def header(file: BinaryIO, encoding: str, delimiter: str) -> Columns:
    first = next(rows(file, encoding, delimiter), None)
    return read_header(first[1]) if first and not isinstance(first[1], csv.Error) else Columns()


def rows(file: BinaryIO, encoding: str, delimiter: str) -> Iterator[tuple[int, "list[str] | csv.Error"]]:
    """Every row that holds anything, with its number in a spreadsheet."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    number = 0
    try:
        while True:
            number += 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, error
                continue
            if number == 1 and SEPARATOR_LINE.fullmatch(delimiter.join(row)):
                number = 0
            elif any(cell.strip() for cell in row):
                yield number, row
    finally:
        text.detach()


def find_encoding(file: BinaryIO) -> str:
    """UTF-8, UTF-16 or Windows' own cp1252: whichever the whole file is. Raises UnreadableFile."""
    file.seek(0)
    start = file.read(CHUNK)
    if not start.strip():
        raise UnreadableFile(_("The file is empty."))
    if start.startswith(PICTURES):
        raise UnreadableFile(_("This is no CSV file but a picture or a document. Choose the file with the contacts."))
    if start.startswith(ARCHIVES):
        raise UnreadableFile(
            _("This is no CSV file but a workbook or an archive. In Excel, save it as “CSV UTF-8” first.")
        )
    marked = next((encoding for bom, encoding in BOMS if start.startswith(bom)), None)
    if marked is None and b"\0" in start and b"\0" not in start[:20:2] and start[1:20:2].strip(b"\0") == b"":
        marked = "utf-16-le"
    for encoding in [marked] if marked else ["utf-8", "cp1252"]:
        if is_encoded(file, encoding):
            return encoding
    raise UnreadableFile(_("This is no CSV file, or its letters are damaged. Save it as “CSV UTF-8” and try again."))


def is_encoded(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while chunk := file.read(CHUNK):
            if "\0" in decoder.decode(chunk):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
