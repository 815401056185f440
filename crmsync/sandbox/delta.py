"""Changes of a folder: rounds of pages, each with a link to the next, that end with a link to the next round.

A link holds everything about where the round is, signed, so that the only row of a chain is its highest generation.
A round reads up to the change that was the folder's latest when it began; what changes meanwhile comes next time.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import quote

from crmsync.sandbox import odata
from crmsync.sandbox.answers import Answer, Refusal, bad_request
from crmsync.sandbox.call import Call
from crmsync.sandbox.mailbox import CONTACT, CONTACTS, ITEM_COLUMNS, Folder, Item
from crmsync.sandbox.rows import entities

CHANGE_COLUMNS = (
    "change.item, change.seq, change.gone, change.entry AS was_entry, change.first, change.born, change.left,"
    " change.left_entry"
)
WHOLE, CHANGES, LAST = "whole", "changes", "last"
ELSEWHERE = "https://graph.example.net/v1.0"


@dataclass(frozen=True)
class Place:
    """Where in which chain a link stands.

    phase: WHOLE (items with numbers after `cursor`), CHANGES (changes after `cursor`) or LAST (an empty page).
    since, upto: the changes that the round covers.
    """

    chain: int
    generation: int
    folder: int
    phase: str
    cursor: int
    since: int
    upto: int
    select: tuple[str, ...]
    expand: str


def contact_delta(call: Call, folder_key: str) -> Answer:
    """A page of the changes of a folder."""
    folder = call.mailbox.folder_by_id(folder_key or CONTACTS)
    token = call.query.get("$skiptoken") or call.query.get("$deltatoken")
    place = _opened(call, folder, token, "$deltatoken" in call.query) if token else _begun(call, folder)
    size = min(call.preferences[1] or call.switches.delta_page, call.switches.page_size) or 1
    size = min([size, *(rule.rows for rule in call.rules if rule.do == "short_page")])
    if any(rule.do == "empty_page" for rule in call.rules):
        rows: list[dict[str, Any]] = []
        following, done = place, False
    else:
        rows, following, done = _page(call, folder, place, size)
    rows = _spoiled_rows(call, folder, place, rows)
    generation = _next_generation(call, place)
    link = _link(call, folder_key, replace(following, generation=generation), done)
    name = "@odata.deltaLink" if done else "@odata.nextLink"
    context = f"{call.root}/$metadata#Collection(contact)"
    return Answer(
        200, {"@odata.context": context, "value": rows, name: link}, {"Preference-Applied": "odata.track-changes"}
    )


# --- Pages ----------------------------------------------------------------------------------------------------------


def _page(call: Call, folder: Folder, place: Place, size: int) -> tuple[list[dict[str, Any]], Place, bool]:
    """Up to `size` items or changes, where the chain stands after them, and whether the round is done."""
    finished = replace(place, phase=CHANGES, cursor=place.upto)
    if place.phase == LAST:
        return [], finished, True
    page = _whole_page if place.phase == WHOLE else _changes_page
    rows, more, cursor = page(call, folder, place, size)
    if more:
        return rows, replace(place, cursor=cursor), False
    if call.switches.trailing_empty_page:
        return rows, replace(place, phase=LAST), False
    return rows, finished, True


def _whole_page(call: Call, folder: Folder, place: Place, size: int) -> tuple[list[dict[str, Any]], bool, int]:
    found = call.mailbox.store.db.execute(
        f"SELECT {ITEM_COLUMNS} FROM item JOIN change ON change.folder = item.folder AND change.item = item.number"
        " WHERE item.folder = ? AND item.number > ? AND item.kind = ? AND change.born <= ?"
        " ORDER BY item.number LIMIT ?",
        (folder.number, place.cursor, CONTACT, place.upto, size + 1),
    ).fetchall()
    items = [Item.of(row) for row in found[:size]]
    return _rows(call, place, items), len(found) > size, items[-1].number if items else 0


def _changes_page(call: Call, folder: Folder, place: Place, size: int) -> tuple[list[dict[str, Any]], bool, int]:
    found = call.mailbox.store.db.execute(
        f"SELECT {ITEM_COLUMNS}, {CHANGE_COLUMNS} FROM change"
        " LEFT JOIN item ON item.number = change.item AND change.gone = 0"
        " WHERE change.folder = ? AND change.seq > ? AND change.seq <= ? ORDER BY change.seq LIMIT ?",
        (folder.number, place.cursor, place.upto, size + 1),
    ).fetchall()
    rows: list[dict[str, Any]] = []
    for change in found[:size]:
        rows += _change_rows(call, folder, place, change)
    return rows, len(found) > size, found[:size][-1]["seq"] if found else place.upto


def _change_rows(call: Call, folder: Folder, place: Place, change: Any) -> list[dict[str, Any]]:
    """What one changed item reads as: a row, a removal, or (moved out and back, default ids) both."""
    since = place.since
    known = change["first"] <= since
    if change["gone"]:
        unseen = not known or (change["left"] <= since < change["born"])
        if unseen and not call.switches.bare_removed:
            return []
        return [_removal(call, folder, change["item"], change["was_entry"])]
    came_back = known and change["left"] > since
    removal = [_removal(call, folder, change["item"], change["left_entry"])]
    if came_back and call.immutable and call.switches.moved_back_hole:
        return removal
    row = _rows(call, place, [Item.of(change)])
    return removal + row if came_back and not call.immutable else row


def _removal(call: Call, folder: Folder, item: int, entry: int) -> dict[str, Any]:
    ids = call.mailbox.ids
    text = ids.immutable(item) if call.immutable else ids.item(folder.number, entry)
    return {"@odata.type": "#microsoft.graph.contact", "id": text, "@removed": {"reason": "deleted"}}


def _rows(call: Call, place: Place, items: list[Item]) -> list[dict[str, Any]]:
    keys = odata.expanded({"$expand": place.expand})
    found = entities(call, items, place.select, keys)
    return [{"@odata.type": "#microsoft.graph.contact", **row} for row in found]


def _spoiled_rows(call: Call, folder: Folder, place: Place, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows after the faults that repeat some."""
    for rule in call.rules:
        if rule.do == "duplicate":
            rows = rows + rows
        elif rule.do == "replay":
            again = call.mailbox.store.db.execute(
                f"SELECT {ITEM_COLUMNS} FROM item WHERE folder = ? AND kind = ? ORDER BY number LIMIT ?",
                (folder.number, CONTACT, rule.rows),
            )
            rows = rows + _rows(call, place, [Item.of(row) for row in again])
    return rows


# --- Chains and links -----------------------------------------------------------------------------------------------


def _begun(call: Call, folder: Folder) -> Place:
    """The first place of a new chain."""
    for name in ("$filter", "$orderby", "$search"):
        if name in call.query:
            raise bad_request(f"{name} is not supported with changes of contacts.")
    expand = call.query.get("$expand", "")
    if expand and not call.switches.delta_expand:
        raise Refusal(
            400, "ErrorInvalidUrlQuery", "The following parameters are not supported with change tracking: '$expand'."
        )
    odata.expanded(call.query)
    with call.mailbox.store.write() as db:
        chain = call.mailbox.store.next()
        db.execute("INSERT INTO chain VALUES (?, ?, ?)", (chain, folder.number, 0))
    upto = _latest(call, folder, 0)
    return Place(chain, 0, folder.number, WHOLE, 0, 0, upto, odata.selected(call.query), expand)


def _opened(call: Call, folder: Folder, token: str, new_round: bool) -> Place:
    """The place that a link holds. Refusal: 400 for what is no link of this folder, 410 for one that is too old."""
    place = _read(token, call.mailbox.store.secret)
    if place is None or place.folder != folder.number:
        raise bad_request("Badly formed token.")
    row = call.mailbox.store.db.execute("SELECT highest FROM chain WHERE number = ?", (place.chain,)).fetchone()
    highest = row["highest"] if row else 0
    if row is None or place.generation <= highest - call.switches.generations:
        kept = "".join(f"[{highest - back}]" for back in (0, 2, 1) if highest > back)
        message = f"The sync state generation is not found; generation={place.generation};[highest={highest}]{kept}."
        raise Refusal(410, "SyncStateNotFound", message)
    if new_round:
        upto = max(place.upto, _latest(call, folder, place.upto))
        return replace(place, phase=CHANGES, since=place.upto, cursor=place.upto, upto=upto)
    return place


def _latest(call: Call, folder: Folder, floor: int) -> int:
    """The latest change of the folder that is seen by now."""
    visible = call.mailbox.visible()
    where, values = (" AND at <= ? AND poll <= ?", list(visible)) if visible else ("", [])
    row = call.mailbox.store.db.execute(
        f"SELECT max(seq) FROM change WHERE folder = ?{where}", [folder.number, *values]
    ).fetchone()
    return row[0] or floor


def _next_generation(call: Call, place: Place) -> int:
    with call.mailbox.store.write() as db:
        row = db.execute(
            "UPDATE chain SET highest = highest + 1 WHERE number = ? RETURNING highest", (place.chain,)
        ).fetchone()
    return int(row["highest"])


def _link(call: Call, folder_key: str, place: Place, done: bool) -> str:
    path = f"/contactFolders('{quote(folder_key)}')/contacts/delta" if folder_key else "/contacts/delta"
    root = ELSEWHERE if any(rule.do == "foreign_link" for rule in call.rules) else call.root
    token = _written(place, call.mailbox.store.secret)
    return f"{root}{call.owner}{path}?{'$deltatoken' if done else '$skiptoken'}={token}"


def _written(place: Place, secret: str) -> str:
    raw = json.dumps(list(asdict(place).values()), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(raw, secret) + raw).decode().rstrip("=")


def _read(token: str, secret: str) -> Place | None:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if not hmac.compare_digest(raw[:8], _signature(raw[8:], secret)):
            return None
        chain, generation, folder, phase, cursor, since, upto, select, expand = json.loads(raw[8:])
    except ValueError:
        return None
    return Place(chain, generation, folder, phase, cursor, since, upto, tuple(select), expand)


def _signature(raw: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), raw, hashlib.sha256).digest()[:8]
