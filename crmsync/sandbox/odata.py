"""Reading the parts of OData that Exchange understands for contacts; anything else is refused as it refuses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from crmsync.sandbox.answers import Refusal, bad_request
from crmsync.sandbox.contact import SELECTABLE, extended_key

_TEXT = r"'((?:[^']|'')*)'"
_EMAIL_ANY = re.compile(rf"\s*emailAddresses/any\(\s*(\w+)\s*:\s*\1/address\s+eq\s+{_TEXT}\s*\)\s*", re.I)
_EXTENDED_ANY = re.compile(r"\s*singleValueExtendedProperties/any\(\s*(\w+)\s*:(.*)\)\s*", re.I | re.S)
_EXTENDED_PART = re.compile(rf"\s*(?:\(\s*)?(\w+)/(id|value)\s+eq\s+{_TEXT}\s*\)?\s*", re.I)
_EQUALS = re.compile(rf"\s*([\w/]+)\s+eq\s+{_TEXT}\s*", re.I)
_COMPARED = re.compile(r"\s*(?:\w+\()?\s*([\w/]+)")
_EXPAND = re.compile(r"\s*singleValueExtendedProperties\s*\(\s*\$filter=(.*)\)\s*", re.I | re.S)
_ID_IS = re.compile(rf"\s*id\s+eq\s+{_TEXT}\s*(?:or\b|$)", re.I)


@dataclass(frozen=True)
class EmailIs:
    address: str


@dataclass(frozen=True)
class ExtendedIs:
    key: str
    value: str


@dataclass(frozen=True)
class NameIs:
    name: str


def selected(query: Mapping[str, str]) -> tuple[str, ...]:
    """The properties of $select by their right names; none means all."""
    names = []
    for name in filter(None, (part.strip() for part in query.get("$select", "").split(","))):
        known = SELECTABLE.get(name.lower())
        if known is None:
            raise bad_request(
                f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type"
                " 'microsoft.graph.contact'."
            )
        names.append(known)
    return tuple(dict.fromkeys(names))


def number(query: Mapping[str, str], name: str, default: int) -> int:
    """The whole number of a $top or $skip."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise bad_request(f"Invalid value '{text}' for {name} query option found. It must be a non-negative integer.")
    return int(text)


def contact_filter(query: Mapping[str, str]) -> EmailIs | ExtendedIs | None:
    """What $filter asks of contacts: one e-mail, or one extended property. Refusal for what Exchange doesn't search."""
    text = query.get("$filter", "").strip()
    if not text:
        return None
    if email := _EMAIL_ANY.fullmatch(text):
        return EmailIs(_unquoted(email[2]).lower())
    if extended := _EXTENDED_ANY.fullmatch(text):
        parts = [_EXTENDED_PART.fullmatch(part) for part in re.split(r"\s+and\s+(?=\w+/)", extended[2], flags=re.I)]
        values = {part[2].lower(): _unquoted(part[3]) for part in parts if part and part[1] == extended[1]}
        if set(values) == {"id", "value"}:
            return ExtendedIs(extended_key(values["id"]), values["value"])
        raise bad_request("Invalid filter clause")
    raise _not_filterable(text)


def folder_filter(query: Mapping[str, str]) -> NameIs | None:
    """What $filter asks of folders: their display name."""
    text = query.get("$filter", "").strip()
    if not text:
        return None
    equals = _EQUALS.fullmatch(text)
    if equals and equals[1].lower() == "displayname":
        return NameIs(_unquoted(equals[2]))
    raise _not_filterable(text)


def expanded(query: Mapping[str, str]) -> list[str]:
    """The extended properties that $expand asks for, as keys."""
    text = query.get("$expand", "").strip()
    if not text:
        return []
    expand = _EXPAND.fullmatch(text)
    if expand is None:
        name = re.split(r"[(,]", text)[0]
        raise bad_request(f"Parsing OData Select and Expand failed: '{name}' cannot be expanded.")
    found, at = [], 0
    while part := _ID_IS.match(expand[1], at):
        found.append(extended_key(_unquoted(part[1])))
        at = part.end()
    if not found or expand[1][at:].strip():
        raise bad_request("Invalid filter clause")
    return found


def descending(query: Mapping[str, str]) -> bool | None:
    """How $orderby=displayName sorts; None without $orderby. Refusal for any other property."""
    text = query.get("$orderby", "").strip()
    if not text:
        return None
    order = re.fullmatch(r"displayName(\s+(asc|desc))?", text, re.I)
    if order is None:
        raise Refusal(400, "ErrorInvalidProperty", f"The property '{text.split()[0]}' does not support sorting.")
    return (order[2] or "").lower() == "desc"


def preferences(header: str) -> tuple[bool, int | None, bool]:
    """What a Prefer header asks for: immutable ids, a page size, and no body in the answer to an edit."""
    size = re.search(r"odata\.maxpagesize\s*=\s*\"?(\d+)", header, re.I)
    return (
        bool(re.search(r"IdType\s*=\s*\"?ImmutableId\b", header, re.I)),
        int(size[1]) if size else None,
        bool(re.search(r"return\s*=\s*minimal", header, re.I)),
    )


def next_query(query: Mapping[str, str], top: int, skip: int) -> str:
    """The query of a list's next page."""
    others = {name: value for name, value in query.items() if name not in {"$skip", "$top"}}
    return urlencode({**others, "$top": top, "$skip": skip}, safe="$'(),")


def _unquoted(text: str) -> str:
    return text.replace("''", "'")


def _not_filterable(text: str) -> Refusal:
    compared = _COMPARED.match(text)
    if compared is None:
        return bad_request("Invalid filter clause")
    return Refusal(400, "ErrorInvalidProperty", f"The property '{compared[1]}' does not support filtering.")
