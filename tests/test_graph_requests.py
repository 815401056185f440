"""The one request path: who it talks to, how long it waits, and what it makes of every answer."""

import base64
import json
import logging
from collections.abc import Iterator

import pytest

from exchange_setup.graph.calls import Create, Delete, Get, Update
from exchange_setup.graph.client import GraphClient
from exchange_setup.graph.errors import (
    AccessDenied,
    BadAnswer,
    ChangedMeanwhile,
    FolderGone,
    GraphError,
    MailboxUnavailable,
    NeedsSignIn,
    NotFound,
    OutcomeUnknown,
    QuotaFull,
    Refused,
    ResyncRequired,
    RunError,
    Throttled,
    Unreachable,
)
from tests.scripted import HANG_UP, Script, scripted_server

FOLDER = {"id": "F1", "displayName": "Business Central"}
CONTACT = {"id": "C1", "displayName": "Ada"}
PAGE = {"value": [], "@odata.deltaLink": "{url}/me/contacts/delta?$deltatoken=1"}


class Tokens:
    """Counts what the client asks for."""

    def __init__(self) -> None:
        self.asked: list[tuple[bool, str | None]] = []

    def __call__(self, force: bool = False, claims: str | None = None) -> str:
        self.asked.append((force, claims))
        return f"secret-token-{sum(forced for forced, _ in self.asked)}"


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def graph(script: Script, waits: list[float], tokens: Tokens) -> Iterator[GraphClient]:
    with GraphClient(script.url, "", tokens, wait=waits.append, timeout=(2, 2)) as graph:
        yield graph


def error(code: str, message: str = "Something.") -> dict[str, dict[str, str]]:
    return {"error": {"code": code, "message": message}}


def test_every_request_asks_for_immutable_ids_and_shows_its_token(graph: GraphClient, script: Script) -> None:
    script.say(200, FOLDER)
    assert graph.folder("F/1=").name == "Business Central"
    heard = script.heard[0]
    assert heard.path.startswith("/v1.0/me/contactFolders/F%2F1%3D?")
    assert heard.headers["authorization"] == "Bearer secret-token-0"
    assert 'IdType="ImmutableId"' in heard.headers["prefer"]
    assert len(heard.headers["client-request-id"]) == 36


def test_another_mailbox_is_named_in_the_path(script: Script, tokens: Tokens) -> None:
    script.say(200, FOLDER)
    with GraphClient(script.url, "jane+x@contoso.example", tokens) as graph:
        graph.folder("F1")
    assert script.heard[0].path.startswith("/v1.0/users/jane%2Bx%40contoso.example/contactFolders/F1")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "ErrorAccessDenied", AccessDenied),
        (403, "SomethingNew", AccessDenied),
        (403, "ErrorQuotaExceeded", QuotaFull),
        (507, "quotaLimitReached", QuotaFull),
        (404, "MailboxNotEnabledForRESTAPI", MailboxUnavailable),
        (404, "ErrorNonExistentMailbox", MailboxUnavailable),
        (404, "ErrorItemNotFound", FolderGone),
        (404, "ErrorFolderNotFound", FolderGone),
        (400, "ErrorInvalidIdMalformed", FolderGone),
        (400, "BadRequest", BadAnswer),
        (410, "SyncStateNotFound", ResyncRequired),
        (418, "Teapot", BadAnswer),
    ],
)
def test_an_unwanted_answer_about_a_folder_is_the_error_that_it_means(
    graph: GraphClient, script: Script, status: int, code: str, kind: type[GraphError]
) -> None:
    script.say(status, error(code))
    with pytest.raises(kind) as caught:
        graph.delta("F1")
    assert code in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "ErrorItemNotFound", NotFound),
        (404, "itemNotFound", NotFound),
        (400, "ErrorInvalidIdMalformed", NotFound),
        (400, "ErrorInvalidProperty", Refused),
        (413, "", Refused),
        (412, "ErrorIrresolvableConflict", ChangedMeanwhile),
        (412, "resourceModified", ChangedMeanwhile),
    ],
)
def test_an_unwanted_answer_about_one_contact_is_that_contacts_own(
    graph: GraphClient, script: Script, status: int, code: str, kind: type[GraphError]
) -> None:
    script.say(status, error(code))
    [answer] = graph.batch([Update("C1", {"givenName": "Ada"})])
    assert type(answer) is kind


def test_a_refusal_keeps_outlooks_own_words(graph: GraphClient, script: Script) -> None:
    script.say(400, error("ErrorInvalidRequest", "The multi value property EmailAddresses has 4 entries."))
    [answer] = graph.batch([Create("F1", {})])
    assert isinstance(answer, Refused)
    assert (answer.code, answer.message[:9]) == ("ErrorInvalidRequest", "The multi")


def test_a_code_is_found_in_the_inner_error_and_in_any_case(graph: GraphClient, script: Script) -> None:
    script.say(400, {"error": {"code": "x", "message": "", "innerError": {"code": "SYNCSTATENOTFOUND"}}})
    with pytest.raises(ResyncRequired):
        graph.delta("F1")


@pytest.mark.parametrize("status", [400, 410])
def test_a_dead_link_asks_for_a_fresh_reading(graph: GraphClient, script: Script, status: int) -> None:
    script.say(status, error("ErrorInvalidIdMalformed"))
    with pytest.raises(ResyncRequired):
        graph.delta("F1", f"{script.url}/me/contacts/delta?$deltatoken=1")


def test_a_link_that_is_not_found_means_that_the_folder_is_gone(graph: GraphClient, script: Script) -> None:
    script.say(404, error("ErrorItemNotFound"))
    with pytest.raises(FolderGone):
        graph.delta("F1", f"{script.url}/me/contacts/delta?$deltatoken=1")


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v1.0/me/contacts/delta",
        "{address}@evil.example/v1.0/me/contacts/delta",
        "{address}.evil.example/v1.0/me",
        "http://user@{host}/v1.0/me/contacts",
        "{address}/beta/me/contacts",
        "{address}/v1.0/../beta/me",
        "{address}/v1.0/%2e%2e/beta/me",
        "{address}/v1.0\\@evil.example/me",
        "{address}/v1.0/me contacts",
        "https://{host}/v1.0/me/contacts",
        "http://127.0.0.1:1/v1.0/me/contacts",
        "/v1.0/me/contacts",
        "http://[::1/v1.0/me",
    ],
)
def test_it_never_follows_a_link_to_anywhere_else(graph: GraphClient, script: Script, link: str) -> None:
    link = link.format(address=script.address, host=script.address.removeprefix("http://"))
    script.say(200, {"value": [], "@odata.nextLink": link})
    with pytest.raises(BadAnswer):
        graph.delta("F1")
    with pytest.raises(BadAnswer):
        graph.delta("F1", link)
    assert graph.requests == 1


def test_it_never_follows_a_redirect(graph: GraphClient, script: Script) -> None:
    script.say(302, None, Location="https://evil.example/")
    with pytest.raises(BadAnswer):
        graph.folder("F1")
    assert len(script.heard) == 1


def test_it_renews_the_token_once_and_passes_the_claims_on(graph: GraphClient, script: Script, tokens: Tokens) -> None:
    wanted = json.dumps({"access_token": {"nbf": {"essential": True}}})
    encoded = base64.b64encode(wanted.encode()).decode()
    script.say(401, error("InvalidAuthenticationToken"), WWW_Authenticate=f'Bearer realm="", claims="{encoded}"')
    script.say(200, FOLDER)
    graph.folder("F1")
    assert tokens.asked == [(False, None), (True, wanted)]
    assert [heard.headers["authorization"][-1] for heard in script.heard] == ["0", "1"]


def test_a_second_refusal_of_the_token_needs_a_sign_in(graph: GraphClient, script: Script, tokens: Tokens) -> None:
    script.say(401, error("InvalidAuthenticationToken"))
    with pytest.raises(NeedsSignIn):
        graph.folder("F1")
    assert len(script.heard) == 2
    assert [force for force, _ in tokens.asked] == [False, True]


@pytest.mark.parametrize("status", [429, 503, 504, 502, 509, 423])
def test_it_waits_as_long_as_it_is_told_and_tries_again(
    graph: GraphClient, script: Script, waits: list[float], status: int
) -> None:
    script.say(status, error("TooManyRequests"), Retry_After="2.128")
    script.say(200, FOLDER)
    graph.folder("F1")
    assert 3 <= sum(waits) < 4
    assert graph.requests == 2


def test_it_waits_in_slices_of_five_seconds(graph: GraphClient, script: Script, waits: list[float]) -> None:
    script.say(429, error("ApplicationThrottled"), Retry_After="12")
    script.say(200, FOLDER)
    graph.folder("F1")
    assert waits[:2] == [5.0, 5.0] and len(waits) == 3


def test_it_waits_longer_each_time_where_it_is_not_told(graph: GraphClient, script: Script, waits: list[float]) -> None:
    for _ in range(3):
        script.say(503)
    script.say(200, FOLDER)
    graph.folder("F1")
    assert [round(wait) for wait in waits] == [1, 2, 4]


@pytest.mark.parametrize("header", ["61", "3600", "inf", "soon", "Wed, 21 Oct 2115 07:28:00 GMT"])
def test_it_gives_up_rather_than_wait_more_than_a_minute(
    graph: GraphClient, script: Script, waits: list[float], header: str
) -> None:
    script.say(429, error("ApplicationThrottled"), Retry_After=header)
    with pytest.raises(Throttled) as caught:
        graph.folder("F1")
    assert sum(waits) <= 66
    assert caught.value.retry_after >= 60


def test_it_gives_up_after_some_tries_even_when_told_to_come_back_at_once(graph: GraphClient, script: Script) -> None:
    script.say(429, error("ApplicationThrottled"), Retry_After="0")
    with pytest.raises(Throttled):
        graph.folder("F1")
    assert graph.requests == 8


def test_whatever_the_wait_raises_ends_the_request(script: Script, tokens: Tokens) -> None:
    class Cancelled(Exception):
        pass

    def wait(seconds: float) -> None:
        raise Cancelled

    script.say(429, Retry_After="1")
    with GraphClient(script.url, "", tokens, wait=wait) as graph, pytest.raises(Cancelled):
        graph.folder("F1")


@pytest.mark.parametrize("line", [(HANG_UP, None), (200, b"<html>"), (200, b'{"id": '), (200, b"[" * 100_000)])
def test_a_lost_or_garbled_answer_is_asked_for_again(graph: GraphClient, script: Script, line: tuple) -> None:
    script.say(*line)
    script.say(200, FOLDER)
    assert graph.folder("F1").id == "F1"
    assert graph.requests == 2


def test_a_mailbox_that_never_answers_is_unreachable(graph: GraphClient, script: Script) -> None:
    script.say(HANG_UP)
    with pytest.raises(Unreachable):
        graph.folder("F1")
    assert graph.requests == 3


@pytest.mark.parametrize("body", [b"<html>", b'"text"', b"[]", b"\xff\xfe"])
def test_an_answer_that_stays_garbled_is_a_bad_one(graph: GraphClient, script: Script, body: bytes) -> None:
    script.say(200, body)
    with pytest.raises(BadAnswer):
        graph.folder("F1")


def test_an_answer_without_end_is_refused(graph: GraphClient, script: Script, monkeypatch) -> None:
    monkeypatch.setattr("exchange_setup.graph.transport.LARGEST_ANSWER", 100_000)
    script.say(200, b" " * 200_000)
    with pytest.raises(BadAnswer, match="larger"):
        graph.folder("F1")


def test_nobody_listening_is_unreachable_even_for_a_create(tokens: Tokens, waits: list[float]) -> None:
    with GraphClient("http://127.0.0.1:1/v1.0", "", tokens, wait=waits.append) as graph, pytest.raises(Unreachable):
        graph.batch([Create("F1", {})])


@pytest.mark.parametrize("line", [(HANG_UP, None), (500, None), (502, None), (503, None), (504, None), (201, b"{")])
def test_a_create_is_never_sent_twice_when_it_may_have_been_carried_out(
    graph: GraphClient, script: Script, line: tuple
) -> None:
    script.say(*line)
    [answer] = graph.batch([Create("F1", {"givenName": "Ada"})])
    assert isinstance(answer, OutcomeUnknown)
    assert len(script.heard) == 1


@pytest.mark.parametrize("status", [429, 423])
def test_a_create_that_was_not_carried_out_is_sent_again(graph: GraphClient, script: Script, status: int) -> None:
    script.say(status, None, Retry_After="0")
    script.say(201, CONTACT)
    assert graph.batch([Create("F1", {})]) == [CONTACT]


def test_a_create_answered_without_an_id_is_an_unknown_outcome(graph: GraphClient, script: Script) -> None:
    script.say(201, {"displayName": "Ada"})
    assert isinstance(graph.batch([Create("F1", {})])[0], OutcomeUnknown)


@pytest.mark.parametrize("call", [Update("C1", {"givenName": "Ada"}), Get("C1"), Delete("C1")])
def test_any_other_call_is_sent_again_until_it_is_answered(graph: GraphClient, script: Script, call) -> None:
    script.say(HANG_UP)
    script.say(504)
    script.say(200, CONTACT)
    assert graph.batch([call]) == [CONTACT]


def test_a_contact_that_outlook_cannot_read_does_not_stop_the_rest(graph: GraphClient, script: Script) -> None:
    script.say(500, error("ErrorCorruptData"))
    [answer] = graph.batch([Get("C1")])
    assert isinstance(answer, Refused) and answer.code == "ErrorCorruptData"
    assert graph.requests == 3


def test_an_update_may_be_tied_to_the_version_that_was_read(graph: GraphClient, script: Script) -> None:
    script.say(200, CONTACT)
    graph.batch([Update("C1", {}, change_key="EQAAABYAAAA")])
    assert script.heard[0].headers["if-match"] == 'W/"EQAAABYAAAA"'


def test_nothing_secret_reaches_the_log(graph: GraphClient, script: Script, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script.say(HANG_UP)
    script.say(503, error("serviceNotAvailable"))
    script.say(200, FOLDER)
    graph.folder("F1")
    assert "serviceNotAvailable" in caplog.text
    assert "secret-token" not in caplog.text


def test_every_run_error_has_its_trouble_or_none() -> None:
    troubles = {kind.trouble for kind in RunError.__subclasses__()}
    assert troubles == {
        "", "needs_sign_in", "access_denied", "mailbox_unavailable", "mailbox_changed", "folder_gone", "quota_full",
    }  # fmt: skip
