"""The columns that the Contacts list can show and be sorted by, and reading a choice of them from an address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_countries.fields import Country

from contacts.models import Contact


@dataclass(frozen=True)
class Column:
    """A column. `field` is what it shows, at most `most` characters of it; `order` what it is sorted by, where that is
    something else; `head` what stands over it, where its label would be too wide. `needs_label`: its value does not
    say by itself what it is. A phone that is `beside_mobile` leaves the mobile phone to a column of its own.
    """

    name: str
    field: str
    label: "str | Promise"
    head: "str | Promise" = ""
    order_by: str = ""
    indexed: bool = False
    needs_label: bool = False
    beside_mobile: bool = False
    most: int = 36

    @property
    def order(self) -> str:
        return self.order_by or self.field

    def says(self, contact: Contact) -> "str | Promise":
        """What stands before the value where no head does; "" where the value says by itself what it is."""
        is_one_of_two = self.beside_mobile and contact.mobile_phone
        return self.label if self.needs_label or is_one_of_two else ""

    def value(self, contact: Contact) -> Any:
        """What the contact has in it, as it is shown; a moment as it is."""
        if self.name == "company" and not contact.is_person:
            return ""
        value = getattr(contact, self.field)
        if self.name == "phone":
            return value or ("" if self.beside_mobile else contact.mobile_phone)
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return formats.date_format(value, "SHORT_DATE_FORMAT")
        return value.name if isinstance(value, Country) else value or ""


def column(name: str, field: str = "", label: Any = None, **more: Any) -> Column:
    field = field or name
    return Column(name, field, label or Contact._meta.get_field(field).verbose_name, **more)


COLUMNS = {
    found.name: found
    for found in (
        column("name", indexed=True),
        column("company", "company_name", _("Company"), indexed=True),
        column("email", indexed=True, most=46),
        column("phone"),
        column("mobile", "mobile_phone", needs_label=True),
        column("job_title"),
        column("department"),
        column("address"),
        column("post_code", needs_label=True),
        column("city", indexed=True),
        column("county"),
        column("country"),
        column("territory"),
        column("salesperson", head=pgettext_lazy("column", "Seller"), order_by="salesperson__code", indexed=True),
        column("birthday", needs_label=True),
        column("number", needs_label=True),
        column("created", "created_at", _("Added")),
        column("modified", "modified_at"),
    )
}
FIRST = "name"  # what a row is known by: always shown, and always in front
STANDARD = ("name", "company", "email", "phone", "city", "salesperson")
MOST = 10


def read(text: str) -> tuple[str, ...]:
    """The columns that a text such as 'name,city' names, in its order; () where it names none."""
    return tidy(text.split(","))


def tidy(names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that are columns, each once, the name in front; () for none."""
    known = dict.fromkeys(name for name in names if name in COLUMNS and name != FIRST)
    return (FIRST, *list(known)[: MOST - 1]) if known else ()


def write(names: Iterable[str]) -> str:
    return ",".join(names)
