"""The contact resource: what may be written, how the server bends it, and how it reads.

A contact's values are kept as one dictionary of every writable property, in the order in which Graph answers them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from crmsync.sandbox.answers import Refusal, unreadable_json
from crmsync.sandbox.switches import Switches

TEXT, TEXTS, ADDRESS, EMAILS, DAY = "text", "texts", "address", "emails", "day"

PROPERTIES: dict[str, str] = {
    "categories": TEXTS,
    "birthday": DAY,
    "fileAs": TEXT,
    "displayName": TEXT,
    "givenName": TEXT,
    "initials": TEXT,
    "middleName": TEXT,
    "nickName": TEXT,
    "surname": TEXT,
    "title": TEXT,
    "yomiGivenName": TEXT,
    "yomiSurname": TEXT,
    "yomiCompanyName": TEXT,
    "generation": TEXT,
    "imAddresses": TEXTS,
    "jobTitle": TEXT,
    "companyName": TEXT,
    "department": TEXT,
    "officeLocation": TEXT,
    "profession": TEXT,
    "businessHomePage": TEXT,
    "assistantName": TEXT,
    "manager": TEXT,
    "homePhones": TEXTS,
    "mobilePhone": TEXT,
    "businessPhones": TEXTS,
    "spouseName": TEXT,
    "personalNotes": TEXT,
    "children": TEXTS,
    "emailAddresses": EMAILS,
    "homeAddress": ADDRESS,
    "businessAddress": ADDRESS,
    "otherAddress": ADDRESS,
}
ADDRESS_PARTS = ("street", "city", "state", "countryOrRegion", "postalCode")
NAME_PARTS = ("title", "givenName", "middleName", "surname", "generation")
READ_ONLY = {"id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId"}
HEAD = ("id", "createdDateTime", "lastModifiedDateTime", "changeKey", "parentFolderId")
E_MAIL_SLOTS = ("primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress")
EMPTY: dict[str, Any] = {
    name: {TEXTS: [], EMAILS: [], ADDRESS: {}}.get(kind, "" if name in {"fileAs", "personalNotes"} else None)
    for name, kind in PROPERTIES.items()
}
SELECTABLE = {name.lower(): name for name in (*HEAD, *PROPERTIES, *E_MAIL_SLOTS)}

FAX, SENSITIVITY, HOME_PAGE = "string 0x3a24", "integer 0x36", "string 0x3a50"
# MAPI properties that every item has, whether or not anybody wrote them.
ALWAYS_THERE = {SENSITIVITY: "0"}
_EXTENDED_ID = re.compile(
    r"(string|integer|boolean|systemtime|binary|double|float|long|short|guid|clsid|currency)\s+(.+)", re.I
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NAMED = re.compile(r"\{?([0-9a-f-]{36})\}?\s+(name|id)\s+(.+)", re.I)


@dataclass
class Edit:
    """What a body asks for: the properties to set, the extended properties (None clears), and a folder to move to."""

    values: dict[str, Any] = field(default_factory=dict)
    extended: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    parent: str = ""


def read_body(body: Any, switches: Switches) -> Edit:
    """The edit that a request's body asks for. Refusal (400) if Exchange would not take it."""
    if not isinstance(body, dict):
        raise unreadable_json()
    edit = Edit()
    for name, value in body.items():
        kind = PROPERTIES.get(name)
        if kind is not None:
            edit.values[name] = _READERS[kind](name, value, switches)
        elif name == "singleValueExtendedProperties":
            edit.extended = _extended(value)
        elif name == "parentFolderId":
            edit.parent = value or ""
        elif "@odata." in name or name in READ_ONLY or name == "multiValueExtendedProperties":
            continue
        elif switches.unknown_properties == "refuse":
            raise Refusal(
                400,
                "RequestBodyRead",
                f"The property '{name}' does not exist on type 'microsoft.graph.contact'. "
                "Make sure to only use property names that are defined by the type.",
            )
    return edit


def created(edit: Edit) -> dict[str, Any]:
    """The values of a new contact."""
    values = EMPTY | edit.values
    if not values["displayName"]:
        values["displayName"] = built_name(values)
    return values


def updated(values: Mapping[str, Any], edit: Edit, switches: Switches) -> dict[str, Any]:
    """The values after `edit`."""
    new = dict(values) | edit.values
    if switches.address_merge:
        for name in ("homeAddress", "businessAddress", "otherAddress"):
            if edit.values.get(name):
                new[name] = values[name] | edit.values[name]
    names_sent = any(name in edit.values for name in NAME_PARTS)
    rebuild = {"names": names_sent, "always": True, "never": False}[switches.rebuild_display_name]
    if "displayName" in edit.values:
        rebuild = not edit.values["displayName"]
    if rebuild:
        new["displayName"] = built_name(new) or new["displayName"]
    return new


def built_name(values: Mapping[str, Any]) -> str | None:
    """The display name as Exchange puts it together."""
    return " ".join(values[part] for part in NAME_PARTS if values[part]) or None


def sort_key(values: Mapping[str, Any]) -> str:
    return (values["displayName"] or values["companyName"] or "").casefold()


def addresses(values: Mapping[str, Any]) -> list[str]:
    return [entry["address"].lower() for entry in values["emailAddresses"] if entry.get("address")]


def shown(
    head: Mapping[str, Any], values: Mapping[str, Any], select: Iterable[str], switches: Switches
) -> dict[str, Any]:
    """The contact as Graph answers it: every property, or the etag, the id and those in `select`."""
    row = {"@odata.etag": f'W/"{head["changeKey"]}"', **head, **values}
    if not row["birthday"] and switches.empty_birthday != "null":
        row["birthday"] = switches.empty_birthday
    if not select:
        return row
    slots = row["emailAddresses"]
    row |= {name: slots[at] if at < len(slots) else None for at, name in enumerate(E_MAIL_SLOTS)}
    return {name: row[name] for name in ("@odata.etag", "id", *select)}


def extended_key(text: Any) -> str:
    """The one spelling of an extended property's id, for comparing: all of it ignores case, but a name."""
    parts = _EXTENDED_ID.fullmatch(str(text).strip())
    if not parts:
        raise Refusal(400, "ErrorInvalidProperty", f"The extended property id '{text}' is not valid.")
    kind, rest = parts[1].lower(), parts[2].strip()
    named = _NAMED.fullmatch(rest)
    if named:
        name = named[3] if named[2].lower() == "name" else named[3].lower()
        return f"{kind} {{{named[1].lower()}}} {named[2].lower()} {name}"
    try:
        return f"{kind} {int(rest, 16):#x}"
    except ValueError:
        raise Refusal(400, "ErrorInvalidProperty", f"The extended property id '{text}' is not valid.") from None


def extended_id(text: str, switches: Switches) -> str | None:
    """An extended property's id as an answer spells it."""
    if switches.extended_ids == "null":
        return None
    if switches.extended_ids == "upper_guid":
        return re.sub(r"\{[^}]*\}", lambda guid: guid[0].upper(), text)
    return text


# --- Reading values -------------------------------------------------------------------------------------------------


def _unreadable(name: str) -> Refusal:
    return Refusal(400, "UnableToDeserializePostBody", f"Unable to read the value of the property '{name}'.")


def _text(name: str, value: Any, switches: Switches) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _unreadable(name)
    if value and not value.isascii() and _LONE_SURROGATE.search(value):
        raise _unreadable(name)
    if value and switches.text_limit and name != "personalNotes" and len(value) > switches.text_limit:
        raise Refusal(400, "ErrorInvalidRequest", f"The value of the property '{name}' is too long.")
    return "" if value is None and EMPTY.get(name) == "" else value


def _texts(name: str, value: Any, switches: Switches) -> list[str]:
    value = value or []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise _unreadable(name)
    for entry in value:
        _text(name, entry, switches)
    most = {"businessPhones": 2, "homePhones": switches.home_phones, "imAddresses": switches.im_addresses}.get(name, 0)
    _limit(name, value, most, switches)
    # Exchange doesn't keep the order of categories; a client that trusts it is caught by the other way round.
    return list(reversed(value)) if name == "categories" else list(value)


def _address(name: str, value: Any, switches: Switches) -> dict[str, str]:
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise _unreadable(name)
    unknown = [part for part in value if part not in ADDRESS_PARTS and "@odata." not in part]
    if unknown and unknown != ["type"]:
        raise _unreadable(f"{name}/{unknown[0]}")
    return {part: text for part in ADDRESS_PARTS if (text := _text(f"{name}/{part}", value.get(part), switches))}


def _emails(name: str, value: Any, switches: Switches) -> list[dict[str, str]]:
    value = value or []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _unreadable(name)
    _limit("emailAddresses", value, 3, switches)
    entries = []
    for entry in value:
        address = _text(f"{name}/address", entry.get("address"), switches)
        label = _text(f"{name}/name", entry.get("name"), switches)
        # A malformed address can be stored so that it reads back as an entry without one.
        known = {"address": address} if address and "," not in address else {}
        if address or label:
            entries.append({"name": label or address or "", **known})
    return entries


def _day(name: str, value: Any, switches: Switches) -> str | None:
    if not value:
        return None
    try:
        day = date.fromisoformat(str(value)[:10])
    except ValueError:
        raise _unreadable(name) from None
    return f"{day.isoformat()}T11:59:00Z"


def _limit(name: str, value: list[Any], most: int, switches: Switches) -> None:
    if most and len(value) > most:
        label = name[0].upper() + name[1:]
        raise Refusal(
            400,
            switches.multi_value_code,
            f"The multi value property {label} has {len(value)} entries, that exceeds the max allowed value of {most}",
        )


def _extended(value: Any) -> dict[str, tuple[str, str | None]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _unreadable("singleValueExtendedProperties")
    found: dict[str, tuple[str, str | None]] = {}
    for entry in value:
        text = entry.get("value")
        if text is not None and not isinstance(text, str):
            raise _unreadable("singleValueExtendedProperties/value")
        key = extended_key(entry.get("id"))
        if key.startswith("integer") and text and not text.lstrip("-").isdigit():
            raise _unreadable("singleValueExtendedProperties/value")
        found[key] = (str(entry["id"]), text)
    return found


_READERS = {TEXT: _text, TEXTS: _texts, ADDRESS: _address, EMAILS: _emails, DAY: _day}
