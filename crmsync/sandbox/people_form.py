"""The form in which a person edits a contact: what stands in it, and what becomes of what is sent."""

from collections.abc import Mapping
from typing import Any

from crmsync.sandbox import contact
from crmsync.sandbox.mailbox import Item

NAMES = {
    "title": "Title",
    "givenName": "First name",
    "middleName": "Middle name",
    "surname": "Last name",
    "generation": "Suffix",
    "nickName": "Nickname",
    "initials": "Initials",
    "displayName": "Display name",
}
WORK = {
    "companyName": "Company",
    "jobTitle": "Job title",
    "department": "Department",
    "officeLocation": "Office",
    "manager": "Manager",
    "assistantName": "Assistant",
    "businessHomePage": "Web page",
}
OTHER = {"profession": "Profession", "spouseName": "Spouse"}
EMAILS = {f"email{at}": f"E-mail {at}" for at in (1, 2, 3)}
PHONES = {
    "business1": "Business phone",
    "business2": "Business phone 2",
    "mobilePhone": "Mobile phone",
    "home1": "Home phone",
    "home2": "Home phone 2",
    "fax": "Business fax",
}
ADDRESS = {
    "street": "Street",
    "postalCode": "Post code",
    "city": "City",
    "state": "State or county",
    "countryOrRegion": "Country or region",
}
ADDRESSES = {"businessAddress": "Business address", "homeAddress": "Home address"}
PRIVATE = "2"


def filled(item: Item, extended: Mapping[str, str]) -> dict[str, Any]:
    """What the form shows of a contact. `extended` is by key."""
    values = item.values
    form = {name: values[name] or "" for name in (*NAMES, *WORK, *OTHER, "mobilePhone", "personalNotes")}
    form |= _slots("email", [entry.get("address", "") for entry in values["emailAddresses"]], 3)
    form |= _slots("business", values["businessPhones"], 2) | _slots("home", values["homePhones"], 2)
    for name in ADDRESSES:
        form |= {f"{name}.{part}": values[name].get(part, "") for part in ADDRESS}
    form["birthday"] = (values["birthday"] or "")[:10]
    form["categories"] = ", ".join(values["categories"])
    form["fax"] = extended.get(contact.FAX, "")
    form["private"] = extended.get(contact.SENSITIVITY) == PRIVATE
    return form


def sent(form: Mapping[str, str], item: Item | None, extended: Mapping[str, str]) -> dict[str, Any]:
    """The edit, in Graph's properties, that makes the contact what the form says; only what differs from `item`.

    What the form has no place for stays as it is: e-mail names, IM addresses, and so on.
    """
    old = item.values if item else contact.EMPTY
    new: dict[str, Any] = {name: _text(form, name) or None for name in (*NAMES, *WORK, *OTHER, "mobilePhone")}
    new["personalNotes"] = form.get("personalNotes", "").replace("\r\n", "\n").strip()
    labels = {entry.get("address"): entry["name"] for entry in old["emailAddresses"]}
    emails = [_text(form, name) for name in EMAILS]
    new["emailAddresses"] = [{"address": text, "name": labels.get(text, text)} for text in emails if text]
    new["businessPhones"] = _list(form, "business1", "business2")
    new["homePhones"] = _list(form, "home1", "home2")
    for name in ADDRESSES:
        parts = {part: _text(form, f"{name}.{part}") for part in ADDRESS}
        new[name] = {part: parts[part] for part in contact.ADDRESS_PARTS if parts[part]}
    day = _text(form, "birthday")
    new["birthday"] = f"{day}T11:59:00Z" if day else None
    new["categories"] = list(dict.fromkeys(filter(None, map(str.strip, form.get("categories", "").split(",")))))
    changed = {name: value for name, value in new.items() if not _same(name, value, old[name])}
    if properties := _properties(form, extended):
        changed["singleValueExtendedProperties"] = properties
    return changed


def _properties(form: Mapping[str, str], extended: Mapping[str, str]) -> list[dict[str, Any]]:
    """Fax and the private flag are MAPI properties."""
    properties: list[dict[str, Any]] = []
    fax = _text(form, "fax")
    if fax != extended.get(contact.FAX, ""):
        properties.append({"id": "String 0x3A24", "value": fax or None})
    private = PRIVATE if form.get("private") else "0"
    if (private == PRIVATE) != (extended.get(contact.SENSITIVITY) == PRIVATE):
        properties.append({"id": "Integer 0x36", "value": private})
    return properties


def _same(name: str, new: Any, old: Any) -> bool:
    if name == "categories":
        return set(new) == set(old)
    return (new or None) == (old or None)


def _slots(name: str, values: list[str], count: int) -> dict[str, str]:
    return {f"{name}{at + 1}": values[at] if at < len(values) else "" for at in range(count)}


def _text(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").replace("\r\n", "\n").strip()


def _list(form: Mapping[str, str], *names: str) -> list[str]:
    return [text for name in names if (text := _text(form, name))]
