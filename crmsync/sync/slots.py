"""Where a field sits inside a Graph contact: one small class per shape, each able to read it and to write it.

A slot reads from the contact as Graph sends it and writes into a body for POST or PATCH. Lists and addresses are sent
whole (Graph replaces them whole), so writing starts from `raw`, what Outlook holds now, and touches only its own place.
Shapes and limits: graph-contacts on learn.microsoft.com, resource type "contact".
"""

from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from contacts.countries import code_for, name_for

Json = dict[str, Any]

ADDRESS_KEYS = ("street", "city", "state", "postalCode", "countryOrRegion")


class Broken(ValueError):
    """Outlook sent something of another type than Graph promises."""


class NotUnderstood(ValueError):
    """A value that has no counterpart in the CRM; `text` is what Outlook holds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Broken(f"text expected, not {type(value).__name__}")
    return value


def as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Broken(f"a list expected, not {type(value).__name__}")
    return value


def as_object(value: Any) -> Json:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Broken(f"an object expected, not {type(value).__name__}")
    return value


class Slot(Protocol):
    @property
    def property(self) -> str:
        """The Graph property that must be selected to read it."""

    def read(self, item: Json) -> str:
        """The value, '' for none. Raises Broken and NotUnderstood."""

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        """Put `value` into `body`; `label` is the person's name, for entries that carry one."""


@dataclass(frozen=True)
class Text:
    property: str

    def read(self, item: Json) -> str:
        return as_text(item.get(self.property))

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        body[self.property] = value or None


@dataclass(frozen=True)
class Day:
    """A date without a time. Outlook keeps it at 11:59 UTC; years before 1000 mean none."""

    property: str

    def read(self, item: Json) -> str:
        text = as_text(item.get(self.property))[:10]
        try:
            return text if text and date.fromisoformat(text).year >= 1000 else ""
        except ValueError:
            raise NotUnderstood(text) from None

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        body[self.property] = f"{value}T11:59:00Z" if value else None


@dataclass(frozen=True)
class Entry:
    """A place in a list of texts, such as the second business phone."""

    property: str
    place: int

    def read(self, item: Json) -> str:
        entries = [entry for entry in map(as_text, as_list(item.get(self.property))) if entry]
        return entries[self.place] if self.place < len(entries) else ""

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        entries = start(body, raw, self.property, list)
        entries.extend([""] * (self.place + 1 - len(entries)))
        entries[self.place] = value


@dataclass(frozen=True)
class Address:
    """A place in the list of e-mail addresses; the name beside an address that stays is left as it is."""

    place: int
    property: str = "emailAddresses"

    def read(self, item: Json) -> str:
        entries = [address for entry in as_list(item.get(self.property)) if (address := address_of(entry))]
        return entries[self.place] if self.place < len(entries) else ""

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        entries = start(body, raw, self.property, list)
        entries.extend({} for _ in range(self.place + 1 - len(entries)))
        if address_of(entries[self.place]) != value:
            entries[self.place] = {"address": value, "name": label} if value else {}


@dataclass(frozen=True)
class AddressPart:
    key: str
    property: str = "businessAddress"

    def read(self, item: Json) -> str:
        return as_text(as_object(item.get(self.property)).get(self.key))

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        start(body, raw, self.property, dict)[self.key] = value or None


@dataclass(frozen=True)
class StreetLine:
    """The first line of the street, or all the lines after it."""

    rest: bool
    property: str = "businessAddress"

    def read(self, item: Json) -> str:
        street = as_text(as_object(item.get(self.property)).get("street"))
        first, rest = lines_of(street.strip())
        return rest if self.rest else first

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        part = start(body, raw, self.property, dict)
        first, rest = lines_of(part["street"] or "")
        lines = (first, value) if self.rest else (value, rest)
        part["street"] = "\n".join(lines) if lines[1] else lines[0] or None


@dataclass(frozen=True)
class Country(AddressPart):
    """An ISO code in the CRM, a name in Outlook."""

    def read(self, item: Json) -> str:
        text = super().read(item).strip()
        code = code_for(text) if text else ""
        if code is None:
            raise NotUnderstood(text)
        return code

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        super().write(body, raw, name_for(value) if value else "", label)


@dataclass(frozen=True)
class Extended:
    """A property that Graph shows only as an extended one, such as the fax number."""

    id: str
    property: str = "singleValueExtendedProperties"

    def read(self, item: Json) -> str:
        return extended(item).get(self.id.lower(), "")

    def write(self, body: Json, raw: Json, value: str, label: str) -> None:
        body.setdefault(self.property, []).append({"id": self.id, "value": value})


def extended(item: Json) -> dict[str, str]:
    """The extended properties of an item, by lower-cased id (Graph has changed the case of ids before)."""
    rows = [as_object(row) for row in as_list(item.get("singleValueExtendedProperties"))]
    if any(row.get("id") is None for row in rows):  # seen in the wild; there is no telling then which value is which
        raise Broken("an extended property without an id")
    return {as_text(row.get("id")).lower(): as_text(row.get("value")) for row in rows}


def lines_of(street: str) -> tuple[str, str]:
    first, _, rest = street.replace("\r\n", "\n").replace("\r", "\n").partition("\n")
    return first, rest


def address_of(entry: Any) -> str:
    return as_text(as_object(entry).get("address"))


def start(body: Json, raw: Json, name: str, kind: type) -> Any:
    """The list or address under `name` in `body`; at first a copy of what Outlook holds, without empty entries."""
    if name not in body:
        held = deepcopy(raw.get(name)) or kind()
        body[name] = {key: held.get(key) or None for key in ADDRESS_KEYS} if kind is dict else without_holes(held)
    return body[name]


def without_holes(entries: list[Any]) -> list[Any]:
    """A list of texts or e-mail addresses without its empty entries: Outlook leaves some, Graph takes none."""
    return [entry for entry in entries if (address_of(entry) if isinstance(entry, dict) else entry)]


def close_holes(body: Json) -> None:
    """Take out of `body` what writing left empty."""
    for name in ("emailAddresses", "businessPhones", "homePhones"):
        if name in body:
            body[name] = without_holes(body[name])
