"""Calls on contacts. Each gets the folder that the path names ("" for none) and, where it has one, the contact's id."""

from typing import Any

from crmsync.sandbox import contact, odata
from crmsync.sandbox.answers import Answer, Refusal, bad_request, item_not_found
from crmsync.sandbox.call import Call
from crmsync.sandbox.mailbox import CONTACT, CONTACTS, DELETED, ITEM_COLUMNS, Folder, Item
from crmsync.sandbox.rows import entities, entity

PHOTO_LIMIT = 4_000_000


def listing(call: Call, folder_key: str) -> Answer:
    """A page of a folder's contacts, or of what $filter finds."""
    if "$search" in call.query:
        raise bad_request("$search is not supported on contacts.")
    wanted = odata.contact_filter(call.query)
    top = min(odata.number(call.query, "$top", call.preferences[1] or call.switches.list_page), call.switches.list_cap)
    skip = odata.number(call.query, "$skip", 0)
    source, values = _source(call, folder_key, wanted)
    backwards = odata.descending(call.query)
    order = "item.number" if backwards is None else f"item.sort_key {'DESC' if backwards else 'ASC'}, item.number"
    found = call.mailbox.store.db.execute(
        f"SELECT DISTINCT {ITEM_COLUMNS} {source} AND item.kind = ? ORDER BY {order} LIMIT ? OFFSET ?",
        [*values, CONTACT, top + 1, skip],
    ).fetchall()
    path = f"/contactFolders('{folder_key}')/contacts" if folder_key else "/contacts"
    body: dict[str, Any] = {"@odata.context": call.context + path}
    if call.query.get("$count", "").lower() == "true":
        body["@odata.count"] = _counted(call, source, values)
    items = [Item.of(row) for row in found[:top]]
    body["value"] = entities(call, items, odata.selected(call.query), odata.expanded(call.query))
    if len(found) > top:
        body["@odata.nextLink"] = f"{call.root}{call.owner}{path}?{odata.next_query(call.query, top, skip + top)}"
    return Answer(200, body)


def count(call: Call, folder_key: str) -> Answer:
    source, values = _source(call, folder_key, odata.contact_filter(call.query))
    return Answer(200, str(_counted(call, source, values)).encode(), {"Content-Type": "text/plain"})


def get(call: Call, folder_key: str, key: str) -> Answer:
    item = _item(call, folder_key, key)
    rows = entities(call, [item], odata.selected(call.query), odata.expanded(call.query))
    return _one(call, 200, rows[0])


def create(call: Call, folder_key: str) -> Answer:
    edit = contact.read_body(call.body, call.switches)
    folder = call.mailbox.folder_by_id(folder_key or CONTACTS)
    item = call.mailbox.add(folder, edit)
    row = entity(call, item)
    if call.switches.second_write:
        call.mailbox.touch(item)
    location = f"{call.root}{call.owner}/contacts('{row['id']}')"
    return _one(call, 201, row, {"Location": location, "ETag": row["@odata.etag"]})


def update(call: Call, folder_key: str, key: str) -> Answer:
    item = _item(call, folder_key, key)
    _check_match(call, item)
    edit = contact.read_body(call.body, call.switches)
    if edit.parent and edit.parent != call.mailbox.ids.folder(item.folder):
        if call.switches.patch_parent == "refuse":
            raise Refusal(400, "ErrorInvalidPropertySet", "Set action is invalid for property ParentFolderId.")
        if call.switches.patch_parent == "move":
            item = call.mailbox.move(item, call.mailbox.folder_by_id(edit.parent))
    item = call.mailbox.update(item, edit)
    row = entity(call, item)
    if call.preferences[2]:
        return Answer(204, None, {"Preference-Applied": "return=minimal"})
    return _one(call, 200, row, {"ETag": row["@odata.etag"]})


def delete(call: Call, folder_key: str, key: str) -> Answer:
    item = _item(call, folder_key, key)
    _check_match(call, item)
    call.mailbox.remove(item)
    return Answer(204)


def delete_for_good(call: Call, folder_key: str, key: str) -> Answer:
    call.mailbox.purge(_item(call, folder_key, key))
    return Answer(204)


# --- Photos ---------------------------------------------------------------------------------------------------------


def photo(call: Call, folder_key: str, key: str) -> Answer:
    return Answer(200, _photo(call, folder_key, key), {"Content-Type": "image/jpeg"})


def photo_facts(call: Call, folder_key: str, key: str) -> Answer:
    _photo(call, folder_key, key)
    facts = {"@odata.mediaContentType": "image/jpeg", "id": "1X1", "height": 1, "width": 1}
    return Answer(200, {"@odata.context": f"{call.context}/contacts('{key}')/photo/$entity", **facts})


def set_photo(call: Call, folder_key: str, key: str) -> Answer:
    item = _item(call, folder_key, key)
    if not isinstance(call.body, bytes) or not call.body:
        raise Refusal(415, "UnsupportedMediaType", "The photo must be sent as an image.")
    if len(call.body) > PHOTO_LIMIT:
        raise Refusal(413, "RequestEntityTooLarge", "The photo is too large.")
    with call.mailbox.store.write() as db:
        db.execute("INSERT OR REPLACE INTO photo VALUES (?, ?)", (item.number, call.body))
    return Answer(200)


def delete_photo(call: Call, folder_key: str, key: str) -> Answer:
    item = _item(call, folder_key, key)
    _photo(call, folder_key, key)
    with call.mailbox.store.write() as db:
        db.execute("DELETE FROM photo WHERE item = ?", (item.number,))
    return Answer(204)


def _photo(call: Call, folder_key: str, key: str) -> bytes:
    item = _item(call, folder_key, key)
    row = call.mailbox.store.db.execute("SELECT content FROM photo WHERE item = ?", (item.number,)).fetchone()
    if row is None:
        raise item_not_found()
    return bytes(row["content"])


# --- Finding --------------------------------------------------------------------------------------------------------


def _item(call: Call, folder_key: str, key: str) -> Item:
    """The contact of this id: anywhere in the mailbox, unless a switch keeps it to the folder of the path."""
    item = call.mailbox.item_by_id(key)
    if item.kind != CONTACT:
        raise item_not_found()
    if folder_key and call.mailbox.folder_by_id(folder_key).number != item.folder and call.switches.folder_enforced:
        raise item_not_found()
    if not call.switches.deleted_visible and _lies_deleted(call.mailbox.folder(item.folder)):
        raise item_not_found()
    return item


def _lies_deleted(folder: Folder) -> bool:
    return folder.deleted or folder.kind == DELETED


def _source(call: Call, folder_key: str, wanted: odata.EmailIs | odata.ExtendedIs | None) -> tuple[str, list[Any]]:
    """FROM … WHERE … of what a list is about. A search by extended property without a folder sees the whole mailbox."""
    tables, where = "item", ["item.oid = ?"]
    values: list[Any] = [call.mailbox.oid]
    if folder_key or not isinstance(wanted, odata.ExtendedIs):
        where.append("item.folder = ?")
        values.append(call.mailbox.folder_by_id(folder_key or CONTACTS).number)
    if isinstance(wanted, odata.EmailIs):
        # CROSS JOIN: SQLite starts from the table on the left, so from the few rows that the index finds.
        tables = "email CROSS JOIN item ON item.number = email.item"
        where.append("email.oid = ? AND email.address = ?")
        values += [call.mailbox.oid, wanted.address]
    elif isinstance(wanted, odata.ExtendedIs):
        tables = "extended CROSS JOIN item ON item.number = extended.item"
        where.append("extended.key = ? AND extended.value = ?")
        values += [wanted.key, wanted.value]
    if wanted and (visible := call.mailbox.visible()):
        tables += " JOIN change ON change.folder = item.folder AND change.item = item.number"
        where.append("change.born_at <= ? AND change.born_poll <= ?")
        values += visible
    return f"FROM {tables} WHERE {' AND '.join(where)}", values


def _counted(call: Call, source: str, values: list[Any]) -> int:
    """$count counts contact lists too, which no list shows."""
    row = call.mailbox.store.db.execute(f"SELECT count(DISTINCT item.number) {source}", values).fetchone()
    return int(row[0])


def _check_match(call: Call, item: Item) -> None:
    wanted = call.headers.get("if-match", "").strip()
    if not call.switches.if_match or wanted in {"", "*"}:
        return
    if wanted.removeprefix("W/").strip('"') != call.mailbox.ids.change_key(item.change):
        raise Refusal(
            412,
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does not"
            " match the current change key for the item.",
        )


def _one(call: Call, status: int, row: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"@odata.context": f"{call.context}/contacts/$entity", **row}, headers or {})
