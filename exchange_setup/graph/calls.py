"""What can be asked of one item; the calls that a batch is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from exchange_setup.graph.answers import Subject
from exchange_setup.graph.properties import FAX, SELECT, SENSITIVITY, expand, has_marker


def segment(identifier: str) -> str:
    """An id or name as one segment of a path."""
    return quote(identifier, safe="")


def query(**options: str) -> str:
    """'?$select=…&$expand=…', with percent signs throughout (Graph takes no '+' for a space)."""
    return "?" + urlencode({f"${name}": value for name, value in options.items()}, quote_via=quote, safe="$,:/")


@dataclass(frozen=True)
class Create:
    """Answers the whole contact as Outlook stored it. The only call that must not be sent twice."""

    folder_id: str
    body: Mapping[str, Any]
    method: ClassVar[str] = "POST"
    subject: ClassVar[Subject] = Subject.NEW_ITEM

    @property
    def path(self) -> str:
        return f"/contactFolders/{segment(self.folder_id)}/contacts"


@dataclass(frozen=True)
class Update:
    """Answers the whole contact as Outlook stored it. Only the fields in `body` change.

    With `change_key`, Outlook may refuse with ChangedMeanwhile when the item is no longer the one that was read.
    """

    contact_id: str
    body: Mapping[str, Any]
    change_key: str = ""
    method: ClassVar[str] = "PATCH"
    subject: ClassVar[Subject] = Subject.ITEM

    @property
    def path(self) -> str:
        return f"/contacts/{segment(self.contact_id)}"


@dataclass(frozen=True)
class Delete:
    """Answers {}. The item goes to Deleted Items."""

    contact_id: str
    change_key: str = ""
    body: ClassVar[None] = None
    method: ClassVar[str] = "DELETE"
    subject: ClassVar[Subject] = Subject.ITEM

    @property
    def path(self) -> str:
        return f"/contacts/{segment(self.contact_id)}"


@dataclass(frozen=True)
class Get:
    """Answers the contact, wherever in the mailbox it is; with `expand`, fax and sensitivity too."""

    contact_id: str
    expand: bool = False
    body: ClassVar[None] = None
    method: ClassVar[str] = "GET"
    subject: ClassVar[Subject] = Subject.ITEM

    @property
    def path(self) -> str:
        options = {"select": SELECT}
        if self.expand:
            options["expand"] = expand(FAX, SENSITIVITY)
        return f"/contacts/{segment(self.contact_id)}{query(**options)}"


@dataclass(frozen=True)
class FindMarker:
    """Answers {'value': [the contacts of the folder that carry the marker]}, with fax and sensitivity."""

    folder_id: str
    marker: str
    body: ClassVar[None] = None
    method: ClassVar[str] = "GET"
    subject: ClassVar[Subject] = Subject.FOLDER

    @property
    def path(self) -> str:
        options = query(filter=has_marker(self.marker), select=SELECT, expand=expand(FAX, SENSITIVITY))
        return f"/contactFolders/{segment(self.folder_id)}/contacts{options}"


Call = Create | Update | Delete | Get | FindMarker
