"""The field table: one row per synced field. Everything else loops over it.

`ContactFields` is what one side holds, in the CRM's form: {field name: text}, every field of the table present, '' for
empty, dates as YYYY-MM-DD, countries as ISO codes. Values are normalised, so that equal means "the same to a person".
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crmsync.sync.slots import Address, AddressPart, Country, Day, Entry, Extended, Slot, StreetLine, Text
from exchange_setup.graph.properties import FAX

ContactFields = Mapping[str, str]


@dataclass(frozen=True)
class Field:
    """One synced field: its name in the CRM, its place in Outlook, and what is peculiar to it."""

    name: str
    slot: Slot
    ignores_case: bool = False
    multiline: bool = False
    positional: str = ""  # fields with the same word here share a list in which places matter
    part_of_name: bool = False

    @property
    def in_list(self) -> bool:
        """Whether what stands behind it in Outlook moves up when it is cleared."""
        return isinstance(self.slot, Entry | Address)


FIELDS: tuple[Field, ...] = (
    Field("first_name", Text("givenName"), part_of_name=True),
    Field("middle_name", Text("middleName"), part_of_name=True),
    Field("surname", Text("surname"), part_of_name=True),
    Field("initials", Text("initials")),
    Field("title", Text("title")),
    Field("job_title", Text("jobTitle")),
    Field("department", Text("department")),
    Field("company_name", Text("companyName")),
    Field("email", Address(0), ignores_case=True, positional="emails"),
    Field("email_2", Address(1), ignores_case=True, positional="emails"),
    Field("email_3", Address(2), ignores_case=True, positional="emails"),
    Field("phone", Entry("businessPhones", 0), positional="phones"),
    Field("phone_2", Entry("businessPhones", 1), positional="phones"),
    Field("mobile_phone", Text("mobilePhone")),
    Field("home_phone", Entry("homePhones", 0)),
    Field("fax", Extended(FAX)),
    Field("home_page", Text("businessHomePage")),
    Field("address", StreetLine(rest=False), positional="street"),
    Field("address_2", StreetLine(rest=True), positional="street", multiline=True),
    Field("city", AddressPart("city")),
    Field("county", AddressPart("state")),
    Field("post_code", AddressPart("postalCode")),
    Field("country", Country("countryOrRegion")),
    Field("birthday", Day("birthday")),
    Field("notes", Text("personalNotes"), multiline=True),
)
BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
NAMES: tuple[str, ...] = tuple(BY_NAME)
EMPTY: ContactFields = dict.fromkeys(NAMES, "")
EMAILS = tuple(field.name for field in FIELDS if field.positional == "emails")
NAME_PARTS = frozenset(field.name for field in FIELDS if field.part_of_name)


def normalise(value: str, *, multiline: bool = False) -> str:
    """`value` without what nobody sees: outer blanks, control characters, broken surrogates, the kind of line end."""
    if value.isascii() and value.isprintable():  # as good as always
        return value.strip()
    text = value.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    text = unicodedata.normalize("NFC", text)
    keep = "\n\t" if multiline else ""
    if not text.isprintable():
        text = "".join(mark if mark in keep or unicodedata.category(mark) != "Cc" else " " for mark in text)
    return text.strip()


def normalised(values: Mapping[str, str]) -> dict[str, str]:
    """All fields of the table, normalised, the missing ones empty; lists without holes, as Outlook keeps them."""
    clean = {field.name: normalise(values.get(field.name, ""), multiline=field.multiline) for field in FIELDS}
    for group in ("emails", "phones"):
        names = [field.name for field in FIELDS if field.positional == group]
        held = [clean[name] for name in names if clean[name]]
        clean |= dict(zip(names, held + [""] * (len(names) - len(held)), strict=True))
    if not clean["address"]:
        clean["address"], _, clean["address_2"] = clean["address_2"].partition("\n")
    return clean


def same(name: str, one: str, other: str) -> bool:
    """Whether two values of the field `name` mean the same."""
    return one == other or (BY_NAME[name].ignores_case and one.lower() == other.lower())


def fingerprint(values: ContactFields) -> str:
    """Equal exactly when all fields mean the same; the only test of "changed"."""
    meant = {name: value.lower() if BY_NAME[name].ignores_case else value for name, value in values.items() if value}
    return hashlib.blake2b(json.dumps(meant, sort_keys=True).encode(), digest_size=16).hexdigest()


def filled(values: Mapping[str, str]) -> dict[str, str]:
    """Without the empty fields: how bases are stored."""
    return {name: value for name, value in values.items() if value}


def complete(values: Mapping[str, str]) -> dict[str, str]:
    """The reverse of `filled`."""
    return {**EMPTY, **values}


def with_positions(names: Iterable[str]) -> set[str]:
    """`names`, and the fields that share a list with one of them, since such a list is sent whole."""
    groups = {BY_NAME[name].positional for name in names} - {""}
    return set(names) | {field.name for field in FIELDS if field.positional in groups}
