"""Change notifications: subscriptions to the contacts of a folder, and the posts that tell of changes.

Kept in memory: a restart forgets them, as Graph does with one that has run out. Posts go to this machine only.
"""

import queue
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from crmsync.sandbox.answers import Answer, Refusal, access_denied, bad_request, method_not_allowed
from crmsync.sandbox.call import Call, segments
from crmsync.sandbox.store import News
from crmsync.sandbox.tenant import People, UnknownPerson

LONGEST = timedelta(minutes=10_080)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PATIENCE = 10  # seconds
STATE_LENGTH = 128


@dataclass
class Subscription:
    """`oid` and `folder` are whose contacts, and of which folder."""

    id: str
    oid: str
    folder: int
    body: dict[str, Any]
    immutable: bool
    expires: datetime

    def shown(self) -> dict[str, Any]:
        """As Graph shows it: never with the client state."""
        kept = {name: value for name, value in self.body.items() if name != "clientState"}
        return {"id": self.id, **kept, "expirationDateTime": stamp(self.expires)}


class Subscriptions:
    """Those of the tenant whose people are `people`."""

    def __init__(self, people: People) -> None:
        self.people = people
        self._known: dict[str, Subscription] = {}
        self._waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self._session = requests.Session()
        self._session.trust_env = False
        self.delivered: list[int] = []
        people.store.listener = self.hear
        threading.Thread(target=self._deliver, name="notifications", daemon=True).start()

    def clear(self) -> None:
        self._known.clear()
        self.delivered.clear()

    def settle(self) -> list[int]:
        """Wait until every notification so far was posted; what each was answered (0: nothing)."""
        self._waiting.join()
        return list(self.delivered)

    # --- The calls --------------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """One call on /subscriptions. Refusal."""
        if not call.caller.scopes & {"Contacts.Read", "Contacts.ReadWrite"}:
            raise access_denied()
        keys = call.segments[1:]
        if not keys:
            if call.method == "POST":
                return self._create(call)
            if call.method == "GET":
                return Answer(200, {"value": [it.shown() for it in self._known.values()]})
            raise method_not_allowed()
        return self._on_one(call, self._one(keys[0]))

    def _on_one(self, call: Call, found: Subscription) -> Answer:
        if call.method == "DELETE":
            del self._known[found.id]
            return Answer(204)
        if call.method == "PATCH":
            found.expires = lifetime(call.body)
        elif call.method != "GET":
            raise method_not_allowed()
        return Answer(200, found.shown())

    def _one(self, key: str) -> Subscription:
        found = self._known.get(key)
        if found is None or found.expires < datetime.now(UTC):
            raise Refusal(404, "ResourceNotFound", "The object was not found.")
        return found

    def _create(self, call: Call) -> Answer:
        body = call.body if isinstance(call.body, dict) else {}
        if len(str(body.get("clientState", ""))) > STATE_LENGTH:
            raise bad_request("The clientState is longer than 128 characters.")
        expires = lifetime(body)
        oid, folder = self._whose(call, str(body.get("resource", "")))
        for name in ("notificationUrl", "lifecycleNotificationUrl"):
            if name in body or name == "notificationUrl":
                self._validate(str(body.get(name, "")))
        made = Subscription(str(uuid.uuid4()), oid, folder, body, call.immutable, expires)
        self._known[made.id] = made
        return Answer(201, {"@odata.context": f"{call.root}/$metadata#subscriptions/$entity", **made.shown()})

    def _whose(self, call: Call, resource: str) -> tuple[str, int]:
        """The person and the folder that a resource names."""
        parts = segments(resource)
        own = parts[:1] == ["me"]
        rest = parts[1:] if own else parts[2:]
        try:
            mailbox = self.people.mailbox(call.caller.oid if own else parts[1])
        except (UnknownPerson, IndexError):
            raise bad_request(f"The resource '{resource}' is not supported.") from None
        if call.caller.oid and call.caller.oid != mailbox.oid:
            raise access_denied()
        if rest[-1:] != ["contacts"] or len(rest) not in {1, 3}:
            raise bad_request(f"The resource '{resource}' is not supported.")
        return mailbox.oid, mailbox.folder_by_id(rest[1] if len(rest) == 3 else "contacts").number

    def _validate(self, url: str) -> None:
        """Whether somebody at `url` gives back a token. Refusal (400) if not."""
        if urlsplit(url).hostname not in LOOPBACK:
            raise bad_request("The sandbox posts notifications to this machine only.")
        token = f"Validation: Testing client application reachability. {uuid.uuid4()} & <more>"
        try:
            answer = self._session.post(
                url, params={"validationToken": token}, headers={"Content-Type": "text/plain"}, timeout=PATIENCE
            )
        except requests.RequestException as error:
            raise not_validated(type(error).__name__) from None
        if answer.status_code != 200 or answer.text != token:
            raise not_validated(f"status {answer.status_code}")
        if not answer.headers.get("Content-Type", "").startswith("text/plain"):
            raise not_validated("the answer is not text/plain")

    # --- The posts --------------------------------------------------------------------------------------------------

    def hear(self, news: list[News]) -> None:
        """Have every subscription to one of these changes told of it."""
        now = datetime.now(UTC)
        for known in list(self._known.values()):
            mine = [it for it in news if (it.oid, it.folder) == (known.oid, known.folder)]
            if mine and known.expires > now:
                self.tell(known, [self._change(known, it) for it in mine])

    def lifecycle(self, event: str) -> None:
        """Tell every subscription of a lifecycle event; one that is removed is gone."""
        for known in list(self._known.values()):
            self.tell(known, [{"lifecycleEvent": event}])
            if event == "subscriptionRemoved":
                self._known.pop(known.id, None)

    def tell(self, known: Subscription, entries: list[dict[str, Any]]) -> None:
        common = {
            "subscriptionId": known.id,
            "subscriptionExpirationDateTime": stamp(known.expires),
            "clientState": known.body.get("clientState"),
        }
        self._waiting.put((known.body["notificationUrl"], {"value": [{**common, **entry} for entry in entries]}))

    def _change(self, known: Subscription, news: News) -> dict[str, Any]:
        ids = self.people.mailbox(known.oid).ids
        item_id = ids.immutable(news.item) if known.immutable else ids.item(news.folder, news.entry)
        resource = f"Users/{known.oid}/Contacts/{item_id}"
        etag = f'W/"{ids.change_key(news.change)}"'
        data = {"@odata.type": "#Microsoft.Graph.Contact", "@odata.id": resource, "@odata.etag": etag, "id": item_id}
        return {"changeType": news.kind, "resource": resource, "resourceData": data}

    def _deliver(self) -> None:
        while True:
            url, body = self._waiting.get()
            try:
                self.delivered.append(self._session.post(url, json=body, timeout=PATIENCE).status_code)
            except requests.RequestException:
                self.delivered.append(0)
            finally:
                self._waiting.task_done()


def lifetime(body: Any) -> datetime:
    """Until when a subscription is asked to last. Refusal (400) where that is too long, over or unreadable."""
    try:
        expires = datetime.fromisoformat(str(body["expirationDateTime"]))
    except (KeyError, TypeError, ValueError):
        raise bad_request("The expirationDateTime cannot be read.") from None
    left = expires.timestamp() - time.time()
    if not 0 < left <= LONGEST.total_seconds():
        raise bad_request("Subscription expiration can only be 10080 minutes in the future.")
    return expires


def not_validated(why: str) -> Refusal:
    return Refusal(400, "ValidationError", f"Subscription validation request failed: {why}.")


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
