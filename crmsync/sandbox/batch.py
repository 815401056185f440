"""`$batch`: up to twenty calls in one request, done in any order, four at a time."""

import base64
import binascii
import json
import random
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from crmsync.sandbox.answers import Answer, Refusal, bad_request
from crmsync.sandbox.call import Call, split_url
from crmsync.sandbox.faults import Cut
from crmsync.sandbox.graph import Graph
from crmsync.sandbox.traffic import LANES, Entry, over_limit

MOST = 20
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def batch(graph: Graph, call: Call, entry: Entry, keep_items: int = -1) -> Answer:
    """The answer to a batch: 200 whatever became of its items; 400 when it cannot be read.

    With `keep_items` the connection is cut when so many items are done.
    """
    requests = _requests(call)
    calls = {request["id"]: _item(call, request) for request in requests}
    started, mailbox = time.monotonic(), _first_mailbox(graph, calls)
    if call.switches.batch_counts:
        graph.traffic.check_quota(mailbox, 0, call.switches)
    with graph.traffic.inside(mailbox, min(LANES, len(calls)), call.switches) as lanes:
        done: dict[str, Answer] = {}
        cut = False
        # One transaction for all: items are independent all the same, since each one checks before it writes.
        with graph.store.write():
            for position, request in enumerate(_ordered(requests, call)):
                if position == keep_items:
                    cut = True
                    break
                try:
                    done[request["id"]] = _done(graph, calls[request["id"]], request, done, position % LANES < lanes)
                except Cut:
                    cut = True
        _pause(call, calls, requests, time.monotonic() - started)
    entry.items = [_noted(calls[request["id"]], done.get(request["id"])) for request in requests]
    entry.mailbox = next((item["mailbox"] for item in entry.items if item["mailbox"]), "")
    if cut:
        raise Cut
    return Answer(200, {"responses": [_response(id_text, answer) for id_text, answer in done.items()]})


def _requests(call: Call) -> list[dict[str, Any]]:
    """The items, checked as a whole. Refusal (400) if the batch is not one."""
    requests = call.body.get("requests") if isinstance(call.body, dict) else None
    if not isinstance(requests, list) or not requests or not all(isinstance(request, dict) for request in requests):
        raise bad_request("Invalid batch payload format.")
    if len(requests) > MOST:
        raise bad_request(f"Number of batch request steps exceeds the maximum value of {MOST}.")
    seen: set[str] = set()
    for request in requests:
        id_text, method, url = request.get("id"), str(request.get("method", "")).upper(), request.get("url")
        if not isinstance(id_text, str) or not id_text or method not in METHODS or not isinstance(url, str):
            raise bad_request("Invalid batch payload format.")
        if id_text.lower() in seen:
            raise bad_request(f"Request Id has to be unique in a batch. Duplicate id: {id_text}")
        seen.add(id_text.lower())
        names = {name.lower() for name in request.get("headers") or {}}
        if request.get("body") is not None and "content-type" not in names:
            raise bad_request(f"Write request id : {id_text} does not contain Content-Type header or body.")
    for request in requests:
        if any(str(other).lower() not in seen for other in _parents(request)):
            raise bad_request(f"Request {request['id']} depends on a request that is not in the batch.")
    return requests


def _parents(request: dict[str, Any]) -> list[str]:
    return request.get("dependsOn") or request.get("depends_on") or []


def _item(call: Call, request: dict[str, Any]) -> Call:
    """The call that an item stands for."""
    url, headers = request["url"], {name.lower(): str(value) for name, value in (request.get("headers") or {}).items()}
    parts = urlsplit(url)
    version = "/v1.0/"
    if call.switches.batch_strict and (parts.scheme or not url.startswith("/") or url.startswith(version)):
        raise bad_request("Invalid batch payload format: the url of a request must be relative to the version.")
    path, query = split_url(url)
    path = "/" + path.lstrip("/")
    if path.startswith(version):
        path = path[len(version) - 1 :]
    body = request.get("body")
    if isinstance(body, str) and "json" not in headers.get("content-type", ""):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise bad_request("Invalid batch payload format.") from None
    return replace(
        call,
        method=str(request["method"]).upper(),
        path=path,
        query=query,
        headers=headers,
        body=body,
        size=len(json.dumps(body)) if call.switches.throttle and not isinstance(body, bytes) else 0,
        is_item=True,
        rules=[],
        pause=0.0,
    )


def _ordered(requests: list[dict[str, Any]], call: Call) -> list[dict[str, Any]]:
    """The items in the order in which they are done: shuffled, but each after those that it depends on."""
    waiting = list(requests)
    if call.switches.batch_order == "shuffled" and not any(_parents(request) for request in requests):
        random.shuffle(waiting)
        return waiting
    ordered: list[dict[str, Any]] = []
    finished: set[str] = set()
    while waiting:
        ready = [request for request in waiting if all(str(parent).lower() in finished for parent in _parents(request))]
        if not ready:
            raise bad_request("The requests of the batch depend on each other in a circle.")
        ordered += ready
        finished |= {request["id"].lower() for request in ready}
        waiting = [request for request in waiting if request["id"].lower() not in finished]
    return ordered


def _done(graph: Graph, item: Call, request: dict[str, Any], done: dict[str, Answer], let_in: bool) -> Answer:
    by_low = {id_text.lower(): answer for id_text, answer in done.items()}
    if any((parent := by_low.get(str(name).lower())) is None or parent.status >= 400 for name in _parents(request)):
        return Refusal(424, "FailedDependency", "The request depends on one that failed.").answer()
    if item.path.lower().startswith("/$batch"):
        return bad_request("A batch cannot hold a batch.").answer()
    if not let_in:
        return over_limit("MailboxConcurrency", item.switches).answer()
    return graph.answer(item)


def _first_mailbox(graph: Graph, calls: dict[str, Call]) -> str:
    """For counting what is under way; a batch over several mailboxes counts for its first."""
    for item in calls.values():
        try:
            return graph.mailbox(item).oid
        except Refusal:
            continue
    return ""


def _pause(call: Call, calls: dict[str, Call], requests: list[dict[str, Any]], spent: float) -> None:
    """Take as long as Exchange would: four items at a time, one at a time where they depend on each other."""
    lanes = 1 if any(_parents(request) for request in requests) else LANES
    waves = -(-len(calls) // lanes)
    seconds = waves * call.switches.item_ms / 1000 + max(item.pause for item in calls.values())
    if seconds > spent:
        time.sleep(seconds - spent)


def _noted(item: Call, answer: Answer | None) -> dict[str, Any]:
    mailbox = item.found_mailbox
    return {
        "method": item.method,
        "path": item.path,
        "status": answer.status if answer else 0,
        "mailbox": mailbox.email if mailbox else "",
        "prefer": item.headers.get("prefer", ""),
    }


def _response(id_text: str, answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"id": id_text, "status": answer.status, "headers": dict(answer.headers)}
    if isinstance(answer.body, bytes):
        try:
            response["body"] = json.loads(answer.body)
        except ValueError:
            response["body"] = base64.b64encode(answer.body).decode()
    elif answer.body is not None:
        response["headers"].setdefault("Content-Type", "application/json")
        response["body"] = answer.body
    return response
