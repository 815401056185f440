"""Reading lists: folders, pages of changes, and the properties that need to be asked for."""

from collections.abc import Iterator
from typing import Any

import pytest

from exchange_setup.graph.client import Folder, GraphClient
from exchange_setup.graph.errors import BadAnswer, Refused
from exchange_setup.graph.properties import FAX, SENSITIVITY
from tests.scripted import Script, scripted_server

MAIN = {"id": "M", "displayName": "Contacts"}


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def graph(script: Script) -> Iterator[GraphClient]:
    def token(force: bool = False, claims: str | None = None) -> str:
        return "token"

    with GraphClient(script.url, "", token, wait=lambda seconds: None, timeout=(2, 2)) as graph:
        yield graph


def test_folders_are_all_pages_with_the_main_one_first(graph: GraphClient, script: Script) -> None:
    script.say(200, MAIN)
    script.say(
        200, {"value": [{"id": "A", "displayName": "A"}], "@odata.nextLink": f"{script.url}/me/contactFolders?$skip=1"}
    )
    script.say(200, {"value": [MAIN, {"id": "B", "displayName": "B"}]})
    assert graph.folders() == [Folder("M", "Contacts", is_main=True), Folder("A", "A"), Folder("B", "B")]


def test_a_folder_whose_name_is_taken_is_adopted(graph: GraphClient, script: Script) -> None:
    script.say(409, {"error": {"code": "ErrorFolderExists", "message": ""}})
    script.say(200, MAIN)
    script.say(200, {"value": [{"id": "A", "displayName": "business central"}]})
    assert graph.create_folder("Business Central").id == "A"


def test_a_folder_name_that_outlook_refuses_is_told(graph: GraphClient, script: Script) -> None:
    script.say(400, {"error": {"code": "ErrorInvalidRequest", "message": "Bad name."}})
    script.say(200, MAIN)
    script.say(200, {"value": []})
    with pytest.raises(Refused, match="Bad name"):
        graph.create_folder("?")


def test_a_page_of_changes_keeps_graphs_order(graph: GraphClient, script: Script) -> None:
    one, two = {"id": "1", "displayName": "One"}, {"id": "2", "displayName": "Two"}
    gone = {"id": "1", "@removed": {"reason": "deleted"}}
    link = f"{script.url}/me/contactFolders('F1')/contacts/delta?$skiptoken=x"
    script.say(200, {"value": [one, two, gone], "@odata.nextLink": link})
    page = graph.delta("F1")
    assert page.rows == [("1", one), ("2", two), ("1", None)]
    assert (page.items, page.removed) == ([one, two], ["1"])
    assert (page.next_link, page.delta_link) == (link, "")
    assert script.heard[0].headers["prefer"] == 'IdType="ImmutableId", odata.maxpagesize=200'


def test_a_link_is_followed_as_it_is_with_immutable_ids_asked_for_again(graph: GraphClient, script: Script) -> None:
    bookmark = f"{script.url}/me/contactFolders('F1')/contacts/delta?$deltatoken=D1"
    script.say(200, {"value": [], "@odata.deltaLink": bookmark})
    assert graph.delta("F1", bookmark).delta_link == bookmark
    assert script.heard[0].path.endswith("/delta?$deltatoken=D1")
    assert script.heard[0].headers["prefer"].startswith('IdType="ImmutableId"')


@pytest.mark.parametrize(
    "body",
    [
        {"value": []},
        {"value": [], "@odata.nextLink": "", "@odata.deltaLink": None},
        {"value": {}, "@odata.deltaLink": "ours"},
        {"@odata.deltaLink": "ours"},
        {"value": [None], "@odata.deltaLink": "ours"},
        {"value": [{"displayName": "no id"}], "@odata.deltaLink": "ours"},
        {"value": [{"id": 5}], "@odata.deltaLink": "ours"},
        {"value": [{"id": ""}], "@odata.deltaLink": "ours"},
        {"value": [], "@odata.deltaLink": 7},
        {"value": [], "@odata.nextLink": "ours", "@odata.deltaLink": "ours"},
    ],
)
def test_a_page_that_cannot_be_trusted_stops_the_run(graph: GraphClient, script: Script, body: dict[str, Any]) -> None:
    ours = f"{script.url}/me/contacts/delta?$deltatoken=1"
    script.say(200, {key: ours if value == "ours" else value for key, value in body.items()})
    with pytest.raises(BadAnswer):
        graph.delta("F1")


@pytest.mark.parametrize("body", [{}, {"id": 3, "displayName": "x"}, {"id": "x"}, {"id": "x", "displayName": None}])
def test_a_folder_that_makes_no_sense_is_a_bad_answer(graph: GraphClient, script: Script, body: dict[str, Any]) -> None:
    script.say(200, body)
    with pytest.raises(BadAnswer):
        graph.folder("F1")


def test_a_list_that_leads_back_to_itself_ends(graph: GraphClient, script: Script) -> None:
    script.say(200, MAIN)
    script.say(200, {"value": [], "@odata.nextLink": f"{script.url}/me/contactFolders?$skip=1"})
    with pytest.raises(BadAnswer, match="itself"):
        graph.folders()


def extended(identifier: str, **values: str) -> dict[str, Any]:
    names = {"fax": FAX.lower(), "sensitivity": SENSITIVITY}
    properties = [{"id": names[name], "value": value} for name, value in values.items()]
    return {"id": identifier, "singleValueExtendedProperties": properties}


def test_fax_and_privacy_of_a_few_are_asked_for_in_one_batch(graph: GraphClient, script: Script) -> None:
    missing = {"error": {"code": "ErrorItemNotFound", "message": ""}}
    bodies = [extended("a", fax="+45 1", sensitivity="2"), {"id": "b"}, missing]
    statuses = [200, 200, 404]
    responses = [{"id": str(n), "status": statuses[n], "body": body} for n, body in enumerate(bodies)]
    script.say(200, {"responses": responses})
    assert graph.extras("F1", ["a", "b", "c", "a"]) == {"a": {FAX: "+45 1", SENSITIVITY: "2"}, "b": {}}
    assert graph.requests == 1


def test_fax_and_privacy_of_many_are_read_off_the_folder(graph: GraphClient, script: Script) -> None:
    script.say(
        200, {"value": [extended("0", fax="1"), {"id": "x"}], "@odata.nextLink": f"{script.url}/me/contacts?$skip=2"}
    )
    script.say(200, {"value": [extended("20", sensitivity="2")]})
    assert graph.extras("F1", [str(n) for n in range(21)]) == {"0": {FAX: "1"}, "20": {SENSITIVITY: "2"}}
    assert "$top=1000" in script.heard[0].path and "$expand=" in script.heard[0].path


def test_who_signed_in(graph: GraphClient, script: Script) -> None:
    script.say(200, {"id": "1", "displayName": "Jane", "mail": None, "userPrincipalName": "jane@contoso.example"})
    account = graph.me()
    assert (account.address, account.principal_name, account.name) == ("", "jane@contoso.example", "Jane")
