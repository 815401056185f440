"""One cell of a file as a contact's value, and the other way round."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.utils.functional import cached_property
from django.utils.translation import gettext_noop as _

from contacts.countries import code_for
from contacts.models import Contact
from contacts.transfer.said import Said, said, said_by

NUMBER = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,19}", re.ASCII)
ISO_DATE = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:[ T].*)?", re.ASCII)
OTHER_DATE = re.compile(r"(?P<first>\d{1,2})[-./](?P<second>\d{1,2})[-./](?P<year>\d{4})(?: .*)?", re.ASCII)
NO_DATE = {"0/0/00", "0-0-00", "00-00-00", "0.0.00", "00/00/00"}
# Outlook holds whatever was typed there; the card makes a link of a web address alone.
UNCHECKED = {"home_page"}
YES = {"yes", "true", "1", "ja", "sand"}
NO = {"", "no", "false", "0", "nej", "falsk"}
TYPES = {"person": "person", "company": "company", "virksomhed": "company", "": "person"}

# A spreadsheet runs what begins with one of these. A quote in front makes it text; the quote is taken away on import.
DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
QUOTED_DANGER = re.compile(r"'+[=+\-@\t\r]")
HARMLESS = re.compile(r"\+[\d ().\-/]*", re.ASCII)


class BadCell(ValueError):
    """The value cannot be the field's."""

    def __init__(self, why: Said) -> None:
        super().__init__(why)
        self.why = why


class Cells:
    """Reads cells. `day_first` says how 3/4/1980 is meant, or None where nobody can tell."""

    def __init__(self, *, day_first: bool | None = True, strip: bool = False) -> None:
        self.day_first = day_first
        self.strip = strip

    def value(self, name: str, cell: str) -> Any:
        """What `cell` means in the field `name`. Raises BadCell."""
        special = getattr(self, f"read_{name}", None)
        if special:
            return special(cell.strip())
        text = unquoted(cell)
        text = text.strip() if self.strip or name.startswith("email") or name == "home_page" else text
        return checked(name, text)

    def read_number(self, cell: str) -> str:
        number = cell.upper()
        if number and not NUMBER.fullmatch(number):
            raise BadCell(said(_("“%(value)s” is no number such as CT000123."), value=cell[:40]))
        return number

    def read_type(self, cell: str) -> str:
        if cell.casefold() not in TYPES:
            raise BadCell(said(_("“%(value)s” is neither Person nor Company."), value=cell[:40]))
        return TYPES[cell.casefold()]

    def read_country(self, cell: str) -> str:
        code = code_for(cell) if cell else ""
        if code is None:
            raise BadCell(said(_("No country is called “%(value)s”. Write its code or its name."), value=cell[:40]))
        return code

    def read_salesperson(self, cell: str) -> Any:
        if not cell:
            return None
        found = self.users.get(cell.upper()) or self.users.get(cell.lower())
        if found is None:
            raise BadCell(said(_("No user has the code or the e-mail “%(value)s”."), value=cell[:80]))
        return found

    def read_privacy_blocked(self, cell: str) -> bool:
        if cell.casefold() not in YES | NO:
            raise BadCell(said(_("“%(value)s” is neither yes nor no."), value=cell[:40]))
        return cell.casefold() in YES

    def read_birthday(self, cell: str) -> date | None:
        if not cell or cell in NO_DATE:
            return None
        found = ISO_DATE.fullmatch(cell)
        if found:
            day, month = int(found["day"]), int(found["month"])
        elif found := OTHER_DATE.fullmatch(cell):
            day, month = self._in_order(cell, int(found["first"]), int(found["second"]))
        else:
            raise BadCell(said(_("“%(value)s” is no date. Write it like 1980-05-31."), value=cell[:40]))
        try:
            return checked("birthday", date(int(found["year"]), month, day))
        except ValueError as error:
            raise (
                error
                if isinstance(error, BadCell)
                else BadCell(said(_("There is no such day as “%(value)s”."), value=cell))
            ) from None

    def _in_order(self, cell: str, first: int, second: int) -> tuple[int, int]:
        """Day and month of a date with the year last. With dots or dashes, or Danish, the day comes first."""
        if first > 12 or "/" not in cell:
            return first, second
        if second > 12 or self.day_first is False or first == second:
            return second, first
        if self.day_first is None:
            raise BadCell(said(_("“%(value)s” may be either of two days. Write it like 1980-05-31."), value=cell))
        return first, second

    @cached_property
    def users(self) -> dict[str, Any]:
        """Everybody by code, in upper case, and by e-mail, in lower case."""
        everybody = list(get_user_model().objects.all())
        by_code = {user.code.upper(): user for user in everybody if user.code}
        return {user.email.lower(): user for user in everybody} | by_code


def checked(name: str, value: Any) -> Any:
    """`value`, if it fits the model's field. Raises BadCell."""
    column: Field = Contact._meta.get_field(name)
    if isinstance(value, str) and column.max_length and len(value) > column.max_length:
        counts = {"count": len(value), "limit": column.max_length}
        raise BadCell(said(_("The text has %(count)d characters; %(limit)d are the limit."), **counts))
    if value and name not in UNCHECKED:
        try:
            column.run_validators(value)
        except ValidationError as error:
            raise BadCell(said_by(error)) from error
    return value


def day_first_of(cells: Iterable[str], *, american: bool) -> bool | None:
    """Whether dates such as 3/4/1980 begin with the day, from those in `cells` that can be read only one way.

    None where a file that may be American gives no sign, or contradicts itself.
    """
    signs = set()
    for cell in cells:
        found = OTHER_DATE.fullmatch(cell.strip())
        if found and "/" in cell and (int(found["first"]) > 12) != (int(found["second"]) > 12):
            signs.add(int(found["first"]) > 12)
    if len(signs) == 1:
        return signs.pop()
    return None if signs or american else True


def quoted(text: str) -> str:
    """`text` so that no spreadsheet takes it for a formula. `unquoted` gives back exactly `text`."""
    if DANGEROUS.match(text) and not HARMLESS.fullmatch(text):
        return f"'{text}"
    return text


def unquoted(cell: str) -> str:
    return cell[1:] if QUOTED_DANGER.match(cell) else cell
