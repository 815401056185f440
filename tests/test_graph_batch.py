"""Batches: answers in the order of the calls, only what failed is sent again, and nothing is made twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from exchange_setup.graph.calls import Create, Delete, FindMarker, Get, Update
from exchange_setup.graph.client import GraphClient
from exchange_setup.graph.errors import (
    AccessDenied,
    FolderGone,
    NeedsSignIn,
    NotFound,
    OutcomeUnknown,
    QuotaFull,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_setup.graph.properties import MARKER
from tests.scripted import HANG_UP, Script, scripted_server

CREATES = [Create("F1", {"givenName": name}) for name in ("Ada", "Bo", "Carla")]


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def forced() -> list[str | None]:
    return []


@pytest.fixture
def graph(script: Script, waits: list[float], forced: list[str | None]) -> Iterator[GraphClient]:
    def token(force: bool = False, claims: str | None = None) -> str:
        if force:
            forced.append(claims)
        return f"token-{len(forced)}"

    with GraphClient(script.url, "", token, wait=waits.append, timeout=(2, 2)) as graph:
        yield graph


def item(name: int | str, status: int, body: Any = None, **headers: str) -> dict[str, Any]:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return {"id": str(name), "status": status, "headers": named, "body": body}


def contact(name: str) -> dict[str, Any]:
    return {"id": name, "displayName": name}


def failed(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": ""}}


def asked(script: Script, request: int = -1) -> list[str]:
    return [entry["id"] for entry in script.heard[request].body["requests"]]


def test_answers_come_in_the_order_of_the_calls(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(2, 201, contact("c")), item(0, 201, contact("a")), item(1, 201, contact("b"))]})
    assert [answer["id"] for answer in graph.batch(CREATES)] == ["a", "b", "c"]
    assert graph.requests == 1


def test_each_item_is_relative_and_has_its_own_headers(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(0, 201, contact("a")), item(1, 200, contact("b")), item(2, 204)]})
    graph.batch([CREATES[0], Update("b=", {"surname": "X"}, change_key="K"), Delete("c")])
    first, second, third = script.heard[0].body["requests"]
    assert script.heard[0].path == "/v1.0/$batch"
    assert (first["method"], first["url"]) == ("POST", "/me/contactFolders/F1/contacts")
    assert first["headers"] == {"Prefer": 'IdType="ImmutableId"', "Content-Type": "application/json"}
    assert (second["url"], second["headers"]["If-Match"]) == ("/me/contacts/b%3D", 'W/"K"')
    assert (third["method"], "body" in third, third["headers"]) == ("DELETE", False, {"Prefer": 'IdType="ImmutableId"'})


def test_only_what_was_throttled_is_sent_again_after_the_longest_wait(
    graph: GraphClient, script: Script, waits: list[float]
) -> None:
    busy = failed("ApplicationThrottled")
    throttled = [item(0, 429, busy, Retry_After="1"), item(2, 429, busy, RETRY_AFTER="3")]
    script.say(200, {"responses": [*throttled, item(1, 201, contact("b"))]})
    script.say(200, {"responses": [item(2, 201, contact("c")), item(0, 424, failed("FailedDependency"))]})
    script.say(200, {"responses": [item(0, 201, contact("a"))]})
    assert [answer["id"] for answer in graph.batch(CREATES)] == ["a", "b", "c"]
    assert [asked(script, n) for n in range(3)] == [["0", "1", "2"], ["0", "2"], ["0"]]
    assert 3 <= waits[0] < 4


def test_a_create_that_may_have_been_carried_out_is_not_sent_again(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(0, 503, {}), item(1, 504, {}), item(2, 201, contact("c"))]})
    answers = graph.batch(CREATES)
    assert [type(answer) for answer in answers] == [OutcomeUnknown, OutcomeUnknown, dict]
    assert graph.requests == 1


def test_any_other_call_is_sent_again_after_a_503(graph: GraphClient, script: Script) -> None:
    calls = [Update("a", {}), Get("b"), Delete("c")]
    script.say(200, {"responses": [item(n, 503, {}) for n in range(3)]})
    script.say(200, {"responses": [item(0, 200, contact("a")), item(1, 200, contact("b")), item(2, 204)]})
    assert graph.batch(calls) == [contact("a"), contact("b"), {}]


@pytest.mark.parametrize("line", [(HANG_UP, None), (503, None), (200, b"<html>")])
def test_when_the_whole_answer_is_lost_only_the_creates_are_unknown(
    graph: GraphClient, script: Script, line: tuple
) -> None:
    script.say(*line)
    script.say(200, {"responses": [item(1, 200, contact("b"))]})
    answers = graph.batch([CREATES[0], Update("b", {})])
    assert isinstance(answers[0], OutcomeUnknown)
    assert answers[1] == contact("b")
    assert asked(script) == ["1"]


def test_a_throttled_batch_is_sent_again_whole(graph: GraphClient, script: Script) -> None:
    script.say(429, None, Retry_After="1")
    script.say(200, {"responses": [item(n, 201, contact(str(n))) for n in range(3)]})
    assert len(graph.batch(CREATES)) == 3
    assert asked(script) == ["0", "1", "2"]


@pytest.mark.parametrize(
    "responses",
    [
        None,
        "text",
        [None, 3, {"id": "9", "status": 201}, {"id": "0"}, {"id": None, "status": 201}],
        [item(0, 201, {"displayName": "no id"}), item(1, 201, None)],
        [item(0, 201, {"id": 5}), item(1, 200, {"id": ["x"]})],
    ],
)
def test_missing_and_senseless_answers_count_as_lost(graph: GraphClient, script: Script, responses: Any) -> None:
    script.say(200, {"responses": responses})
    script.say(200, {"responses": [item(1, 200, contact("b"))]})
    answers = graph.batch([CREATES[0], Update("b", {})])
    assert isinstance(answers[0], OutcomeUnknown)
    assert answers[1] == contact("b")


def test_an_item_that_never_makes_sense_fails_alone(graph: GraphClient, script: Script) -> None:
    good = item(0, 200, contact("a"))
    script.say(200, {"responses": [good, item(1, 200, {"id": 7})]})
    script.say(200, {"responses": [item(1, 200, {"id": 7})]})
    answers = graph.batch([Get("a"), Get("b")])
    assert answers[0] == contact("a")
    assert isinstance(answers[1], Refused)


def test_errors_of_items_stay_with_their_items(graph: GraphClient, script: Script) -> None:
    bad = [item(0, 404, failed("ErrorItemNotFound")), item(1, 400, failed("ErrorX"))]
    script.say(200, {"responses": [*bad, item(2, 200, contact("c"))]})
    assert [type(answer) for answer in graph.batch([Get("a"), Update("b", {}), Get("c")])] == [NotFound, Refused, dict]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "ErrorAccessDenied", AccessDenied), (507, "", QuotaFull), (404, "ErrorItemNotFound", FolderGone)],
)
def test_trouble_of_the_whole_run_stops_the_batch_and_tells_what_was_done(
    graph: GraphClient, script: Script, status: int, code: str, kind: type[Exception]
) -> None:
    script.say(
        200, {"responses": [item(0, 201, contact("a")), item(1, status, failed(code)), item(2, 201, contact("c"))]}
    )
    with pytest.raises(kind) as caught:
        graph.batch(CREATES)
    assert caught.value.answers == (contact("a"), None, contact("c"))


def test_a_batch_that_stays_throttled_tells_what_was_done(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(0, 201, contact("a")), item(1, 429, {}, Retry_After="120")]})
    with pytest.raises(Throttled) as caught:
        graph.batch(CREATES[:2])
    assert caught.value.retry_after == 120
    assert caught.value.answers == (contact("a"), None)


def test_items_that_find_the_token_stale_are_sent_again_with_a_fresh_one(
    graph: GraphClient, script: Script, forced: list[str | None]
) -> None:
    script.say(200, {"responses": [item(0, 201, contact("a")), item(1, 401, {}, WWW_Authenticate="Bearer")]})
    script.say(200, {"responses": [item(1, 201, contact("b"))]})
    assert len(graph.batch(CREATES[:2])) == 2
    assert forced == [None]


def test_items_that_find_every_token_stale_need_a_sign_in(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(0, 401, {}), item(1, 401, {})]})
    with pytest.raises(NeedsSignIn):
        graph.batch(CREATES[:2])
    assert graph.requests == 2


def test_a_marker_is_looked_for_in_the_folder(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(0, 200, {"value": [contact("a")]}), item(1, 200, {"value": []})]})
    found = graph.batch([FindMarker("F1", "m1"), FindMarker("F1", "m2")])
    assert [answer["value"] for answer in found] == [[contact("a")], []]
    url = script.heard[0].body["requests"][0]["url"]
    assert MARKER.replace(" ", "%20").replace("{", "%7B").replace("}", "%7D") in url
    assert "+" not in url


def test_a_marker_list_that_stays_unreadable_stops_the_run(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(0, 200, {"value": [None]}), item(1, 200, {"value": []})]})
    script.say(200, {"responses": [item(0, 200, {"value": "?"})]})
    with pytest.raises(Unreachable):
        graph.batch([FindMarker("F1", "m1"), FindMarker("F1", "m2")])


def test_no_calls_cost_no_request_and_twenty_one_are_too_many(graph: GraphClient) -> None:
    assert graph.batch([]) == []
    with pytest.raises(ValueError, match="20"):
        graph.batch([Get("a")] * 21)
    assert graph.requests == 0


# Begun in the background --------------------------------------------------------------------------------------------


def test_a_batch_that_was_begun_is_under_way_until_it_is_asked_for(graph: GraphClient, script: Script) -> None:
    answers = graph.begin_batch(CREATES)
    script.say(200, {"responses": [item(n, 201, contact(str(n))) for n in range(3)]})
    assert [answer["id"] for answer in answers()] == ["0", "1", "2"]
    assert graph.requests == 1


def test_a_batch_that_was_begun_is_sent_again_like_any_other(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": [item(0, 401, {}), item(1, 201, contact("b")), item(2, 429, {}, Retry_After="1")]})
    answers = graph.begin_batch(CREATES)
    script.say(HANG_UP)
    assert [type(answer) for answer in answers()] == [OutcomeUnknown, dict, OutcomeUnknown]
    assert asked(script) == ["0", "2"]


def test_a_begun_batch_tells_of_its_trouble_when_it_is_asked_for(script: Script) -> None:
    def no_token(force: bool = False, claims: str | None = None) -> str:
        raise NeedsSignIn("signed out")

    with GraphClient(script.url, "", no_token) as graph:
        answers = graph.begin_batch(CREATES)
        with pytest.raises(NeedsSignIn, match="signed out") as trouble:
            answers()
    assert trouble.value.answers == (None, None, None)
    assert script.heard == []


def test_closing_waits_for_what_is_under_way(graph: GraphClient, script: Script) -> None:
    script.say(200, {"responses": []})
    graph.begin_batch(CREATES)
    graph.close()
    assert len(script.heard) == 1
