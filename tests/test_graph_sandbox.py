"""The real client against a whole mailbox: what it writes is what Outlook shows, whatever goes wrong on the way."""

import uuid
from collections.abc import Iterator

import pytest

from exchange_setup.graph.calls import Create, Delete, FindMarker, Get, Update
from exchange_setup.graph.client import Folder, GraphClient
from exchange_setup.graph.errors import BadAnswer, NotFound, OutcomeUnknown, Refused, ResyncRequired, Throttled
from exchange_setup.graph.properties import FAX, MARKER, SENSITIVITY
from tests.outlook import Mailbox, Tenant

ADDRESS = "anna@contoso.example"


@pytest.fixture
def outlook(sandbox: Tenant) -> Mailbox:
    return sandbox.add_person(ADDRESS, "Anna")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def graph(outlook: Mailbox, sandbox: Tenant, waits: list[float]) -> Iterator[GraphClient]:
    token = sandbox.access_token(ADDRESS)
    with GraphClient(sandbox.graph_url, "", lambda *args, **kwargs: token, wait=waits.append, timeout=(2, 5)) as graph:
        yield graph


@pytest.fixture
def folder(graph: GraphClient) -> Folder:
    return graph.create_folder("Business Central")


def person(number: int, **more) -> dict:
    return {"givenName": f"P{number}", "surname": "X", **more}


def marked(number: int, marker: str) -> dict:
    return person(number, singleValueExtendedProperties=[{"id": MARKER, "value": marker}])


def test_contacts_are_made_changed_and_removed(graph: GraphClient, folder: Folder, outlook: Mailbox) -> None:
    made = graph.batch([Create(folder.id, person(n)) for n in range(20)])
    assert [contact["givenName"] for contact in made] == [f"P{n}" for n in range(20)]
    ids = [contact["id"] for contact in made]
    changed = graph.batch([Update(ids[0], {"surname": "Y"}), Delete(ids[1]), Get(ids[2]), Get("AAkALgno=")])
    assert changed[0]["surname"] == "Y" and changed[1] == {} and changed[2]["givenName"] == "P2"
    assert isinstance(changed[3], NotFound)
    shown = {contact["id"]: contact for contact in outlook.contacts()}
    assert len(shown) == 19 and shown[ids[0]]["surname"] == "Y" and ids[1] not in shown


def test_delta_reads_everything_then_only_what_changed(graph: GraphClient, folder: Folder, outlook: Mailbox) -> None:
    outlook.add_many("Business Central", [person(n) for n in range(250)])
    page = graph.delta(folder.id)
    assert len(page.items) == 200
    last = graph.delta(folder.id, page.next_link)
    assert len(last.items) == 50 and last.delta_link
    gone, edited = page.items[0]["id"], page.items[1]["id"]
    outlook.remove(gone)
    outlook.edit(edited, surname="Z")
    news = graph.delta(folder.id, last.delta_link)
    assert news.removed == [gone] and [item["surname"] for item in news.items] == ["Z"]
    assert news.items[0]["id"] == edited
    assert graph.delta(folder.id, news.delta_link).rows == []


def test_a_dead_bookmark_asks_for_a_fresh_reading(graph: GraphClient, folder: Folder, outlook: Mailbox) -> None:
    link = graph.delta(folder.id).delta_link
    outlook.expire_links()
    with pytest.raises(ResyncRequired):
        graph.delta(folder.id, link)


def test_a_page_that_leads_elsewhere_is_refused(graph: GraphClient, folder: Folder, sandbox: Tenant) -> None:
    sandbox.faults.add("foreign_link")
    sandbox.settings(page_size=1)
    sandbox.mailbox(ADDRESS).add_many("Business Central", [person(1), person(2)])
    with pytest.raises(BadAnswer):
        graph.delta(folder.id)


@pytest.mark.parametrize("fault", ["lost", "drop", "truncate", "garbage"])
def test_a_create_whose_answer_was_lost_is_found_by_its_marker(
    graph: GraphClient, folder: Folder, sandbox: Tenant, outlook: Mailbox, fault: str
) -> None:
    marker = str(uuid.uuid4())
    sandbox.faults.add(fault, match="POST /contacts$", commit=True)
    [answer] = graph.batch([Create(folder.id, marked(1, marker))])
    assert isinstance(answer, OutcomeUnknown)
    [found] = graph.batch([FindMarker(folder.id, marker)])
    assert [item["id"] for item in found["value"]] == [contact["id"] for contact in outlook.contacts()]


def test_a_batch_that_breaks_off_makes_nobody_twice(
    graph: GraphClient, folder: Folder, sandbox: Tenant, outlook: Mailbox
) -> None:
    markers = [str(uuid.uuid4()) for _ in range(20)]
    sandbox.faults.add("drop", match="POST /\\$batch", commit=True, keep_items=7)
    answers = graph.batch([Create(folder.id, marked(n, marker)) for n, marker in enumerate(markers)])
    assert all(isinstance(answer, OutcomeUnknown) for answer in answers)
    found = graph.batch([FindMarker(folder.id, marker) for marker in markers])
    assert sum(len(answer["value"]) for answer in found) == len(outlook.contacts()) == 7


def test_items_that_are_throttled_are_sent_again_alone(
    graph: GraphClient, folder: Folder, sandbox: Tenant, outlook: Mailbox, waits: list[float]
) -> None:
    sandbox.faults.add("throttled", match="POST /contacts$", where="item", times=5, retry_after=2)
    sandbox.clear_requests()
    answers = graph.batch([Create(folder.id, person(n)) for n in range(20)])
    assert all(isinstance(answer, dict) for answer in answers)
    assert len(outlook.contacts()) == 20
    batches = [entry["batch_items"] for entry in sandbox.requests() if entry["path"].endswith("$batch")]
    assert [len(items) for items in batches] == [20, 5]
    assert 2 <= sum(waits) < 3


def test_a_mailbox_that_stays_busy_is_left_alone(graph: GraphClient, folder: Folder, sandbox: Tenant) -> None:
    sandbox.faults.add("throttled", times=0, retry_after=20)
    with pytest.raises(Throttled) as caught:
        graph.batch([Get("a"), Get("b")])
    assert caught.value.retry_after == 20


def test_what_outlook_refuses_it_refuses_alone(graph: GraphClient, folder: Folder) -> None:
    emails = [{"address": f"a{n}@x.example"} for n in range(4)]
    good, bad = graph.batch([Create(folder.id, person(1)), Create(folder.id, person(2, emailAddresses=emails))])
    assert good["id"] and isinstance(bad, Refused) and "EmailAddresses" in bad.message


@pytest.mark.parametrize("spelling", ["as_sent", "upper_guid", "null"])
@pytest.mark.parametrize("count", [3, 21])
def test_fax_and_privacy_come_along_on_request(
    graph: GraphClient, folder: Folder, sandbox: Tenant, spelling: str, count: int
) -> None:
    sandbox.settings(extended_ids=spelling)
    values = [{"id": FAX, "value": "+45 1"}, {"id": SENSITIVITY, "value": "2"}]
    one = graph.batch([Create(folder.id, person(0, singleValueExtendedProperties=values))])[0]["id"]
    others = [graph.batch([Create(folder.id, person(n))])[0]["id"] for n in range(1, count)]
    extras = graph.extras(folder.id, [one, *others])
    assert extras.pop(one) == {FAX: "+45 1", SENSITIVITY: "2"}
    assert extras == {other: {SENSITIVITY: "0"} for other in others}


def test_many_folders_are_all_listed(graph: GraphClient, outlook: Mailbox, sandbox: Tenant) -> None:
    for number in range(12):
        outlook.create_folder(f"F{number}")
    names = [folder.name for folder in graph.folders()]
    assert names[0] == "Contacts" and len(names) == 13
    sandbox.settings(list_default_folder=True)
    assert [folder.name for folder in graph.folders()] == names
