"""Faults that a test or a rehearsal turns on: which calls they hit, how often, and what they do to them.

A fault that cuts the connection raises `Cut`, an OSError: waitress takes an OSError from an application as a lost
client, writes nothing (more) and closes the socket, so that the client sees a connection that ends without an answer.
That works without patching the server, and is why the sandbox needs no other one.
"""

import json
import re
import threading
from dataclasses import dataclass, field, fields
from typing import Any

from crmsync.sandbox.answers import Answer, Refusal
from crmsync.sandbox.store import Store

GRAPH, LOGIN = "graph", "login"
CUT = "sandbox.cut"  # set in a request's environment, it has the connection cut
PAGE_FAULTS = {"empty_page", "short_page", "duplicate", "replay", "foreign_link"}
LOGIN_FAULTS = {"revoked", "consent_required", "wrong_nonce", "wrong_tid", "foreign_account", "no_refresh_token"}
LASTING = {"delay", "mailbox_not_enabled", "access_denied", "mailbox_full"}

# What each refusing fault says: status, code, message, Retry-After.
REFUSALS: dict[str, tuple[int, str, str, str]] = {
    "throttled": (429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.", "1"),
    "unauthorized": (401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.", ""),
    "claims": (401, "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge.", ""),
    "sync_state_lost": (
        410,
        "SyncStateNotFound",
        "The sync state generation is not found; generation=149;[highest=157][157][155][156].",
        "",
    ),
    "mailbox_not_enabled": (
        404,
        "MailboxNotEnabledForRESTAPI",
        "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
        "",
    ),
    "access_denied": (403, "ErrorAccessDenied", "Access to OData is disabled.", ""),
    "mailbox_full": (507, "ErrorQuotaExceeded", "The mailbox has reached its storage quota.", ""),
    "lost": (504, "UnknownError", "", ""),
}
WORDS = {
    "status": "Answer with a status, a code and a message of your choice",
    "throttled": "429: too many requests",
    "unauthorized": "401: the token is not good any more",
    "claims": "401 with a claims challenge",
    "sync_state_lost": "410: the link to changes is dead",
    "mailbox_not_enabled": "404: no mailbox behind the account",
    "access_denied": "403: no access to the mailbox",
    "mailbox_full": "507: the mailbox is full",
    "lost": "504 after the work was done",
    "drop": "Cut the connection (before or after the work)",
    "truncate": "An answer whose JSON stops in the middle",
    "short": "An answer that is shorter than it says",
    "garbage": "A page of HTML in place of JSON",
    "empty": "An answer without a body",
    "delay": "The answer comes late",
    "empty_page": "A page of changes without rows, and a link to the next",
    "short_page": "A page of changes with few rows",
    "duplicate": "Each row of a page twice",
    "replay": "Rows again that did not change",
    "foreign_link": "The next link leads to another host",
    "revoked": "Sign-in: the refresh token was revoked",
    "consent_required": "Sign-in: consent is missing",
    "wrong_nonce": "Sign-in: another nonce than was sent",
    "wrong_tid": "Sign-in: an account of another tenant",
    "foreign_account": "Sign-in: another person than was chosen",
    "no_refresh_token": "Sign-in: no refresh token comes with the tokens",
}


class Cut(ConnectionResetError):
    """The connection is to be closed without an(other) answer."""


@dataclass
class Rule:
    """One fault. It hits calls from the `nth` that matches on, `times` times (0: always).

    match: "POST /contacts$", "GET /delta", "/photo": a method, where it matters, and a regular expression that is
        searched in the path with its query. Nothing: what the fault is usually about, or every call.
    mailbox: only calls on this person's mailbox (e-mail).
    where: "item" hits items of batches only, "request" requests of their own only (a batch as a whole among them).
    commit: the work is done before the fault strikes. keep_items: of a cut batch, how many items are done.
    empty: the error comes without a body. retry_after: seconds (also fractional), or "missing".
    """

    do: str
    match: str = ""
    mailbox: str = ""
    where: str = "any"
    nth: int = 1
    times: int = 1
    status: int = 0
    code: str = ""
    message: str = ""
    retry_after: str = ""
    seconds: float = 0.0
    rows: int = 1
    commit: bool = False
    empty: bool = False
    keep_items: int = -1
    number: int = 0
    seen: int = 0
    fired: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.do not in WORDS:
            raise ValueError(f"There is no fault named {self.do}.")
        if not self.match:
            self.match = _usual_match(self.do)
        parts = re.fullmatch(r"(?:([A-Z]+)\s+)?(.*)", self.match, re.S)
        self.method, self.pattern = (parts[1] or "", re.compile(parts[2])) if parts else ("", re.compile(""))
        login = self.do in LOGIN_FAULTS or re.search(r"token\b|oauth2|openid|authorize", self.match)
        self.area = LOGIN if login and "skiptoken" not in self.match else GRAPH

    def hits(self, area: str, method: str, path: str, mailbox: str, is_item: bool) -> bool:
        """Whether it strikes this call; counts it if it matches."""
        if area != self.area or (self.method and self.method != method) or not self.pattern.search(path):
            return False
        if self.mailbox and self.mailbox.lower() != mailbox.lower():
            return False
        if self.where != "any" and (self.where == "item") != is_item:
            return False
        with self._lock:
            self.seen += 1
            if self.seen < self.nth or (self.times and self.fired >= self.times):
                return False
            self.fired += 1
            return True

    @property
    def answers_early(self) -> bool:
        """Whether it strikes before the work, in place of it."""
        return self.do in {"status", "drop", *REFUSALS} and not self.commit and self.do != "lost"

    def refusal(self) -> Refusal:
        """The error answer of a refusing fault."""
        status, code, message, retry_after = REFUSALS.get(self.do, (503, "serviceNotAvailable", "", ""))
        headers = {}
        if (after := self.retry_after or retry_after) and after != "missing":
            headers["Retry-After"] = after
        if self.do == "claims":
            headers["WWW-Authenticate"] = (
                'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize",'
                ' error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="'
            )
        return Refusal(self.status or status, self.code or code, self.message or message, headers)

    def early_answer(self, request_id: str = "") -> Answer:
        """What comes in place of the work. `Cut` if that is nothing."""
        if self.do == "drop":
            raise Cut
        return self.answer(request_id)

    def answer(self, request_id: str = "") -> Answer:
        """The answer of a refusing fault."""
        answer = self.refusal().answer(request_id)
        if self.empty:
            answer.body = None
        return answer

    def as_dict(self) -> dict[str, Any]:
        kept = {item.name for item in fields(self) if not item.name.startswith("_")}
        return {name: getattr(self, name) for name in kept} | {"says": WORDS[self.do]}


def _usual_match(do: str) -> str:
    if do in PAGE_FAULTS or do == "sync_state_lost":
        return r"GET /delta\b"
    if do in LOGIN_FAULTS:
        return "POST /token"
    return {"mailbox_full": r"POST /contacts$", "lost": r"POST /contacts$"}.get(do, "")


class Faults:
    """The rules that are on, kept in the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        rows = store.db.execute("SELECT number, rule FROM fault ORDER BY number")
        self._rules = {row["number"]: Rule(**json.loads(row["rule"])) for row in rows}

    def all(self) -> list[Rule]:
        return list(self._rules.values())

    def add(self, **values: Any) -> Rule:
        """Turn a fault on. ValueError or TypeError if it is none."""
        if values.get("do") in LASTING:
            values.setdefault("times", 0)
        if "retry_after" in values:
            values["retry_after"] = "missing" if values["retry_after"] is None else str(values["retry_after"])
        rule = Rule(**values)
        with self.store.write() as db:
            rule.number = self.store.next()
            kept = {name: value for name, value in rule.as_dict().items() if name not in {"says", "seen", "fired"}}
            db.execute("INSERT INTO fault VALUES (?, ?)", (rule.number, json.dumps(kept)))
        self._rules = self._rules | {rule.number: rule}
        return rule

    def remove(self, number: int | None = None) -> None:
        """Turn one fault off, or all of them."""
        with self.store.write() as db:
            db.execute("DELETE FROM fault WHERE ? IS NULL OR number = ?", (number, number))
        self._rules = {} if number is None else {key: rule for key, rule in self._rules.items() if key != number}

    def striking(self, area: str, method: str, path: str, mailbox: str, is_item: bool = False) -> list[Rule]:
        """The faults that strike this call, the oldest first."""
        rules = self._rules
        return [rule for rule in rules.values() if rule.hits(area, method, path, mailbox, is_item)] if rules else []


def spoiled(rules: list[Rule], answer: Answer, request_id: str = "") -> Answer:
    """The answer after the faults that strike when the work is done. `Cut` if one of them cuts the connection."""
    for rule in rules:
        if rule.answers_early:
            continue
        if rule.do in {"status", *REFUSALS}:
            answer = rule.answer(request_id)
        elif rule.do == "drop":
            raise Cut
        elif rule.do == "truncate":
            content = answer.content()
            answer = Answer(answer.status, content[: len(content) // 2], answer.headers)
        elif rule.do == "short":
            content = answer.content()
            length = {"Content-Length": str(len(content))}
            answer = Answer(answer.status, content[: len(content) // 2], {**answer.headers, **length})
        elif rule.do == "garbage":
            page = b"<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"
            answer = Answer(200, page, {"Content-Type": "text/html"})
        elif rule.do == "empty":
            answer = Answer(answer.status, None, answer.headers)
    return answer
