"""Identifiers of the shapes that Exchange uses, made from numbers and read back without a look-up.

A default id holds the folder's and the item's entry number, so it changes when an item moves; an immutable id holds
the item's own number. Both are case-sensitive, and hold the mailbox's GUID, so that no mailbox knows another's ids.
"""

import base64
import binascii
import uuid
from dataclasses import dataclass

ITEM, FOLDER, IMMUTABLE = "item", "folder", "immutable"

_DEFAULT_START = bytes.fromhex("00032400")
_ITEM_MARK, _FOLDER_MARK = bytes.fromhex("004600"), bytes.fromhex("002e00")
_IMMUTABLE_START = bytes.fromhex("0009002e00000000001d840311aa6611cd9bc800aa002f845a0d00")
_STORE_FLAGS = bytes(4)


@dataclass(frozen=True)
class Reference:
    """What an id says: its kind, and the numbers in it. `number` is an entry, a folder or an item by kind."""

    kind: str
    number: int
    folder: int = 0


class Ids:
    """The ids of one mailbox."""

    def __init__(self, mailbox: str) -> None:
        self.guid = uuid.UUID(mailbox)
        text, raw = str(self.guid).encode(), self.guid.bytes
        self._item = _DEFAULT_START + text + _ITEM_MARK + _STORE_FLAGS + raw + b"\x07\x00" + raw
        self._folder = _DEFAULT_START + text + _FOLDER_MARK + _STORE_FLAGS + raw + b"\x01\x00" + raw
        self._immutable = _IMMUTABLE_START + raw
        self._change = bytes.fromhex("1100000016000000") + raw

    def item(self, folder: int, entry: int) -> str:
        """The default id: 152 characters, another one in every folder."""
        raw = self._item + _six(folder) + b"\0\0" + self.guid.bytes + _six(entry) + b"\0\0"
        return base64.urlsafe_b64encode(raw).decode()

    def folder(self, number: int) -> str:
        """A folder's id, 120 characters; a folder has no other kind."""
        return base64.urlsafe_b64encode(self._folder + _six(number) + b"\0\0").decode()

    def immutable(self, item: int) -> str:
        """The id that stays: 68 characters."""
        return base64.urlsafe_b64encode(self._immutable + _six(item) + b"\0\0").decode()

    def change_key(self, change: int) -> str:
        return base64.b64encode(self._change + _six(change)).decode()

    def read(self, text: str) -> Reference | None:
        """What `text` refers to in this mailbox; None when it is not of this mailbox. ValueError if it is no id."""
        try:
            raw = base64.urlsafe_b64decode(text.encode("ascii"))
        except (binascii.Error, UnicodeEncodeError) as error:
            raise ValueError(text) from error
        if len(raw) == 51 and raw.startswith(_IMMUTABLE_START):
            return Reference(IMMUTABLE, _number(raw[-8:-2])) if raw.startswith(self._immutable) else None
        if len(raw) == 113 and raw[40:43] == _ITEM_MARK:
            known = raw.startswith(self._item) and raw[-24:-8] == self.guid.bytes
            return Reference(ITEM, _number(raw[-8:-2]), _number(raw[-32:-26])) if known else None
        if len(raw) == 89 and raw[40:43] == _FOLDER_MARK:
            return Reference(FOLDER, _number(raw[-8:-2])) if raw.startswith(self._folder) else None
        raise ValueError(text)


def _six(number: int) -> bytes:
    return number.to_bytes(6, "big")


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
