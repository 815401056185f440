"""Contacts out, as CSV or JSON: a stream, in constant memory, in the order of their numbers."""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from contacts.models import ContactQuerySet
from contacts.transfer.cells import quoted
from contacts.transfer.headings import FIELDS

CHUNK = 2_000


class Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def as_csv(contacts: ContactQuerySet) -> Iterator[str]:
    """Lines of CSV, a header first. What a spreadsheet would run as a formula has a quote in front."""
    rows = ([quoted(text_of(value)) for value in values.values()] for values in values_of(contacts))
    return csv_lines(chain([FIELDS], rows))


def csv_lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    writer = csv.writer(Echo())
    return (writer.writerow(row) for row in rows)


def as_json(contacts: ContactQuerySet) -> Iterator[str]:
    """An array with an object for each contact, a line each."""
    before = "[\n"
    for values in values_of(contacts):
        yield before + json.dumps(values, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def values_of(contacts: ContactQuerySet) -> Iterator[dict[str, Any]]:
    """Each contact's fields under the names of the header: companies by number, people by code or e-mail."""
    related = contacts.order_by("number").select_related("company", "salesperson")
    for contact in related.iterator(chunk_size=CHUNK):
        values = {name: getattr(contact, name) for name in FIELDS}
        values["company"] = contact.company.number if contact.company else ""
        values["country"] = str(contact.country)
        values["salesperson"] = (contact.salesperson.code or contact.salesperson.email) if contact.salesperson else ""
        values["birthday"] = contact.birthday.isoformat() if contact.birthday else ""
        yield values


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


FORMATS = {"csv": (as_csv, "text/csv; charset=utf-8"), "json": (as_json, "application/json")}
