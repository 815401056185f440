"""Each fault does on the wire what it says."""

import json

import pytest
import requests

from tests.outlook import Caller, Mailbox, Tenant

ANNE, JIM = "anne@contoso.example", "jim@contoso.example"
DELTA = "/me/contacts/delta"
ADA = {"givenName": "Ada"}


@pytest.fixture
def anne(sandbox: Tenant) -> Mailbox:
    return sandbox.add_person(ANNE)


@pytest.fixture
def graph(sandbox: Tenant, anne: Mailbox) -> Caller:
    return sandbox.caller(ANNE)


@pytest.mark.parametrize(
    ("do", "status", "code"),
    [
        ("throttled", 429, "ApplicationThrottled"),
        ("unauthorized", 401, "InvalidAuthenticationToken"),
        ("claims", 401, "InvalidAuthenticationToken"),
        ("mailbox_not_enabled", 404, "MailboxNotEnabledForRESTAPI"),
        ("access_denied", 403, "ErrorAccessDenied"),
        ("mailbox_full", 507, "ErrorQuotaExceeded"),
    ],
)
def test_a_refusal_comes_in_place_of_the_work(sandbox: Tenant, graph: Caller, anne: Mailbox, do, status, code):
    sandbox.faults.add(do)
    response = graph.post("/me/contacts", ADA)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert anne.contacts("Contacts") == []
    assert ("claims=" in response.headers.get("WWW-Authenticate", "")) == (do == "claims")


def test_a_fault_strikes_as_often_as_it_says_from_the_call_it_says(sandbox: Tenant, graph: Caller):
    sandbox.faults.add("status", status=503, match="POST /contacts$", nth=2, times=2)
    assert [graph.post("/me/contacts", ADA).status_code for _ in range(5)] == [201, 503, 503, 201, 201]
    assert [(fault["seen"], fault["fired"]) for fault in sandbox.faults.all()] == [(5, 2)]
    sandbox.faults.clear()
    sandbox.faults.add("status", status=418, times=0)
    assert {graph.get("/me").status_code for _ in range(3)} == {418}


def test_a_fault_strikes_one_mailbox_and_a_mailbox_fault_lasts(sandbox: Tenant, graph: Caller):
    sandbox.add_person(JIM)
    sandbox.faults.add("mailbox_not_enabled", mailbox=JIM)
    jim = sandbox.caller(JIM)
    assert [jim.get("/me/contacts").status_code for _ in range(2)] == [404, 404]
    assert graph.get("/me/contacts").ok


def test_a_fault_strikes_items_or_requests(sandbox: Tenant, graph: Caller):
    sandbox.faults.add("status", status=500, match="POST /contacts$", where="item", times=1)
    assert graph.post("/me/contacts", ADA).status_code == 201
    found = graph.batch(("POST", "/me/contacts", ADA), ("GET", "/me/contacts", None)).json()["responses"]
    assert {one["id"]: one["status"] for one in found} == {"0": 500, "1": 200}
    sandbox.faults.clear()
    sandbox.faults.add("status", status=500, match="/contacts", where="request", times=0)
    assert graph.get("/me/contacts").status_code == 500
    assert graph.batch(("GET", "/me/contacts", None)).json()["responses"][0]["status"] == 200


def test_retry_after_is_whole_fractional_or_missing(sandbox: Tenant, graph: Caller):
    for given, seen in ((None, None), ("2.128", "2.128"), (7, "7"), ("", "1")):
        sandbox.faults.add("throttled", retry_after=given)
        assert graph.get("/me").headers.get("Retry-After") == seen


def test_an_error_can_come_without_a_body(sandbox: Tenant, graph: Caller):
    sandbox.faults.add("status", status=503, empty=True)
    response = graph.get("/me/contacts")
    assert (response.status_code, response.content) == (503, b"")


def test_a_504_after_the_commit_loses_the_answer_only(sandbox: Tenant, graph: Caller, anne: Mailbox):
    sandbox.faults.add("lost")
    assert graph.post("/me/contacts", ADA).status_code == 504
    sandbox.faults.add("lost", where="item")
    response = graph.batch(("POST", "/me/contacts", ADA))
    assert response.json()["responses"][0]["status"] == 504
    assert len(anne.contacts("Contacts")) == 2


@pytest.mark.parametrize(("commit", "left"), [(False, 0), (True, 1)])
def test_a_dropped_connection_ends_without_an_answer(sandbox: Tenant, graph: Caller, anne: Mailbox, commit, left):
    sandbox.faults.add("drop", match="POST /contacts$", commit=commit)
    with pytest.raises(requests.ConnectionError, match="without response"):
        graph.post("/me/contacts", ADA)
    assert len(anne.contacts("Contacts")) == left
    assert sandbox.requests()[-1]["status"] == 0
    assert graph.post("/me/contacts", ADA).ok, "the next connection works"


@pytest.mark.parametrize(
    ("fault", "left"),
    [({}, 0), ({"commit": True}, 20), ({"keep_items": 7}, 7), ({"match": "POST /contacts$", "where": "item"}, 19)],
)
def test_a_batch_is_cut_before_after_or_in_the_middle(sandbox: Tenant, graph: Caller, anne: Mailbox, fault, left):
    sandbox.faults.add("drop", **{"match": r"POST /\$batch", **fault})
    with pytest.raises(requests.ConnectionError):
        graph.batch(*[("POST", "/me/contacts", ADA)] * 20)
    assert len(anne.contacts("Contacts")) == left


def test_broken_answers_come_after_the_work(sandbox: Tenant, graph: Caller, anne: Mailbox):
    sandbox.faults.add("truncate", match="POST /contacts$")
    with pytest.raises(json.JSONDecodeError):
        json.loads(graph.post("/me/contacts", ADA).text)
    sandbox.faults.add("short", match="POST /contacts$")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        graph.post("/me/contacts", ADA)
    sandbox.faults.add("garbage", match="POST /contacts$")
    page = graph.post("/me/contacts", ADA)
    assert page.headers["Content-Type"] == "text/html" and page.text.startswith("<!DOCTYPE html>")
    sandbox.faults.add("empty", match="POST /contacts$")
    empty = graph.post("/me/contacts", ADA)
    assert (empty.status_code, empty.content) == (201, b"")
    assert len(anne.contacts("Contacts")) == 4


def test_an_answer_comes_late(sandbox: Tenant, graph: Caller, anne: Mailbox):
    sandbox.faults.add("delay", seconds=0.5, match="POST /contacts$", times=1)
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{sandbox.graph_url}/me/contacts",
            json=ADA,
            timeout=0.2,
            headers={"Authorization": f"Bearer {sandbox.access_token(ANNE)}"},
        )
    assert len(anne.contacts("Contacts")) == 1, "the work was done all the same"


def test_pages_are_spoiled(sandbox: Tenant, graph: Caller, anne: Mailbox):
    anne.add_many("Contacts", [{"givenName": f"P{n}"} for n in range(5)])
    sandbox.faults.add("short_page", rows=2)
    page = graph.get(DELTA).json()
    assert len(page["value"]) == 2 and "@odata.nextLink" in page
    sandbox.faults.add("empty_page")
    page = graph.get(page["@odata.nextLink"]).json()
    assert page["value"] == [] and "@odata.nextLink" in page
    sandbox.faults.add("duplicate")
    page = graph.get(page["@odata.nextLink"]).json()
    assert [row["displayName"] for row in page["value"]] == ["P2", "P3", "P4"] * 2
    sandbox.faults.add("replay", rows=2)
    page = graph.get(page["@odata.deltaLink"]).json()
    assert [row["displayName"] for row in page["value"]] == ["P0", "P1"]
    sandbox.faults.add("empty_page")
    page = graph.get(page["@odata.deltaLink"]).json()
    assert page["value"] == [] and graph.get(page["@odata.nextLink"]).json()["@odata.deltaLink"]
    sandbox.faults.add("foreign_link")
    page = graph.get(DELTA).json()
    assert page["@odata.deltaLink"].startswith("https://graph.example.net/")


def test_a_link_to_changes_dies(sandbox: Tenant, graph: Caller):
    sandbox.faults.add("sync_state_lost")
    dead = graph.get(DELTA)
    assert (dead.status_code, dead.json()["error"]["code"]) == (410, "SyncStateNotFound")


@pytest.mark.parametrize("values", [{"do": "nonsense"}, {"do": "drop", "nonsense": 1}])
def test_what_is_no_fault_is_refused(sandbox: Tenant, values):
    with pytest.raises(requests.HTTPError, match="400"):
        sandbox.faults.add(**values)


def test_what_is_no_switch_is_refused(sandbox: Tenant):
    for values in ({"nonsense": 1}, {"page_size": "many"}, {"batch_order": "sorted"}, {"page_size": -1}):
        with pytest.raises(requests.HTTPError, match="400"):
            sandbox.settings(**values)


def test_controls_take_json_only(sandbox: Tenant):
    assert requests.post(f"{sandbox.url}/control/reset", data={"a": "b"}, timeout=5).status_code == 415
