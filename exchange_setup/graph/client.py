"""Outlook contacts over Microsoft Graph v1.0: the handful of requests that a sync needs, each plain values in and out.

Every request and link carries immutable ids; links to any other host are refused; redirects are not followed.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from exchange_setup.graph.answers import Subject
from exchange_setup.graph.batch import LARGEST, Result, begin_calls, has_id, send_calls
from exchange_setup.graph.calls import Call, Get, query, segment
from exchange_setup.graph.errors import BadAnswer, ItemError, NotFound, Refused
from exchange_setup.graph.properties import FAX, SELECT, SENSITIVITY, expand
from exchange_setup.graph.transport import IMMUTABLE_IDS, Request, TokenSource, Transport

PAGE = 200  # contact delta gives no more at a time
LIST_PAGE = 1000
WHOLE_PAGE = 500  # whole items, notes and all
SENSITIVITIES = {"0", "1", "2", "3"}


@dataclass(frozen=True)
class Account:
    """Who the token belongs to: mail address ('' where there is none), sign-in name, display name."""

    address: str
    principal_name: str
    name: str


@dataclass(frozen=True)
class Folder:
    id: str
    name: str
    is_main: bool = False


@dataclass(frozen=True)
class DeltaPage:
    """One page of changes. `rows` has them in Graph's order as (id, contact), None for a removed one.

    Exactly one of the links is set: `next_link` while there are more pages, `delta_link` (the bookmark) on the last.
    """

    rows: list[tuple[str, dict[str, Any] | None]]
    next_link: str = ""
    delta_link: str = ""
    items: list[dict[str, Any]] = field(init=False)
    removed: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", [item for _, item in self.rows if item is not None])
        object.__setattr__(self, "removed", [identifier for identifier, item in self.rows if item is None])


class GraphClient:
    """One mailbox: the signed-in user's own with `mailbox` '', else the named one. A context manager.

    `token(force, claims)` gives access tokens. `wait(seconds)` is called for every pause, at most five seconds at a
    time; whatever it raises ends the request. `requests` counts the HTTP requests so far (a batch is one).
    """

    def __init__(
        self,
        base_url: str,
        mailbox: str,
        token: TokenSource,
        *,
        wait: Callable[[float], object] = time.sleep,
        timeout: tuple[float, float] = (5, 60),
    ) -> None:
        self._transport = Transport(base_url, token, wait=wait, timeout=timeout)
        self._mailbox_path = f"/users/{segment(mailbox)}" if mailbox else "/me"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @property
    def requests(self) -> int:
        return self._transport.requests

    def me(self) -> Account:
        """The account that signed in. Needs User.Read, which application access has not."""
        body = self._get(query(select="id,displayName,mail,userPrincipalName"), Subject.MAILBOX)
        return Account(*(str(body.get(key) or "") for key in ("mail", "userPrincipalName", "displayName")))

    def main_folder(self) -> Folder:
        """Outlook's own Contacts folder."""
        body = self._get("/contactFolders/contacts" + query(select="id,displayName"), Subject.MAILBOX)
        return replace(folder_of(body), is_main=True)

    def folders(self) -> list[Folder]:
        """Every contact folder: the main one, then those in it."""
        main = self.main_folder()
        options = query(select="id,displayName", top="100")
        items = self._pages(f"/contactFolders{options}", Subject.MAILBOX)
        return [main, *(folder for folder in map(folder_of, items) if folder.id != main.id)]

    def folder(self, folder_id: str) -> Folder:
        """The folder as it is called now; does not tell whether it is the main one. Raises FolderGone."""
        options = query(select="id,displayName")
        return folder_of(self._get(f"/contactFolders/{segment(folder_id)}{options}", Subject.FOLDER))

    def create_folder(self, name: str) -> Folder:
        """A new folder in the main one, or the one that has the name already. Raises Refused for a bad name."""
        url = self._url("/contactFolders")
        try:
            # Sent twice it is refused the second time, and then the folder is found by its name.
            answer = self._transport.send(Request("POST", url, Subject.NEW_ITEM, {"displayName": name}))
        except Refused:
            found = [folder for folder in self.folders() if same_name(folder.name, name)]
            if found:
                return found[0]
            raise
        return folder_of(answer.body)

    def delta(self, folder_id: str, link: str = "") -> DeltaPage:
        """What the folder holds (without a link), or the page that the link stands for.

        Raises ResyncRequired when the link is dead, FolderGone when the folder is.
        """
        prefer = {"Prefer": f"{IMMUTABLE_IDS}, odata.maxpagesize={PAGE}"}
        first = self._url(f"/contactFolders/{segment(folder_id)}/contacts/delta{query(select=SELECT)}")
        subject = Subject.LINK if link else Subject.FOLDER
        body = self._transport.send(Request("GET", link or first, subject, headers=prefer)).body
        links = [self._link(body, "@odata.nextLink"), self._link(body, "@odata.deltaLink")]
        if bool(links[0]) == bool(links[1]):
            raise BadAnswer("a page of changes without its one link")
        rows = [(str(row["id"]), None if "@removed" in row else row) for row in rows_of(body)]
        return DeltaPage(rows, *links)

    def batch(self, calls: Sequence[Call]) -> list[Result]:
        """The answers of up to 20 calls, in their order: what Outlook holds now, or the error of that one call.

        A create whose answer was lost is OutcomeUnknown. Raises RunError; `error.answers` then has what was answered.
        """
        return send_calls(self._transport, self._mailbox_path, calls)

    def begin_batch(self, calls: Sequence[Call]) -> Callable[[], list[Result]]:
        """Send a `batch` in the background; what waits for its answers and gives or raises as `batch` does.

        Nothing else may be asked of this client before the answers are there.
        """
        return begin_calls(self._transport, self._mailbox_path, calls)

    def extras(self, folder_id: str, ids: Iterable[str]) -> dict[str, dict[str, str]]:
        """Fax and sensitivity, by id and property id: {} for an item that has neither.

        Delta cannot bring them. Up to 20 items are asked for one by one, in one batch; for more the folder is listed.
        """
        wanted = dict.fromkeys(ids)
        if len(wanted) > LARGEST:
            found = {name: told for page in self.extras_pages(folder_id) for name, told in page.items()}
            return {name: told for name, told in found.items() if name in wanted}
        answers = self.batch([Get(identifier, expand=True) for identifier in wanted])
        pairs = zip(wanted, answers, strict=True)
        return {identifier: extended(answer) for identifier, answer in pairs if not isinstance(answer, ItemError)}

    def extras_pages(self, folder_id: str) -> Iterator[dict[str, dict[str, str]]]:
        """Fax and sensitivity of every item of the folder, a page of up to 1,000 at a time."""
        options = query(select="id", expand=expand(FAX, SENSITIVITY), top=str(LIST_PAGE))
        for rows in self._row_pages(f"/contactFolders/{segment(folder_id)}/contacts{options}", Subject.FOLDER):
            yield {item["id"]: extended(item) for item in rows}

    def item_pages(self, folder_id: str) -> Iterator[list[dict[str, Any]]]:
        """Every item of the folder with fax and sensitivity, a page of up to 500 at a time. No bookmark comes of it."""
        options = query(select=SELECT, expand=expand(FAX, SENSITIVITY), top=str(WHOLE_PAGE))
        yield from self._row_pages(f"/contactFolders/{segment(folder_id)}/contacts{options}", Subject.FOLDER)

    def subscribe(self, folder_id: str, url: str, client_state: str, expires_at: datetime) -> tuple[str, datetime]:
        """Have Graph post to `url` whenever a contact of the folder changes; the subscription's id and its end.

        Before it answers, Graph posts a validation token there and wants it back. Raises Refused, AccessDenied.
        """
        body = {
            "changeType": "created,updated,deleted",
            "notificationUrl": url,
            "lifecycleNotificationUrl": url,
            "resource": f"{self._mailbox_path}/contactFolders/{segment(folder_id)}/contacts",
            "expirationDateTime": in_utc(expires_at),
            "clientState": client_state,
        }
        place = f"{self._transport.base_url}/subscriptions"
        made = self._transport.send(Request("POST", place, Subject.SUBSCRIPTION, body, repeatable=False)).body
        if not has_id(made):
            raise BadAnswer("a subscription without an id")
        return str(made["id"]), end_of(made, expires_at)

    def renew_subscription(self, subscription_id: str, expires_at: datetime) -> datetime:
        """Have the subscription last longer; until when it does. Raises NotFound where there is none."""
        place = f"{self._transport.base_url}/subscriptions/{segment(subscription_id)}"
        body = {"expirationDateTime": in_utc(expires_at)}
        return end_of(self._transport.send(Request("PATCH", place, Subject.SUBSCRIPTION, body)).body, expires_at)

    def unsubscribe(self, subscription_id: str) -> None:
        """End the subscription, if it is there."""
        place = f"{self._transport.base_url}/subscriptions/{segment(subscription_id)}"
        with contextlib.suppress(NotFound):
            self._transport.send(Request("DELETE", place, Subject.SUBSCRIPTION))

    def _url(self, path: str) -> str:
        return f"{self._transport.base_url}{self._mailbox_path}{path}"

    def _get(self, path: str, subject: Subject) -> dict[str, Any]:
        return self._transport.send(Request("GET", self._url(path), subject)).body

    def _pages(self, path: str, subject: Subject) -> Iterator[dict[str, Any]]:
        for rows in self._row_pages(path, subject):
            yield from rows

    def _row_pages(self, path: str, subject: Subject) -> Iterator[list[dict[str, Any]]]:
        url, seen = self._url(path), set[str]()
        while url:
            seen.add(url)
            body = self._transport.send(Request("GET", url, subject)).body
            yield rows_of(body)
            url = self._link(body, "@odata.nextLink")
            if url in seen:
                raise BadAnswer("a list that leads back to itself")

    def _link(self, body: dict[str, Any], name: str) -> str:
        link = body.get(name) or ""
        if not isinstance(link, str) or (link and not self._transport.is_ours(link)):
            raise BadAnswer("a link that leads outside Microsoft Graph was refused")
        return link


def in_utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def end_of(body: dict[str, Any], wanted: datetime) -> datetime:
    """Until when Graph says that a subscription lasts; never later than we asked for."""
    try:
        told = datetime.fromisoformat(str(body.get("expirationDateTime", "")))
    except ValueError:
        return wanted
    return min(told, wanted) if told.tzinfo else wanted


def folder_of(body: dict[str, Any]) -> Folder:
    if not has_id(body) or not isinstance(body.get("displayName"), str):
        raise BadAnswer("a folder without an id or a name")
    return Folder(body["id"], body["displayName"])


def rows_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a page. Raises BadAnswer where they are not what they should be: none may be lost unseen."""
    rows = body.get("value")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and has_id(row) for row in rows):
        raise BadAnswer("a page with rows that cannot be read")
    return rows


def extended(item: dict[str, Any]) -> dict[str, str]:
    """Fax and sensitivity of an item under our spelling of their ids, which Graph changes in case or leaves out."""
    ours = {name.lower(): name for name in (FAX, SENSITIVITY)}
    found = {}
    properties = item.get("singleValueExtendedProperties")
    for entry in properties if isinstance(properties, list) else []:
        name, value = (entry.get("id"), entry.get("value")) if isinstance(entry, dict) else (None, None)
        if not isinstance(value, str):
            continue
        if name is None:  # a sensitivity is one digit, and no fax number is
            name = SENSITIVITY if value in SENSITIVITIES else FAX
        if str(name).lower() in ours:
            found[ours[str(name).lower()]] = value
    return found


def same_name(one: str, other: str) -> bool:
    """Outlook's folder names ignore case."""
    return one.strip().casefold() == other.strip().casefold()
