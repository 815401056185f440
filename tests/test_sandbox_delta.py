"""Changes of a folder: rounds and pages, what each event reads as, links that die, and what is only seen later."""

from typing import Any

import pytest

from tests.outlook import Caller, Mailbox, Tenant

ANNE = "anne@contoso.example"
DELTA = "/me/contactFolders/contacts/contacts/delta"


@pytest.fixture
def anne(sandbox: Tenant) -> Mailbox:
    return sandbox.add_person(ANNE)


@pytest.fixture
def graph(sandbox: Tenant, anne: Mailbox) -> Caller:
    return sandbox.caller(ANNE)


def names(rows: list[dict[str, Any]]) -> list[str]:
    """What each row says: a name, or "-" for a removal."""
    return ["-" if "@removed" in row else row["displayName"] for row in rows]


def drained(graph: Caller, link: str = DELTA, size: int = 200) -> tuple[list[str], str]:
    rows, delta_link = graph.pages(link, prefer=f"odata.maxpagesize={size}")
    return names(rows), delta_link


def people(count: int) -> list[dict[str, Any]]:
    return [{"givenName": f"P{n:03}"} for n in range(count)]


def test_a_first_round_gives_everything_in_pages_and_the_next_one_nothing(graph: Caller, anne: Mailbox):
    anne.add_many("Contacts", people(25))
    first = graph.get(DELTA, params={"$select": "displayName"}, prefer="odata.maxpagesize=20")
    assert first.headers["Preference-Applied"] == "odata.track-changes"
    body = first.json()
    assert len(body["value"]) == 20 and "@odata.deltaLink" not in body
    assert set(body["value"][0]) == {"@odata.type", "@odata.etag", "id", "displayName"}
    rest = graph.get(body["@odata.nextLink"], prefer="odata.maxpagesize=20").json()
    assert len(rest["value"]) == 5 and "@odata.nextLink" not in rest
    assert set(rest["value"][0]) == {"@odata.type", "@odata.etag", "id", "displayName"}, "the link keeps $select"
    nothing = graph.get(rest["@odata.deltaLink"]).json()
    assert nothing["value"] == [] and "@odata.deltaLink" in nothing


def test_a_page_has_two_hundred_rows_at_most_and_ten_unless_asked(graph: Caller, anne: Mailbox):
    anne.add_many("Contacts", people(205))
    assert len(graph.get(DELTA, prefer="odata.maxpagesize=500").json()["value"]) == 200
    assert len(graph.get(DELTA).json()["value"]) == 10


@pytest.mark.parametrize("path", ["delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"])
def test_delta_has_four_spellings(graph: Caller, path: str):
    assert "@odata.deltaLink" in graph.get(f"/me/contacts/{path}").json()
    folder = graph.get("/me/contactFolders/contacts").json()["id"]
    assert "@odata.deltaLink" in graph.get(f"/me/contactFolders('{folder}')/contacts/{path}").json()


@pytest.mark.parametrize("option", ["$filter", "$orderby", "$search", "$expand"])
def test_other_options_are_refused(graph: Caller, option: str):
    assert graph.get(DELTA, params={option: "displayName"}).status_code == 400


def test_expand_works_when_a_switch_says_so(sandbox: Tenant, graph: Caller, anne: Mailbox):
    sandbox.settings(delta_expand=True)
    fax = [{"id": "String 0x3A24", "value": "+45 1"}]
    anne.add("Contacts", givenName="Ada", singleValueExtendedProperties=fax)
    expand = {"$expand": "singleValueExtendedProperties($filter=id eq 'String 0x3A24')"}
    assert graph.get(DELTA, params=expand).json()["value"][0]["singleValueExtendedProperties"] == fax


def test_each_event_is_reported_once_with_its_latest_state(graph: Caller, anne: Mailbox):
    anne.create_folder("Other")
    ada, bo, eve, moved = (anne.add("Contacts", givenName=name)["id"] for name in ("Ada", "Bo", "Eve", "Mo"))
    _, link = drained(graph)
    anne.edit(ada, surname="B")
    anne.edit(ada, surname="Byron")
    anne.remove(bo)
    anne.add("Contacts", givenName="New")
    anne.move(moved, "Other")
    passing = anne.add("Contacts", givenName="Passing")["id"]
    anne.remove(passing)
    rows, link = graph.pages(link)
    assert names(rows) == ["Ada Byron", "-", "New", "-"]
    assert rows[1] == {"@odata.type": "#microsoft.graph.contact", "id": bo, "@removed": {"reason": "deleted"}}
    assert rows[3]["id"] == moved and eve not in [row["id"] for row in rows]
    assert drained(graph, link)[0] == []


def test_a_moved_contact_is_new_in_the_other_folder(sandbox: Tenant, anne: Mailbox):
    other = f"/me/contactFolders/{anne.create_folder('Other')['id']}/contacts/delta"
    before = anne.add("Contacts", givenName="Ada")
    links = {}
    for immutable in (True, False):
        _, links[immutable] = sandbox.caller(ANNE, immutable=immutable).pages(other)
    after = anne.move(before["id"], "Other")
    assert sandbox.caller(ANNE).pages(links[True])[0][0]["id"] == before["id"]
    assert sandbox.caller(ANNE, immutable=False).pages(links[False])[0][0]["id"] == after["defaultId"]


def test_a_restored_contact_is_new_again(graph: Caller, anne: Mailbox):
    ada = anne.add("Contacts", givenName="Ada")["id"]
    _, link = drained(graph)
    anne.remove(ada)
    rows, link = drained(graph, link)
    assert rows == ["-"]
    anne.restore(ada)
    assert drained(graph, link)[0] == ["Ada"]


def test_out_and_back_between_two_polls_reads_as_deleted_with_immutable_ids(
    sandbox: Tenant, graph: Caller, anne: Mailbox
):
    ada = anne.add("Contacts", givenName="Ada")
    _, link = drained(graph)
    default = sandbox.caller(ANNE, immutable=False)
    anne.remove(ada["id"])
    restored = anne.restore(ada["id"])
    assert graph.pages(link)[0] == [
        {"@odata.type": "#microsoft.graph.contact", "id": ada["id"], "@removed": {"reason": "deleted"}}
    ]
    assert [row["id"] for row in default.pages(link)[0]] == [ada["defaultId"], restored["defaultId"]]
    sandbox.settings(moved_back_hole=False)
    rows, link = drained(graph, link)
    assert rows == ["Ada"]
    anne.edit(ada["id"], surname="Byron")
    sandbox.settings(moved_back_hole=True)
    assert drained(graph, link)[0] == ["Ada Byron"]


def test_created_and_deleted_between_two_polls_is_a_bare_removal_when_a_switch_says_so(
    sandbox: Tenant, graph: Caller, anne: Mailbox
):
    _, link = drained(graph)
    anne.remove(anne.add("Contacts", givenName="Ada")["id"])
    sandbox.settings(bare_removed=True)
    assert drained(graph, link)[0] == ["-"]


def test_what_changes_while_a_round_is_read_comes_in_the_next(graph: Caller, anne: Mailbox):
    ids = [row["id"] for row in anne.add_many("Contacts", people(6))]
    page = graph.get(DELTA, prefer="odata.maxpagesize=3").json()
    anne.edit(ids[5], surname="Late")
    anne.remove(ids[0])
    anne.add("Contacts", givenName="New")
    rows, link = drained(graph, page["@odata.nextLink"], 3)
    assert rows == ["P003", "P004", "P005 Late"]
    assert drained(graph, link)[0] == ["P005 Late", "-", "New"]


def test_changes_come_in_pages_too(graph: Caller, anne: Mailbox):
    ids = [row["id"] for row in anne.add_many("Contacts", people(5))]
    _, link = drained(graph)
    for contact_id in ids:
        anne.edit(contact_id, surname="X")
    page = graph.get(link, prefer="odata.maxpagesize=2").json()
    assert names(page["value"]) == ["P000 X", "P001 X"] and "@odata.nextLink" in page
    anne.edit(ids[4], surname="Y")
    rows, link = drained(graph, page["@odata.nextLink"], 2)
    assert rows == ["P002 X", "P003 X"]
    assert drained(graph, link)[0] == ["P004 Y"]


def test_only_the_latest_three_links_of_a_chain_work(graph: Caller, anne: Mailbox):
    anne.add("Contacts", givenName="Ada")
    links = [DELTA]
    for _ in range(5):
        links.append(graph.get(links[-1]).json()["@odata.deltaLink"])
    for alive in links[3:]:
        assert graph.get(alive).ok
    dead = graph.get(links[1])
    assert dead.status_code == 410
    assert dead.json()["error"]["code"] == "SyncStateNotFound"
    assert dead.json()["error"]["message"].startswith("The sync state generation is not found; generation=1;[highest=")


def test_links_die_when_the_mailbox_is_moved_and_are_of_one_folder_only(graph: Caller, anne: Mailbox):
    _, link = drained(graph)
    other = anne.create_folder("Other")["id"]
    token = link.partition("?")[2]
    assert graph.get(f"/me/contactFolders/{other}/contacts/delta?{token}").status_code == 400
    assert graph.get(f"{DELTA}?$deltatoken=nonsense").status_code == 400
    anne.expire_links()
    assert graph.get(link).status_code == 410
    assert drained(graph)[1]


def test_a_deleted_folder_is_not_found(graph: Caller, anne: Mailbox):
    folder = anne.create_folder("Other")
    _, link = drained(graph, f"/me/contactFolders/{folder['id']}/contacts/delta")
    anne.add("Other", givenName="Ada")
    anne.delete_folder("Other")
    gone = graph.get(link)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "ErrorItemNotFound")


def test_writes_are_seen_late_when_a_switch_says_so(sandbox: Tenant, graph: Caller, anne: Mailbox):
    _, link = drained(graph)
    marker = "String {5f0c1a52-0d0e-4f57-9d6e-0f6c3b1e7a10} Name Late"
    sandbox.settings(visibility_polls=1)
    anne.add("Contacts", givenName="Ada", singleValueExtendedProperties=[{"id": marker, "value": "1"}])
    rows, link = drained(graph, link)
    assert rows == []
    assert drained(graph, link)[0] == ["Ada"]
    sandbox.settings(visibility_polls=0, visibility_lag=60)
    clause = f"singleValueExtendedProperties/any(ep: ep/id eq '{marker}' and ep/value eq '1')"
    assert graph.get("/me/contacts", params={"$filter": clause}).json()["value"] == []
    assert drained(graph)[0] == [], "a first round sees as little"
    assert len(graph.get("/me/contacts").json()["value"]) == 1, "a plain list sees everything"
    sandbox.settings(visibility_lag=0)
    assert len(graph.get("/me/contacts", params={"$filter": clause}).json()["value"]) == 1
    assert drained(graph)[0] == ["Ada"]


def test_a_round_can_end_with_an_empty_page(sandbox: Tenant, graph: Caller, anne: Mailbox):
    anne.add("Contacts", givenName="Ada")
    sandbox.settings(trailing_empty_page=True)
    first = graph.get(DELTA).json()
    assert names(first["value"]) == ["Ada"]
    last = graph.get(first["@odata.nextLink"]).json()
    assert last["value"] == [] and "@odata.deltaLink" in last


def test_ten_thousand_contacts_are_read_in_fifty_pages(graph: Caller, anne: Mailbox):
    for _ in range(10):
        anne.add_many("Contacts", people(1000))
    rows, _ = graph.pages(f"{DELTA}?$select=displayName", prefer="odata.maxpagesize=200")
    assert len({row["id"] for row in rows}) == 10_000
