"""One person's mailbox: its folders and items, and the verbs that a person or a client has on them.

Every verb that changes an item also writes the row of `change` from which the folder's delta is read.
"""

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from crmsync.sandbox import contact
from crmsync.sandbox.answers import Refusal, item_not_found, malformed_id
from crmsync.sandbox.contact import Edit
from crmsync.sandbox.ids import FOLDER, IMMUTABLE, Ids
from crmsync.sandbox.store import News, Store

CONTACTS, DELETED, USER = "contacts", "deleted", "user"
CONTACT, CONTACT_LIST = "contact", "list"

ITEM_COLUMNS = ", ".join(
    f"item.{name}"
    for name in ("number", "folder", "entry", "kind", "change", "created", "modified", "body", "came_from")
)


# The change row of an item that comes back to a folder remembers when, and with which entry, it left.
BACK_AGAIN = (
    "ON CONFLICT (folder, item) DO UPDATE SET left = seq, left_entry = entry, gone = 0, seq = excluded.seq,"
    " entry = excluded.entry, born = excluded.born, at = excluded.at, poll = excluded.poll,"
    " born_at = excluded.born_at, born_poll = excluded.born_poll"
)


@dataclass(slots=True)
class Folder:
    number: int
    parent: int | None
    name: str
    kind: str
    deleted: bool
    change: int


@dataclass(slots=True)
class Item:
    """`number` never changes; `entry` does with every move; `change` with every change."""

    number: int
    folder: int
    entry: int
    kind: str
    change: int
    created: str
    modified: str
    values: dict[str, Any]
    came_from: int | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Item":
        number, folder, entry, kind, change, created, modified, body, came_from = tuple(row)[:9]
        return cls(number, folder, entry, kind, change, created, modified, json.loads(body), came_from)


class Mailbox:
    """The mailbox of the person in `person`, a row of the store."""

    def __init__(self, store: Store, person: sqlite3.Row) -> None:
        self.store = store
        self.oid: str = person["oid"]
        self.email: str = person["email"]
        self.ids = Ids(person["mailbox"])

    # --- Folders ----------------------------------------------------------------------------------------------------

    def folders(self, parent: int | None = None, *, deleted: bool = False) -> list[Folder]:
        """The contact folders: every one, or those directly under `parent`. Deleted ones only when asked for."""
        where, values = ("AND parent = ?", [parent]) if parent else ("", [])
        rows = self.store.db.execute(
            "SELECT number, parent, name, kind, deleted, change FROM folder"
            f" WHERE oid = ? AND kind != 'deleted' AND deleted = ? {where} ORDER BY parent, name",
            [self.oid, deleted, *values],
        )
        return [Folder(*row) for row in rows]

    def special(self, kind: str) -> Folder:
        """The folder that every mailbox has of this kind: CONTACTS or DELETED."""
        row = self.store.db.execute(
            "SELECT number, parent, name, kind, deleted, change FROM folder WHERE oid = ? AND kind = ?",
            (self.oid, kind),
        ).fetchone()
        return Folder(*row)

    def folder(self, number: int) -> Folder:
        """The folder of this number, deleted or not. Refusal (404) if there is none."""
        row = self.store.db.execute(
            "SELECT number, parent, name, kind, deleted, change FROM folder WHERE number = ? AND oid = ?",
            (number, self.oid),
        ).fetchone()
        if row is None:
            raise item_not_found()
        return Folder(*row)

    def folder_by_id(self, text: str) -> Folder:
        """The contact folder that an id, or the well-known name "contacts", stands for."""
        if text.lower() == CONTACTS:
            return self.special(CONTACTS)
        try:
            reference = self.ids.read(text)
        except ValueError:
            raise malformed_id() from None
        if reference is None or reference.kind != FOLDER:
            raise item_not_found()
        folder = self.folder(reference.number)
        if folder.deleted or folder.kind == DELETED:
            raise item_not_found()
        return folder

    def child_count(self, folder: Folder) -> int:
        return len(self.folders(folder.number))

    def create_folder(self, name: Any, parent: Folder | None = None) -> Folder:
        """A new folder under `parent` (the main Contacts folder). Refusal (409) if that name is taken there."""
        above = parent or self.special(CONTACTS)
        self._check_name(name, above.number)
        with self.store.write() as db:
            cursor = db.execute(
                "INSERT INTO folder (number, oid, parent, name, kind, change) VALUES (?, ?, ?, ?, ?, ?)",
                (number := self.store.next(), self.oid, above.number, name.strip(), USER, number),
            )
        return self.folder(int(cursor.lastrowid or 0))

    def rename_folder(self, folder: Folder, name: Any) -> Folder:
        if not isinstance(name, str) or name.strip().casefold() != folder.name.casefold():
            self._check_name(name, folder.parent)
        with self.store.write() as db:
            db.execute(
                "UPDATE folder SET name = ?, change = ? WHERE number = ?",
                (name.strip(), self.store.next(), folder.number),
            )
        return self.folder(folder.number)

    def delete_folder(self, folder: Folder) -> None:
        """Put the folder, with what is in it, into Deleted Items."""
        if folder.kind != USER:
            raise Refusal(403, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
        self._set_deleted(folder, True)

    def restore_folder(self, folder: Folder) -> None:
        """Bring a deleted folder back, under another name if its own was taken meanwhile."""
        taken = {other.name.casefold() for other in self.folders(folder.parent)}
        name = folder.name
        while name.casefold() in taken:
            name += " (restored)"
        with self.store.write() as db:
            db.execute("UPDATE folder SET name = ? WHERE number = ?", (name, folder.number))
            self._set_deleted(folder, False)

    def _set_deleted(self, folder: Folder, deleted: bool) -> None:
        with self.store.write() as db:
            for child in self.folders(folder.number, deleted=not deleted):
                self._set_deleted(child, deleted)
            db.execute(
                "UPDATE folder SET deleted = ?, change = ? WHERE number = ?",
                (deleted, self.store.next(), folder.number),
            )

    def _check_name(self, name: Any, parent: int | None) -> None:
        if not isinstance(name, str) or not name.strip():
            raise Refusal(400, "ErrorInvalidRequest", "The folder needs a displayName.")
        if any(other.name.casefold() == name.strip().casefold() for other in self.folders(parent)):
            raise Refusal(409, "ErrorFolderExists", "A folder with the specified name already exists.")

    # --- Items ------------------------------------------------------------------------------------------------------

    def item(self, number: int) -> Item:
        """The item of this number, wherever it is. Refusal (404) if there is none."""
        return self._one("item.number = ?", number)

    def item_by_id(self, text: str) -> Item:
        """The item that a default or immutable id stands for. Refusal: 400 malformed, 404 not (or no longer) there."""
        try:
            reference = self.ids.read(text)
        except ValueError:
            raise malformed_id() from None
        if reference is None or reference.kind == FOLDER:
            raise item_not_found()
        if reference.kind == IMMUTABLE:
            return self._one("item.number = ?", reference.number)
        item = self._one("item.entry = ?", reference.number)
        if item.folder != reference.folder:
            raise item_not_found()
        return item

    def item_id(self, item: Item, immutable: bool) -> str:
        return self.ids.immutable(item.number) if immutable else self.ids.item(item.folder, item.entry)

    def extended(self, numbers: list[int], keys: list[str] | None = None) -> dict[int, list[tuple[str, str, str]]]:
        """Extended properties by item, each (key, id as it was written, value): all of them, or those of `keys`."""
        found: dict[int, list[tuple[str, str, str]]] = {number: [] for number in numbers}
        marks = ",".join("?" * len(numbers))
        which = f" AND key IN ({','.join('?' * len(keys))})" if keys is not None else ""
        rows = self.store.db.execute(
            f"SELECT item, key, id, value FROM extended WHERE item IN ({marks}){which}", [*numbers, *(keys or [])]
        )
        for number, key, id_text, value in rows:
            found[number].append((key, id_text, value))
        return found

    def add(self, folder: Folder, edit: Edit, kind: str = CONTACT) -> Item:
        """A new item in `folder`."""
        values, stamp = contact.created(edit), now()
        with self.store.write() as db:
            number = self.store.next()
            item = Item(number, folder.number, number, kind, number, stamp, stamp, values, None)
            db.execute(
                "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    number,
                    self.oid,
                    folder.number,
                    number,
                    kind,
                    number,
                    stamp,
                    stamp,
                    contact.sort_key(values),
                    dumped(values),
                ),
            )
            self._index(db, item, edit, new=True)
            self._entered(db, item)
        return item

    def update(self, item: Item, edit: Edit) -> Item:
        """The item after `edit`."""
        item.values = contact.updated(item.values, edit, self.store.switches)
        with self.store.write() as db:
            item.change, item.modified = self.store.next(), now()
            db.execute(
                "UPDATE item SET change = ?, modified = ?, sort_key = ?, body = ? WHERE number = ?",
                (item.change, item.modified, contact.sort_key(item.values), dumped(item.values), item.number),
            )
            self._index(db, item, edit)
            self._changed(db, item)
        return item

    def touch(self, item: Item) -> Item:
        """Write the item again without a change to its values, as the server does now and then."""
        return self.update(item, Edit())

    def move(self, item: Item, folder: Folder) -> Item:
        """Put the item into `folder`, with a new default id. Within one folder nothing happens."""
        if item.folder == folder.number:
            return item
        with self.store.write() as db:
            self._left(db, item)
            number = self.store.next()
            item.came_from = item.folder if folder.kind == DELETED else None
            item.folder, item.entry, item.change, item.modified = folder.number, number, number, now()
            db.execute(
                "UPDATE item SET folder = ?, entry = ?, change = ?, modified = ?, came_from = ? WHERE number = ?",
                (item.folder, item.entry, item.change, item.modified, item.came_from, item.number),
            )
            self._entered(db, item)
        return item

    def copy(self, item: Item, folder: Folder) -> Item:
        """A new item like this one, extended properties and all, as Outlook copies it."""
        kept = {key: (id_text, value) for key, id_text, value in self.extended([item.number])[item.number]}
        return self.add(folder, Edit(dict(item.values), dict(kept)), item.kind)

    def remove(self, item: Item) -> None:
        """Soft delete: into Deleted Items; from there for good."""
        deleted = self.special(DELETED)
        if item.folder == deleted.number:
            self.purge(item)
        else:
            self.move(item, deleted)

    def restore(self, item: Item) -> Item:
        """Back from Deleted Items to where it came from, or to Contacts if that is gone."""
        target = self.special(CONTACTS)
        if item.came_from is not None and not (before := self.folder(item.came_from)).deleted:
            target = before
        return self.move(item, target)

    def purge(self, item: Item) -> None:
        """Gone for good."""
        with self.store.write() as db:
            self._left(db, item)
            db.execute("DELETE FROM item WHERE number = ?", (item.number,))
            for table in ("email", "extended", "photo"):
                db.execute(f"DELETE FROM {table} WHERE item = ?", (item.number,))

    def empty(self, folder: Folder) -> int:
        """Remove every item of `folder`; how many there were."""
        with self.store.write() as db:
            rows = db.execute(f"SELECT {ITEM_COLUMNS} FROM item WHERE folder = ?", (folder.number,)).fetchall()
            for row in rows:
                self.remove(Item.of(row))
        return len(rows)

    def _one(self, where: str, value: int) -> Item:
        row = self.store.db.execute(
            f"SELECT {ITEM_COLUMNS} FROM item WHERE {where} AND oid = ?", (value, self.oid)
        ).fetchone()
        if row is None:
            raise item_not_found()
        return Item.of(row)

    def _index(self, db: sqlite3.Connection, item: Item, edit: Edit, *, new: bool = False) -> None:
        """Write what is searched by: e-mails and extended properties."""
        if new or "emailAddresses" in edit.values:
            if not new:
                db.execute("DELETE FROM email WHERE item = ?", (item.number,))
            for address in contact.addresses(item.values):
                db.execute("INSERT INTO email VALUES (?, ?, ?)", (item.number, self.oid, address))
        for key, (id_text, value) in edit.extended.items():
            if value is None:
                db.execute("DELETE FROM extended WHERE item = ? AND key = ?", (item.number, key))
            else:
                db.execute("INSERT OR REPLACE INTO extended VALUES (?, ?, ?, ?)", (item.number, key, id_text, value))

    # --- The change rows --------------------------------------------------------------------------------------------

    def _entered(self, db: sqlite3.Connection, item: Item) -> None:
        if item.kind != CONTACT:
            return
        self._tell(item, "created")
        seq, at, poll = item.change, time.time(), self.polls()
        db.execute(
            f"INSERT INTO change VALUES (?, ?, ?, 0, ?, ?, ?, 0, 0, ?, ?, ?, ?) {BACK_AGAIN}",
            (item.folder, item.number, seq, item.entry, seq, seq, at, poll, at, poll),
        )

    def _changed(self, db: sqlite3.Connection, item: Item) -> None:
        self._tell(item, "updated")
        db.execute(
            "UPDATE change SET seq = ?, at = ?, poll = ? WHERE folder = ? AND item = ?",
            (item.change, time.time(), self.polls(), item.folder, item.number),
        )

    def _left(self, db: sqlite3.Connection, item: Item) -> None:
        self._tell(item, "deleted")
        db.execute(
            "UPDATE change SET gone = 1, seq = ?, at = ?, poll = ? WHERE folder = ? AND item = ?",
            (self.store.next(), time.time(), self.polls(), item.folder, item.number),
        )

    def _tell(self, item: Item, kind: str) -> None:
        """Let subscriptions hear of it."""
        if item.kind == CONTACT:
            self.store.tell(News(self.oid, item.folder, item.number, item.entry, item.change, kind))

    def polls(self) -> int:
        """How many times changes or filters were asked for while that counted (the switch visibility_polls)."""
        if not self.store.switches.visibility_polls:
            return 0
        return int(self.store.db.execute("SELECT polls FROM person WHERE oid = ?", (self.oid,)).fetchone()[0])

    def visible(self) -> tuple[float, int] | None:
        """Asking for changes or by a filter: up to which time and poll writes are seen. None when all are."""
        switches = self.store.switches
        if not (switches.visibility_lag or switches.visibility_polls):
            return None
        if not switches.visibility_polls:
            return time.time() - switches.visibility_lag, 0
        with self.store.write() as db:
            db.execute("UPDATE person SET polls = polls + 1 WHERE oid = ?", (self.oid,))
        return time.time() - switches.visibility_lag, self.polls() - switches.visibility_polls - 1


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def dumped(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
