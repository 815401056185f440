"""Batches: up to twenty calls in one request, in any order, four at a time, each for itself."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.outlook import Caller, Mailbox, Tenant

ANNE, JIM = "anne@contoso.example", "jim@contoso.example"


@pytest.fixture
def anne(sandbox: Tenant) -> Mailbox:
    return sandbox.add_person(ANNE)


@pytest.fixture
def graph(sandbox: Tenant, anne: Mailbox) -> Caller:
    return sandbox.caller(ANNE)


def creates(count: int) -> list[tuple[str, str, Any]]:
    return [("POST", "/me/contacts", {"givenName": f"P{n}"}) for n in range(count)]


def statuses(response: requests.Response) -> dict[str, int]:
    return {one["id"]: one["status"] for one in response.json()["responses"]}


def test_twenty_contacts_are_created_in_one_request_and_answered_in_any_order(sandbox: Tenant, graph: Caller):
    orders = set()
    for _ in range(3):
        responses = graph.batch(*creates(20)).json()["responses"]
        assert {one["body"]["givenName"] for one in responses} == {f"P{n}" for n in range(20)}
        assert all(one["body"]["givenName"] == f"P{one['id']}" for one in responses)
        assert all(one["status"] == 201 and one["body"]["id"].startswith("AAkALg") for one in responses)
        orders.add(tuple(one["id"] for one in responses))
    assert len(orders) > 1
    assert [len(entry["batch_items"]) for entry in sandbox.requests()] == [20, 20, 20]
    sandbox.settings(batch_order="as_sent")
    assert list(statuses(graph.batch(*creates(5)))) == ["0", "1", "2", "3", "4"]


def test_items_are_independent(graph: Caller, anne: Mailbox):
    ada = anne.add("Contacts", givenName="Ada")["id"]
    response = graph.batch(
        ("GET", f"/me/contacts/{ada}", None),
        ("PATCH", f"/me/contacts/{ada}", {"nonsense": 1}),
        ("DELETE", f"/me/contacts/{ada}x", None),
        ("GET", "/me/nonsense", None),
        ("POST", "/me/contacts", {"givenName": "Bo"}),
    )
    assert response.status_code == 200
    found = statuses(response)
    assert (found["0"], found["1"], found["3"], found["4"]) == (200, 400, 400, 201) and found["2"] in {400, 404}
    delete = graph.batch(("DELETE", f"/me/contacts/{ada}", None)).json()["responses"][0]
    assert delete["status"] == 204 and "body" not in delete


def test_each_item_says_for_itself_which_ids_it_wants(graph: Caller, anne: Mailbox):
    anne.add("Contacts", givenName="Ada")
    items = [
        {"id": "with", "method": "GET", "url": "/me/contacts", "headers": {"prefer": 'IdType="ImmutableId"'}},
        {"id": "without", "method": "GET", "url": "/me/contacts"},
    ]
    responses = {one["id"]: one for one in graph.post("/$batch", {"requests": items}).json()["responses"]}
    assert len(responses["with"]["body"]["value"][0]["id"]) == 68
    assert len(responses["without"]["body"]["value"][0]["id"]) == 152


GET = {"id": "1", "method": "GET", "url": "/me/contacts"}


@pytest.mark.parametrize(
    "items",
    [
        [{**GET, "id": str(n)} for n in range(21)],
        [{**GET, "id": "a"}, {**GET, "id": "A"}],
        [{"id": "1", "method": "POST", "url": "/me/contacts", "body": {}}],
        [{"id": "1", "url": "/me/contacts"}],
        [{**GET, "id": 1}],
        [{**GET, "dependsOn": ["2"]}],
        [{**GET, "dependsOn": ["2"]}, {**GET, "id": "2", "dependsOn": ["1"]}],
        [],
        "nonsense",
    ],
    ids=["21", "same id", "no content type", "no method", "id no text", "unknown parent", "circle", "none", "no list"],
)  # fmt: skip
def test_what_is_no_batch_is_refused_as_a_whole(graph: Caller, items: Any):
    response = graph.post("/$batch", {"requests": items})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "BadRequest")


def test_a_child_waits_for_its_parent_and_fails_with_it(graph: Caller):
    def item(name: str, body: dict[str, Any], *parents: str) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        return {
            "id": name,
            "method": "POST",
            "url": "/me/contacts",
            "headers": headers,
            "body": body,
            "dependsOn": [*parents],
        }

    good, bad = {"givenName": "Ada"}, {"nonsense": 1}
    items = [item("grandchild", good, "child"), item("child", good, "parent"), item("parent", bad), item("other", good)]
    found = statuses(graph.post("/$batch", {"requests": items}))
    assert found == {"parent": 400, "child": 424, "grandchild": 424, "other": 201}
    items[2]["body"] = good
    assert set(statuses(graph.post("/$batch", {"requests": items})).values()) == {201}


def test_urls_come_relative_with_the_version_or_whole_unless_strict(sandbox: Tenant, graph: Caller):
    urls = ["/me/contacts", "me/contacts", "/v1.0/me/contacts", f"{sandbox.graph_url}/me/contacts"]
    assert set(statuses(graph.batch(*[("GET", url, None) for url in urls])).values()) == {200}
    sandbox.settings(batch_strict=True)
    assert graph.batch(("GET", urls[0], None)).ok
    for url in urls[1:]:
        assert graph.batch(("GET", url, None)).status_code == 400


def test_a_batch_holds_no_batch_and_reads_other_things_than_contacts(graph: Caller):
    found = statuses(graph.batch(("POST", "/$batch", {}), ("GET", "/me", None), ("GET", "/me/contacts/delta", None)))
    assert found == {"0": 400, "1": 200, "2": 200}


def test_an_application_batches_over_several_mailboxes(sandbox: Tenant, anne: Mailbox):
    sandbox.add_person(JIM)
    sandbox.caller().batch(("GET", f"/users/{ANNE}/contacts", None), ("GET", f"/users/{JIM}/contacts", None))
    assert [item["mailbox"] for item in sandbox.requests()[0]["batch_items"]] == [ANNE, JIM]


def test_some_items_are_throttled_and_the_others_done(sandbox: Tenant, graph: Caller, anne: Mailbox):
    sandbox.faults.add("throttled", match="POST /contacts$", nth=3, times=4, retry_after="2.128")
    responses = graph.batch(*creates(20)).json()["responses"]
    late = [one for one in responses if one["status"] == 429]
    assert len(late) == 4 and len(anne.contacts("Contacts")) == 16
    assert {one["headers"]["Retry-After"] for one in late} == {"2.128"}
    assert late[0]["body"]["error"]["code"] == "ApplicationThrottled"


def test_exchange_takes_its_time_for_four_items_at_once(sandbox: Tenant, graph: Caller):
    sandbox.settings(item_ms=50, latency_ms=20)
    started = time.monotonic()
    graph.batch(*creates(20))
    assert time.monotonic() - started >= 0.27, "five waves of 50 ms, and 20 ms on the way"
    assert sandbox.peaks()[ANNE] == 4


def test_a_second_batch_beside_the_first_is_over_the_limit_of_four(sandbox: Tenant, graph: Caller):
    """The first holds all four places for two seconds; whatever comes meanwhile is refused at once."""
    sandbox.settings(item_ms=2000, throttle=True)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(sandbox.caller(ANNE).batch, *creates(4))
        while sandbox.peaks().get(ANNE) != 4 and not first.done():
            time.sleep(0.01)
        alone = graph.get("/me/contacts")
        assert not first.done(), "the others come too late"
        second = graph.batch(*creates(4))
    assert set(statuses(first.result()).values()) == {201}
    assert set(statuses(second).values()) == {429}
    assert alone.status_code == 429
    assert alone.json()["error"]["message"] == "Application is over its MailboxConcurrency limit."
    assert alone.headers["Retry-After"] == "1"
    assert sandbox.peaks()[ANNE] == 4


def test_the_quota_counts_every_item(sandbox: Tenant, graph: Caller):
    sandbox.settings(throttle=True, quota=10, quota_seconds=60, retry_after="")
    found = graph.batch(*creates(12)).json()["responses"]
    over = [one for one in found if one["status"] == 429]
    assert len(over) == 2 and "Retry-After" not in over[0]["headers"]
    assert over[0]["body"]["error"]["message"] == "Application is over its RequestRate limit."
    sandbox.clear_requests()
    sandbox.settings(batch_counts=True)
    assert [one["status"] for one in graph.batch(*creates(10)).json()["responses"]].count(429) == 1
    sandbox.clear_requests()
    sandbox.settings(quota=1000, upload_mb=0.001)
    big = graph.post("/me/contacts", {"personalNotes": "x" * 2000})
    assert big.json()["error"]["message"] == "Application is over its IncomingBytes limit."
