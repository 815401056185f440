"""The sandbox tenant as one WSGI application: sign-in, Graph, the People page and the switches."""

import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from crmsync.sandbox import control, login, people
from crmsync.sandbox.answers import JSON_TYPE, Answer, Refusal, bad_request, unreadable_json
from crmsync.sandbox.batch import batch
from crmsync.sandbox.call import Call, split_url
from crmsync.sandbox.faults import CUT, GRAPH, Cut, spoiled
from crmsync.sandbox.graph import path_of
from crmsync.sandbox.sandbox import Registration, Sandbox
from crmsync.sandbox.traffic import Entry, over_limit

VERSION = "/v1.0"
MOST_BYTES = 4_000_000
DIAGNOSTIC = (
    '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1","ScaleUnit":"001","RoleInstance":"SANDBOX01"}}'
)


def create_app(state: Path, registration: Registration | None = None) -> Flask:
    """The application over the state in the file `state`."""
    sandbox = Sandbox(state, registration or Registration())
    app = Flask(__name__, static_url_path="/people/assets", static_folder="assets", template_folder="pages")
    app.add_template_filter(initials)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.secret_key = sandbox.store.secret
    app.config.update(
        MAX_CONTENT_LENGTH=20_000_000,
        SESSION_COOKIE_NAME="sandbox",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PATH="/people",
    )
    app.extensions["sandbox"] = sandbox
    app.register_blueprint(login.pages(sandbox))
    app.register_blueprint(control.pages(sandbox))
    app.register_blueprint(people.pages(sandbox))
    app.add_url_rule(
        f"{VERSION}/<path:rest>",
        view_func=lambda rest: graph_answer(sandbox),
        endpoint="graph",
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    )
    app.wsgi_app = Scissors(app.wsgi_app)  # type: ignore[method-assign]
    return app


def initials(name: str) -> str:
    """The two letters of a person's avatar."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


class Scissors:
    """Cuts the connection where a fault asks for it (`crmsync.sandbox.faults` says how)."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self.application(environ, start_response)
        if environ.get(CUT):
            raise Cut
        return answer


def graph_answer(sandbox: Sandbox) -> Response:
    """One request to Graph, from the first header to the last."""
    entry = Entry(GRAPH, request.method, request.full_path.removeprefix(VERSION).rstrip("?"), headers=_logged_headers())
    request_id = request.headers.get("client-request-id") or str(uuid.uuid4())
    try:
        try:
            answer = _answered(sandbox, entry, request_id)
        except Refusal as refusal:
            answer = refusal.answer(request_id)
        entry.status = answer.status
    except Cut:
        request.environ[CUT] = True
        answer = Answer(500)
    sandbox.traffic.note(entry)
    latency = sandbox.store.switches.latency_ms
    if latency:
        time.sleep(latency / 1000)
    return _response(answer, request_id)


def _answered(sandbox: Sandbox, entry: Entry, request_id: str) -> Answer:
    call = _call(sandbox)
    if call.path.lower() == "/$batch":
        return _batch_answered(sandbox, call, entry, request_id)
    if call.segments[0].lower() == "subscriptions":
        return sandbox.subscriptions.answer(call)
    try:
        key = sandbox.graph.mailbox(call)
    except Refusal as refusal:
        return refusal.answer(request_id)
    entry.mailbox = key.email
    with sandbox.traffic.inside(key.oid, 1, call.switches) as lanes:
        if not lanes:
            raise over_limit("MailboxConcurrency", call.switches)
        answer = sandbox.graph.answer(call)
        if pause := call.pause + call.switches.item_ms / 1000:
            time.sleep(pause)
    return answer


def _batch_answered(sandbox: Sandbox, call: Call, entry: Entry, request_id: str) -> Answer:
    if call.method != "POST":
        raise bad_request("A batch must be posted.")
    rules = sandbox.faults.striking(GRAPH, "POST", path_of(call), _mailbox_of(sandbox, call))
    for rule in rules:
        if rule.do == "drop" and rule.keep_items >= 0:
            return batch(sandbox.graph, call, entry, rule.keep_items)
        if rule.answers_early:
            return rule.early_answer(request_id)
    answer = spoiled(rules, batch(sandbox.graph, call, entry), request_id)
    if pause := sum(rule.seconds for rule in rules if rule.do == "delay"):
        time.sleep(pause)
    return answer


def _mailbox_of(sandbox: Sandbox, call: Call) -> str:
    """The e-mail of the person who sends a batch; an application's batch is on nobody's mailbox."""
    return sandbox.people.find(call.caller.oid)["email"] if call.caller.oid else ""


def _call(sandbox: Sandbox) -> Call:
    """The request as a call. Refusal: 401 without a good token, 400 when the JSON can't be read."""
    caller = sandbox.tokens.caller(request.headers.get("Authorization", ""))
    raw = request.get_data()
    if len(raw) > MOST_BYTES:
        raise Refusal(413, "RequestEntityTooLarge", "The request is larger than 4 MB.")
    body: Any = raw or None
    if raw and "json" in (request.content_type or ""):
        body = request.get_json(silent=True)
        if body is None:
            raise unreadable_json()
    path, query = split_url(request.environ.get("REQUEST_URI") or request.full_path)
    return Call(
        method=request.method,
        path=path.removeprefix(VERSION),
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        root=request.host_url.rstrip("/") + VERSION,
        caller=caller,
        switches=sandbox.store.switches,
        size=len(raw),
    )


def _logged_headers() -> dict[str, str]:
    """The headers that say something about the client, and no secret."""
    names = ("Prefer", "If-Match", "Content-Type", "User-Agent", "client-request-id", "Connection")
    return {name: request.headers[name] for name in names if name in request.headers}


def _response(answer: Answer, request_id: str) -> Response:
    response = Response(answer.content(), status=answer.status)
    response.headers["Content-Type"] = JSON_TYPE
    if not response.data:
        del response.headers["Content-Type"]
    response.headers.update(answer.headers)
    response.headers["request-id"] = str(uuid.uuid4())
    response.headers["client-request-id"] = request_id
    response.headers["x-ms-ags-diagnostic"] = DIAGNOSTIC
    response.headers["Cache-Control"] = "private"
    return response
