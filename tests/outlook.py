"""The sandbox tenant as tests play it: what people do in Outlook, and what goes wrong. Everything goes over HTTP."""

from typing import Any
from urllib.parse import quote

import requests


class Tenant:
    """A sandbox at `url`. Folders are named; contacts are dicts of Graph's properties with their immutable `id`,
    `defaultId`, and `extended`: {property id: value}."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.login_url, self.graph_url = url, f"{url}/v1.0"
        self._session = requests.Session()
        self._session.trust_env = False
        self.faults = Faults(self)

    def call(self, method: str, path: str, values: Any = None) -> Any:
        """The answer of a control; requests.HTTPError with its reason when it refuses."""
        sends = {} if method in {"GET", "DELETE"} else {"json": {} if values is None else values}
        response = self._session.request(method, f"{self.url}/control{path}", timeout=30, **sends)
        if not response.ok:
            raise requests.HTTPError(f"{response.status_code} {response.text}", response=response)
        return response.json()

    def reset(self) -> None:
        """Nobody, nothing, no fault, every switch as it was made."""
        self.call("POST", "/reset")

    def add_person(self, email: str, name: str = "", password: str = "", upn: str = "") -> "Mailbox":
        """A person with an empty mailbox."""
        self.call("POST", "/people", {"email": email, "name": name, "password": password, "upn": upn})
        return Mailbox(self, email)

    def mailbox(self, email: str) -> "Mailbox":
        return Mailbox(self, email)

    def settings(self, **switches: Any) -> dict[str, Any]:
        """Turn switches (docs/sandbox.md lists them); all of them as they are now."""
        return self.call("POST", "/settings", switches)

    def access_token(self, email: str = "", scope: str = "") -> str:
        """A bearer token for a person, or for the application itself."""
        return self.call("POST", "/token", {"email": email, "scope": scope})["access_token"]

    def caller(self, email: str = "", *, immutable: bool = True, scope: str = "") -> "Caller":
        """Plain HTTP to Graph with a token of a person, or of the application."""
        return Caller(self.graph_url, self.access_token(email, scope), immutable)

    def notified(self) -> list[int]:
        """What each notification so far was answered; waits until the last one was."""
        return self.call("GET", "/notifications")["answered"]

    def lifecycle(self, event: str) -> list[int]:
        """Tell every subscription of a lifecycle event; as `notified`."""
        return self.call("POST", "/lifecycle", {"event": event})["answered"]

    def revoke(self, email: str) -> None:
        """Make every refresh token of a person useless."""
        self.call("POST", "/revoke", {"email": email})

    def requests(self, kind: str = "graph") -> list[dict[str, Any]]:
        """What came in since the last clear, each {method, path, status, mailbox, batch_items, headers, at}.

        kind: "graph" or "login". `status` is 0 when the connection was cut; `batch_items` are {method, path, status,
        mailbox, prefer}.
        """
        return [entry for entry in self.call("GET", "/requests")["requests"] if entry["kind"] == kind]

    def peaks(self) -> dict[str, int]:
        """The most calls at a time, by mailbox."""
        return self.call("GET", "/requests")["peaks"]

    def clear_requests(self) -> None:
        self.call("DELETE", "/requests")


class Mailbox:
    """One person's Outlook."""

    def __init__(self, tenant: Tenant, email: str) -> None:
        self.tenant, self.email = tenant, email
        self._path = f"/mailboxes/{quote(email)}"

    def folders(self) -> list[dict[str, Any]]:
        """Each {id, name, kind, deleted, parent, count}, Deleted Items among them."""
        return self.tenant.call("GET", f"{self._path}/folders")

    def folder(self, name: str) -> dict[str, Any]:
        """The folder of that name that is not deleted."""
        return next(folder for folder in self.folders() if folder["name"] == name and not folder["deleted"])

    def create_folder(self, name: str) -> dict[str, Any]:
        return self.tenant.call("POST", f"{self._path}/folders", {"name": name})

    def rename_folder(self, folder: str, name: str) -> dict[str, Any]:
        return self.tenant.call("PATCH", f"{self._path}/folders/{quote(folder)}", {"name": name})

    def delete_folder(self, folder: str) -> None:
        self.tenant.call("DELETE", f"{self._path}/folders/{quote(folder)}")

    def contacts(self, folder: str = "Business Central") -> list[dict[str, Any]]:
        """The contacts of a folder, the oldest first; of a folder that isn't there, none."""
        if not any(known["name"].casefold() == folder.casefold() and not known["deleted"] for known in self.folders()):
            return []
        return self.contacts_of(folder)

    def contacts_of(self, folder: str) -> list[dict[str, Any]]:
        """The same of a folder that is there."""
        return self.tenant.call("GET", f"{self._path}/contacts?folder={quote(folder)}")

    def contact(self, contact_id: str) -> dict[str, Any]:
        return self.tenant.call("GET", f"{self._path}/contacts/{quote(contact_id)}")

    def add(self, folder: str = "Business Central", **graph_fields: Any) -> dict[str, Any]:
        """A new contact: add("Contacts", givenName="Ada", emailAddresses=[{"address": …}])."""
        return self.add_many(folder, [graph_fields])[0]

    def add_many(self, folder: str, contacts: list[dict[str, Any]], kind: str = "contact") -> list[dict[str, Any]]:
        """Several contacts, or contact lists (kind "list"), in one go."""
        values = {"folder": folder, "contacts": contacts, "kind": kind}
        return self.tenant.call("POST", f"{self._path}/contacts", values)

    def edit(self, contact_id: str, **graph_fields: Any) -> dict[str, Any]:
        return self.tenant.call("PATCH", f"{self._path}/contacts/{quote(contact_id)}", graph_fields)

    def remove(self, contact_id: str) -> None:
        """Into Deleted Items; from there for good."""
        self.tenant.call("DELETE", f"{self._path}/contacts/{quote(contact_id)}")

    def restore(self, contact_id: str) -> dict[str, Any]:
        return self._do("restore", contact_id)

    def move(self, contact_id: str, folder: str) -> dict[str, Any]:
        return self._do("move", contact_id, folder)

    def copy(self, contact_id: str, folder: str) -> dict[str, Any]:
        """A copy as Outlook makes it, with our markers too; the copy's facts."""
        return self._do("copy", contact_id, folder)

    def purge(self, contact_id: str) -> None:
        """Gone for good, not even in Deleted Items."""
        self._do("purge", contact_id)

    def touch(self, contact_id: str) -> dict[str, Any]:
        """Written again by the server: a new change key, the same values."""
        return self._do("touch", contact_id)

    def empty(self, folder: str = "Business Central") -> int:
        """Remove every contact of the folder; how many that were."""
        return self.tenant.call("POST", f"{self._path}/empty", {"folder": folder})["removed"]

    def expire_links(self) -> None:
        """Kill every delta link: each answers 410 from now on."""
        self.tenant.call("POST", f"{self._path}/expire")

    def _do(self, verb: str, contact_id: str, folder: str = "") -> dict[str, Any]:
        return self.tenant.call("POST", f"{self._path}/contacts/{quote(contact_id)}/{verb}", {"folder": folder})


class Faults:
    """What goes wrong (docs/sandbox.md lists it)."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    def add(self, do: str = "status", **details: Any) -> dict[str, Any]:
        """Turn a fault on, such as add("status", status=429, match="POST /contacts$", times=2); what it is.

        details: match, mailbox, where (any|request|item), nth, times (0: always), status, code, message, retry_after,
        seconds, rows, commit, empty, keep_items.
        """
        return self.tenant.call("POST", "/faults", {"do": do, **details})

    def all(self) -> list[dict[str, Any]]:
        """The faults that are on, each with how often it was `seen` and has `fired`."""
        return self.tenant.call("GET", "/faults")

    def fired(self) -> int:
        """How often any fault has struck."""
        return sum(fault["fired"] for fault in self.all())

    def clear(self) -> None:
        self.tenant.call("DELETE", "/faults")


class Caller:
    """A client that does nothing of its own: it sends what it is told, and gives the answer whatever it is."""

    def __init__(self, root: str, token: str, immutable: bool) -> None:
        self.root = root
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self.prefer = 'IdType="ImmutableId"' if immutable else ""

    def __call__(self, method: str, path: str, *, prefer: str = "", **options: Any) -> requests.Response:
        """`path` below the version, or a whole link."""
        headers = options.pop("headers", {})
        if preferences := ", ".join(filter(None, [self.prefer, prefer])):
            headers = {"Prefer": preferences, **headers}
        url = path if path.startswith("http") else self.root + path
        return self._session.request(method, url, headers=headers, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        return self("POST", path, json=body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> requests.Response:
        return self("PATCH", path, json=body, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self("DELETE", path, **options)

    def batch(self, *requests_: tuple[str, str, Any]) -> requests.Response:
        """A batch of (method, url, body or None), with the ids "0", "1" and so on."""
        items = []
        for at, (method, url, body) in enumerate(requests_):
            item: dict[str, Any] = {"id": str(at), "method": method, "url": url, "headers": {}}
            if self.prefer:
                item["headers"]["Prefer"] = self.prefer
            if body is not None:
                item["headers"]["Content-Type"] = "application/json"
                item["body"] = body
            items.append(item)
        return self.post("/$batch", {"requests": items})

    def pages(self, path: str, **options: Any) -> tuple[list[dict[str, Any]], str]:
        """Every row of a list or a round of changes, and the deltaLink at its end ("" for a list)."""
        rows: list[dict[str, Any]] = []
        while path:
            response = self.get(path, **options)
            response.raise_for_status()
            rows += response.json()["value"]
            path, options["params"] = response.json().get("@odata.nextLink", ""), None
        return rows, response.json().get("@odata.deltaLink", "")
