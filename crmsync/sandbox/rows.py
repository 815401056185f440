"""Contacts as a caller sees them."""

from typing import Any

from crmsync.sandbox import contact
from crmsync.sandbox.call import Call
from crmsync.sandbox.mailbox import Item


def entity(call: Call, item: Item, select: tuple[str, ...] = ()) -> dict[str, Any]:
    """One contact, with the id of the kind that the caller prefers."""
    ids = call.mailbox.ids
    head = {
        "id": call.mailbox.item_id(item, call.immutable),
        "createdDateTime": item.created,
        "lastModifiedDateTime": item.modified,
        "changeKey": ids.change_key(item.change),
        "parentFolderId": ids.folder(item.folder),
    }
    return contact.shown(head, item.values, select, call.switches)


def entities(call: Call, items: list[Item], select: tuple[str, ...], keys: list[str]) -> list[dict[str, Any]]:
    """Several contacts, with those extended properties of `keys` that each of them has."""
    found = [entity(call, item, select) for item in items]
    if keys and items:
        extended = call.mailbox.extended([item.number for item in items], keys)
        for item, row in zip(items, found, strict=True):
            if properties := _extended(call, keys, extended[item.number]):
                row["singleValueExtendedProperties"] = properties
    return found


def _extended(call: Call, keys: list[str], found: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    there = {key: (id_text, value) for key, id_text, value in found}
    for key, value in contact.ALWAYS_THERE.items():
        there.setdefault(key, (key.title().replace("0X", "0x"), value))
    return [
        {"id": contact.extended_id(there[key][0], call.switches), "value": there[key][1]}
        for key in keys
        if key in there
    ]
