"""What a person does in Outlook, as plain values: folders by name, contacts with everything that is known of them."""

from typing import Any

from crmsync.sandbox import contact
from crmsync.sandbox.mailbox import CONTACT, DELETED, ITEM_COLUMNS, Folder, Item, Mailbox
from crmsync.sandbox.switches import Switches

EDITING = Switches(unknown_properties="refuse")


class Outlook:
    """The mailbox in its owner's hands. Folders are named; contacts go by their immutable id."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def folders(self) -> list[dict[str, Any]]:
        """Every contact folder, and Deleted Items, with how many contacts each holds."""
        mailbox = self.mailbox
        counted = mailbox.store.db.execute(
            "SELECT folder, count(*) FROM item WHERE oid = ? GROUP BY folder", (mailbox.oid,)
        )
        counts = {row[0]: row[1] for row in counted}
        found = [*mailbox.folders(), mailbox.special(DELETED), *mailbox.folders(deleted=True)]
        return [self._folder_facts(folder, counts.get(folder.number, 0)) for folder in found]

    def folder(self, name: str) -> Folder:
        """The folder of this name or id; LookupError if there is none. A deleted one only by id."""
        mailbox = self.mailbox
        for folder in [*mailbox.folders(), mailbox.special(DELETED)]:
            if name.casefold() == folder.name.casefold() or name == mailbox.ids.folder(folder.number):
                return folder
        for folder in mailbox.folders(deleted=True):
            if name == mailbox.ids.folder(folder.number):
                return folder
        raise LookupError(f"There is no folder named {name}.")

    def create_folder(self, name: str) -> dict[str, Any]:
        return self._folder_facts(self.mailbox.create_folder(name), 0)

    def rename_folder(self, folder: str, name: str) -> dict[str, Any]:
        return self._folder_facts(self.mailbox.rename_folder(self.folder(folder), name), 0)

    def delete_folder(self, folder: str) -> None:
        self.mailbox.delete_folder(self.folder(folder))

    def contacts(self, folder: str) -> list[dict[str, Any]]:
        """Every contact of a folder, in the order in which they came into being."""
        rows = self.mailbox.store.db.execute(
            f"SELECT {ITEM_COLUMNS} FROM item WHERE folder = ? AND kind = ? ORDER BY number",
            (self.folder(folder).number, CONTACT),
        )
        items = [Item.of(row) for row in rows]
        facts: list[dict[str, Any]] = []
        for at in range(0, len(items), 500):
            chunk = items[at : at + 500]
            extended = self.mailbox.extended([item.number for item in chunk])
            facts += [self._facts(item, extended[item.number]) for item in chunk]
        return facts

    def contact(self, item: str) -> dict[str, Any]:
        found = self.mailbox.item_by_id(item)
        return self._facts(found, self.mailbox.extended([found.number])[found.number])

    def add(self, folder: str, contacts: list[dict[str, Any]], kind: str = CONTACT) -> list[dict[str, Any]]:
        """New contacts from Graph's own properties."""
        target = self.folder(folder)
        with self.mailbox.store.write():
            items = [self.mailbox.add(target, contact.read_body(values, EDITING), kind) for values in contacts]
        return (
            [self._facts(item, []) for item in items]
            if len(items) > 1
            else [self.contact(self._id(item)) for item in items]
        )

    def edit(self, item: str, values: dict[str, Any]) -> dict[str, Any]:
        with self.mailbox.store.write():
            self.mailbox.update(self.mailbox.item_by_id(item), contact.read_body(values, EDITING))
        return self.contact(item)

    def remove(self, item: str) -> None:
        self.mailbox.remove(self.mailbox.item_by_id(item))

    def do(self, verb: str, item: str, folder: str = "") -> dict[str, Any]:
        """restore, move, copy, purge or touch a contact; what it (or its copy) is afterwards."""
        mailbox, found = self.mailbox, self.mailbox.item_by_id(item)
        if verb == "purge":
            mailbox.purge(found)
            return {}
        if verb == "restore":
            found = mailbox.restore(found)
        elif verb == "touch":
            found = mailbox.touch(found)
        else:
            found = (mailbox.move if verb == "move" else mailbox.copy)(found, self.folder(folder))
        return self.contact(self._id(found))

    def empty(self, folder: str) -> int:
        return self.mailbox.empty(self.folder(folder))

    def expire_links(self) -> None:
        """Make every link to changes of this mailbox a dead one."""
        with self.mailbox.store.write() as db:
            db.execute(
                "DELETE FROM chain WHERE folder IN (SELECT number FROM folder WHERE oid = ?)", (self.mailbox.oid,)
            )

    def _id(self, item: Item) -> str:
        return self.mailbox.ids.immutable(item.number)

    def _folder_facts(self, folder: Folder, count: int) -> dict[str, Any]:
        ids = self.mailbox.ids
        return {
            "id": ids.folder(folder.number),
            "name": folder.name,
            "kind": folder.kind,
            "deleted": folder.deleted,
            "parent": ids.folder(folder.parent) if folder.parent else "",
            "count": count,
        }

    def _facts(self, item: Item, extended: list[tuple[str, str, str]]) -> dict[str, Any]:
        ids = self.mailbox.ids
        head = {
            "id": self._id(item),
            "defaultId": ids.item(item.folder, item.entry),
            "createdDateTime": item.created,
            "lastModifiedDateTime": item.modified,
            "changeKey": ids.change_key(item.change),
            "parentFolderId": ids.folder(item.folder),
        }
        return {**head, **item.values, "extended": {id_text: value for _, id_text, value in extended}}
