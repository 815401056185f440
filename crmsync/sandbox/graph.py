"""Graph's way in: whose mailbox, may they, which call, and what a fault makes of it."""

import uuid
from collections.abc import Callable

from crmsync.sandbox import contact_calls, delta, folder_calls, profile_calls
from crmsync.sandbox.answers import Answer, Refusal, access_denied, bad_request, method_not_allowed, unknown_segment
from crmsync.sandbox.call import Call
from crmsync.sandbox.faults import GRAPH, Faults, spoiled
from crmsync.sandbox.mailbox import Mailbox
from crmsync.sandbox.store import Store
from crmsync.sandbox.tenant import People, UnknownPerson
from crmsync.sandbox.tokens import unauthorized
from crmsync.sandbox.traffic import Traffic

Handler = Callable[..., Answer]
KEY = "*"
DELTA = {"delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"}

# The path below the mailbox, keys as KEY, and the handler of each method. A handler gets the call and the keys.
ROUTES: dict[tuple[str, ...], dict[str, Handler]] = {
    (): {"GET": profile_calls.profile},
    ("translateexchangeids",): {"POST": profile_calls.translate_ids},
    ("contactfolders",): {"GET": folder_calls.listing, "POST": folder_calls.create},
    ("contactfolders", "delta"): {"GET": folder_calls.delta},
    ("contactfolders", KEY): {"GET": folder_calls.get, "PATCH": folder_calls.update, "DELETE": folder_calls.delete},
    ("contactfolders", KEY, "childfolders"): {"GET": folder_calls.listing, "POST": folder_calls.create},
    ("contacts",): {"GET": contact_calls.listing, "POST": contact_calls.create},
    ("contacts", "$count"): {"GET": contact_calls.count},
    ("contacts", "delta"): {"GET": delta.contact_delta},
    ("contacts", KEY): {
        "GET": contact_calls.get,
        "PATCH": contact_calls.update,
        "DELETE": contact_calls.delete,
    },
    ("contacts", KEY, "permanentdelete"): {"POST": contact_calls.delete_for_good},
    ("contacts", KEY, "photo"): {"GET": contact_calls.photo_facts, "DELETE": contact_calls.delete_photo},
    ("contacts", KEY, "photo", "$value"): {
        "GET": contact_calls.photo,
        "PUT": contact_calls.set_photo,
        "PATCH": contact_calls.set_photo,
        "DELETE": contact_calls.delete_photo,
    },
}
NO_FOLDER = ""


class Graph:
    """Graph v1.0 over the state in `store`, for as much of it as contacts need."""

    def __init__(self, store: Store, faults: Faults, traffic: Traffic) -> None:
        self.store, self.faults, self.traffic = store, faults, traffic
        self.people = People(store)

    def answer(self, call: Call) -> Answer:
        """The answer to one call on a mailbox, faults and quota included. `Cut` if a fault cuts the connection."""
        request_id = call.headers.get("client-request-id") or str(uuid.uuid4())
        try:
            mailbox = call.found_mailbox = self.mailbox(call)
        except Refusal as refusal:
            return refusal.answer(request_id)
        call.rules = self.faults.striking(GRAPH, call.method, path_of(call), mailbox.email, call.is_item)
        call.pause += sum(rule.seconds for rule in call.rules if rule.do == "delay")
        early = next((rule for rule in call.rules if rule.answers_early), None)
        if early is not None:
            return early.early_answer(request_id)
        try:
            self.traffic.check_quota(mailbox.oid, call.size, call.switches)
            answer = self._perform(call)
        except Refusal as refusal:
            answer = refusal.answer(request_id)
        return spoiled(call.rules, answer, request_id) if call.rules else answer

    def _perform(self, call: Call) -> Answer:
        segments = call.segments[1:] if call.segments[0].lower() == "me" else call.segments[2:]
        shape, keys = route(segments)
        handlers = ROUTES.get(shape)
        if handlers is None:
            raise unknown_segment(segments[-1])
        handler = handlers.get(call.method)
        if handler is None:
            raise method_not_allowed()
        self._check_scope(call, shape)
        if call.method == "GET":
            return handler(call, *keys)
        # What a change reads is what it writes over: both in one transaction, or two edits at once would lose one.
        with self.store.write():
            return handler(call, *keys)

    def mailbox(self, call: Call) -> Mailbox:
        """The mailbox that the path names, if the caller may see it. Refusal otherwise."""
        first = call.segments[0].lower()
        own = call.caller.oid
        if first == "me":
            if not own:
                raise bad_request("/me request is only valid with delegated authentication flow.")
            try:
                return self.people.mailbox(own)
            except UnknownPerson:
                raise unauthorized("The user of the token does not exist.") from None
        if first != "users" or len(call.segments) < 2:
            raise unknown_segment(call.segments[0])
        name = call.segments[1]
        try:
            mailbox = self.people.mailbox(name)
        except UnknownPerson:
            if len(call.segments) == 2:
                one = "or one of its queried reference-property objects are not present."
                message = f"Resource '{name}' does not exist {one}"
                raise Refusal(404, "Request_ResourceNotFound", message) from None
            raise Refusal(404, "ErrorInvalidUser", f"The requested user '{name}' is invalid.") from None
        if own and own != mailbox.oid:
            raise access_denied()
        return mailbox

    def _check_scope(self, call: Call, shape: tuple[str, ...]) -> None:
        scopes = call.caller.scopes
        if not shape:
            if not scopes & {"User.Read", "User.Read.All", "User.ReadBasic.All", "Directory.Read.All"}:
                raise Refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        elif shape[0] != "translateexchangeids":
            needed = {"Contacts.ReadWrite"} if call.method != "GET" else {"Contacts.Read", "Contacts.ReadWrite"}
            if not scopes & needed:
                raise access_denied()


def route(segments: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The shape of a path below the mailbox, for ROUTES, and its keys.

    A call on contacts always gets the folder (NO_FOLDER when the path names none) and, where there is one, the contact.
    A folder call gets the folder.
    """
    low = [segment.lower() for segment in segments]
    while len(low) > 3 and low[0] == "contactfolders" and low[2] == "childfolders":
        low, segments = ["contactfolders", *low[3:]], ["contactFolders", *segments[3:]]
    folder = NO_FOLDER
    if len(low) > 2 and low[0] == "contactfolders" and low[2] == "contacts":
        folder = segments[1]
        low, segments = low[2:], segments[2:]
    if not low or low[0] not in {"contacts", "contactfolders"}:
        return tuple(low), []
    keys = [folder] if low[0] == "contacts" else []
    shape = [low[0]]
    if len(low) > 1:
        if low[1] in DELTA:
            shape.append("delta")
        elif low[1] == "$count":
            shape.append("$count")
        else:
            shape.append(KEY)
            keys.append(segments[1])
    shape += [name.removeprefix("microsoft.graph.").removesuffix("()") for name in low[2:]]
    return tuple(shape), keys


def path_of(call: Call) -> str:
    """The call's path and query as a fault's pattern sees them."""
    query = "&".join(f"{name}={value}" for name, value in call.query.items())
    return f"{call.path}?{query}" if query else call.path
