"""Graph for contacts as the sandbox answers it: paths, values, folders, ids, filters, limits."""

from threading import Thread

import pytest
from requests import Response

from tests.outlook import Caller, Mailbox, Tenant

MARKER = "String {5f0c1a52-0d0e-4f57-9d6e-0f6c3b1e7a10} Name CrmContactId"
ANNE, JIM = "anne@contoso.example", "jim@contoso.example"


@pytest.fixture
def anne(sandbox: Tenant) -> Mailbox:
    return sandbox.add_person(ANNE, "Anne Nørgård")


@pytest.fixture
def graph(sandbox: Tenant, anne: Mailbox) -> Caller:
    return sandbox.caller(ANNE)


def error(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def stamped(value: str) -> dict[str, object]:
    return {"givenName": "Ada", "singleValueExtendedProperties": [{"id": MARKER, "value": value}]}


def where_marker(value: str, name: str = MARKER, lambda_: str = "any") -> dict[str, str]:
    clause = f"singleValueExtendedProperties/{lambda_}(ep: ep/id eq '{name}' and ep/value eq '{value}')"
    return {"$filter": clause}


def test_me_is_the_person_of_the_token(graph: Caller):
    me = graph.get("/me", params={"$select": "id,displayName,mail,userPrincipalName"}).json()
    assert (me["displayName"], me["mail"], me["userPrincipalName"]) == ("Anne Nørgård", ANNE, ANNE)
    assert graph.get(f"/users/{me['id']}").json()["mail"] == ANNE


def test_every_answer_carries_graphs_headers(graph: Caller):
    response = graph.get("/me/contacts", headers={"client-request-id": "11111111-1111-4111-8111-111111111111"})
    assert response.headers["Content-Type"].startswith("application/json;odata.metadata=minimal")
    assert response.headers["client-request-id"] == "11111111-1111-4111-8111-111111111111"
    assert response.headers["request-id"] and response.headers["x-ms-ags-diagnostic"]
    assert response.headers["Cache-Control"] == "private"


def test_a_call_needs_a_good_token_and_its_permission(sandbox: Tenant, anne: Mailbox):
    assert error(Caller(sandbox.graph_url, "rubbish", True).get("/me")) == (401, "InvalidAuthenticationToken")
    assert error(sandbox.caller(ANNE, scope="User.Read").get("/me/contacts")) == (403, "ErrorAccessDenied")
    reader = sandbox.caller(ANNE, scope="Contacts.Read")
    assert reader.get("/me/contacts").ok
    assert error(reader.post("/me/contacts", {"givenName": "Ada"})) == (403, "ErrorAccessDenied")
    assert error(reader.get("/me")) == (403, "Authorization_RequestDenied")


def test_a_token_expires(sandbox: Tenant, anne: Mailbox):
    sandbox.settings(access_token_seconds=0)
    assert error(sandbox.caller(ANNE).get("/me")) == (401, "InvalidAuthenticationToken")


def test_a_person_reaches_only_their_own_mailbox_and_the_application_every_one(sandbox: Tenant, graph: Caller):
    sandbox.add_person(JIM)
    assert error(graph.get(f"/users/{JIM}/contacts")) == (403, "ErrorAccessDenied")
    application = sandbox.caller()
    assert application.get(f"/users/{JIM}/contacts").ok
    assert error(application.get("/me/contacts")) == (400, "BadRequest")
    assert error(application.get("/users/nobody@contoso.example/contacts")) == (404, "ErrorInvalidUser")
    assert error(application.get("/users/nobody@contoso.example")) == (404, "Request_ResourceNotFound")


def test_a_created_contact_is_complete_and_named(graph: Caller):
    sent = {"title": "Dr.", "givenName": "Ada", "surname": "Byron", "emailAddresses": [{"address": "ada@example.org"}]}
    response = graph.post("/me/contacts", {**sent, "@odata.type": "#microsoft.graph.contact"})
    contact = response.json()
    assert response.status_code == 201
    assert contact["displayName"] == "Dr. Ada Byron"
    assert contact["emailAddresses"] == [{"name": "ada@example.org", "address": "ada@example.org"}]
    assert contact["@odata.etag"] == f'W/"{contact["changeKey"]}"'
    assert contact["businessAddress"] == {} and contact["categories"] == [] and contact["jobTitle"] is None
    assert contact["fileAs"] == "" == contact["personalNotes"]
    assert (len(contact["id"]), contact["id"][:6]) == (68, "AAkALg")
    assert (len(contact["changeKey"]), contact["changeKey"][:10]) == (40, "EQAAABYAAA")


def test_ids_of_the_default_kind_change_with_every_move_and_immutable_ones_do_not(sandbox: Tenant, anne: Mailbox):
    default = sandbox.caller(ANNE, immutable=False)
    anne.create_folder("Business Central")
    made = default.post("/me/contacts", {"givenName": "Ada"}).json()
    assert (len(made["id"]), made["id"][:4], len(made["parentFolderId"])) == (152, "AAMk", 120)
    before = anne.contact(made["id"])
    after = anne.move(before["id"], "Business Central")
    assert after["id"] == before["id"] and after["defaultId"] != before["defaultId"]
    assert error(default.get(f"/me/contacts/{before['defaultId']}")) == (404, "ErrorItemNotFound")
    assert default.get(f"/me/contacts/{after['defaultId']}").ok and default.get(f"/me/contacts/{after['id']}").ok


def test_ids_are_case_sensitive_and_come_raw_encoded_or_in_parentheses(graph: Caller):
    made = graph.post("/me/contacts", {"givenName": "Ada"}).json()
    folder = made["parentFolderId"]
    for path in (
        f"/me/contactFolders/{folder}",
        f"/me/contactfolders('{folder}')",
        f"/me/contactFolders/{folder[:-1]}%3D",
    ):
        assert graph.get(f"{path}/contacts").json()["value"][0]["id"] == made["id"]
    assert graph.get(f"/me/contactFolders/contacts/contacts/{made['id']}").ok
    assert error(graph.get(f"/me/contacts/{made['id'].swapcase()}"))[0] in {400, 404}
    assert error(graph.get("/me/contacts/nonsense!")) == (400, "ErrorInvalidIdMalformed")
    assert error(graph.get("/me/nonsense")) == (400, "BadRequest")
    assert error(graph.patch("/me/contacts", {})) == (405, "ErrorInvalidRequest")


def test_edits_change_what_is_sent_and_rebuild_the_display_name(graph: Caller):
    made = graph.post("/me/contacts", {"givenName": "Ada", "surname": "Byron", "jobTitle": "Countess"}).json()
    edited = graph.patch(f"/me/contacts/{made['id']}", {"surname": "Lovelace", "jobTitle": None}).json()
    assert (edited["displayName"], edited["jobTitle"], edited["givenName"]) == ("Ada Lovelace", None, "Ada")
    assert edited["changeKey"] != made["changeKey"]
    edited = graph.patch(f"/me/contacts/{made['id']}", {"surname": "King", "displayName": "The Countess"}).json()
    assert edited["displayName"] == "The Countess"
    assert graph.patch(f"/me/contacts/{made['id']}", {"jobTitle": "x"}).json()["displayName"] == "The Countess"
    minimal = graph.patch(f"/me/contacts/{made['id']}", {"jobTitle": "y"}, prefer="return=minimal")
    assert (minimal.status_code, minimal.content) == (204, b"")


def test_values_read_back_as_exchange_keeps_them(graph: Caller):
    made = graph.post(
        "/me/contacts",
        {
            "birthday": "1974-07-22",
            "categories": ["A", "B"],
            "businessAddress": {"street": "1 High Street", "city": "", "postalCode": None},
            "emailAddresses": [{"address": "ada@example.org,", "name": "Ada"}],
            "manager": "",
        },
    ).json()
    assert made["birthday"] == "1974-07-22T11:59:00Z"
    assert made["categories"] == ["B", "A"]
    assert made["businessAddress"] == {"street": "1 High Street"}
    assert made["emailAddresses"] == [{"name": "Ada"}]
    assert made["manager"] == ""
    address = graph.patch(f"/me/contacts/{made['id']}", {"businessAddress": {"city": "London"}}).json()[
        "businessAddress"
    ]
    assert address == {"city": "London"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"emailAddresses": [{"address": f"{n}@example.org"} for n in range(4)]}, "ErrorInvalidArgument"),
        ({"businessPhones": ["1", "2", "3"]}, "ErrorInvalidArgument"),
        ({"homePhones": ["1", "2", "3"]}, "ErrorInvalidArgument"),
        ({"surName": "Byron"}, "RequestBodyRead"),
        ({"givenName": 7}, "UnableToDeserializePostBody"),
        ({"givenName": "\ud800"}, "UnableToDeserializePostBody"),
        ({"children": ["\udfff"]}, "UnableToDeserializePostBody"),
        ({"birthday": "yesterday"}, "UnableToDeserializePostBody"),
        ({"emailAddresses": "ada@example.org"}, "UnableToDeserializePostBody"),
        ({"businessAddress": {"road": "High Street"}}, "UnableToDeserializePostBody"),
        ([], "BadRequest"),
    ],
)
def test_what_exchange_would_not_take_is_refused(graph: Caller, body: object, code: str):
    assert error(graph.post("/me/contacts", body)) == (400, code)
    assert graph.get("/me/contacts").json()["value"] == []


def test_more_than_four_megabytes_are_refused(graph: Caller):
    assert error(graph.post("/me/contacts", {"personalNotes": "x" * 4_000_000})) == (413, "RequestEntityTooLarge")
    assert graph.post("/me/contacts", {"personalNotes": "x" * 3_000_000}).ok


def test_two_edits_at_once_keep_both(sandbox: Tenant, graph: Caller, anne: Mailbox):
    path = f"/me/contacts/{anne.add('Contacts', givenName='Ada')['id']}"
    fields = ["jobTitle", "department", "companyName", "manager", "profession", "nickName", "spouseName", "surname"]
    threads = [Thread(target=sandbox.caller(ANNE).patch, args=(path, {name: name})) for name in fields]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = graph.get(path).json()
    assert [kept[name] for name in fields] == fields


def test_broken_json_is_refused(graph: Caller):
    response = graph("POST", "/me/contacts", data="{", headers={"Content-Type": "application/json"})
    assert error(response) == (400, "BadRequest")


def test_too_many_values_are_refused_in_exchanges_words(graph: Caller):
    response = graph.post("/me/contacts", {"businessPhones": ["1", "2", "3"]})
    said = "The multi value property BusinessPhones has 3 entries, that exceeds the max allowed value of 2"
    assert response.json()["error"]["message"] == said


def test_if_match_guards_an_edit(graph: Caller):
    made = graph.post("/me/contacts", {"givenName": "Ada"}).json()
    path, etag = f"/me/contacts/{made['id']}", made["@odata.etag"]
    assert graph.patch(path, {"surname": "Byron"}, headers={"If-Match": etag}).ok
    stale = graph.patch(path, {"surname": "King"}, headers={"If-Match": etag})
    assert error(stale) == (412, "ErrorIrresolvableConflict")
    assert error(graph.delete(path, headers={"If-Match": etag})) == (412, "ErrorIrresolvableConflict")
    assert graph.get(path).json()["surname"] == "Byron"


def test_lists_come_in_pages_of_ten_and_of_a_thousand_at_most(graph: Caller, anne: Mailbox):
    anne.add_many("Contacts", [{"givenName": f"P{n:02}"} for n in range(25)])
    first = graph.get("/me/contacts").json()
    assert len(first["value"]) == 10 and "$skip=10" in first["@odata.nextLink"]
    rows, _ = graph.pages("/me/contacts", params={"$select": "displayName", "$top": 7, "$orderby": "displayName desc"})
    assert [row["displayName"] for row in rows] == [f"P{n:02}" for n in reversed(range(25))]
    assert set(rows[0]) == {"@odata.etag", "id", "displayName"}
    assert error(graph.get("/me/contacts", params={"$select": "nonsense"})) == (400, "BadRequest")
    assert error(graph.get("/me/contacts", params={"$search": "x"})) == (400, "BadRequest")


def test_contact_lists_are_counted_and_never_shown(graph: Caller, anne: Mailbox):
    anne.add("Contacts", givenName="Ada")
    anne.add_many("Contacts", [{"displayName": "Friends"}], kind="list")
    body = graph.get("/me/contacts", params={"$count": "true"}).json()
    assert (body["@odata.count"], len(body["value"])) == (2, 1)
    assert graph.get("/me/contacts/$count").text == "2"


def test_contacts_are_found_by_e_mail_whatever_its_case(graph: Caller, anne: Mailbox):
    anne.add("Contacts", givenName="Ada", emailAddresses=[{"address": "b@x.example"}, {"address": "Ada.O'N@x.example"}])
    found = graph.get("/me/contacts", params={"$filter": "emailAddresses/any(a:a/address eq 'ada.o''n@X.example')"})
    assert [row["givenName"] for row in found.json()["value"]] == ["Ada"]
    refused = graph.get("/me/contacts", params={"$filter": "personalNotes eq 'x'"})
    assert error(refused) == (400, "ErrorInvalidProperty")


def test_extended_properties_are_stored_found_and_never_echoed(graph: Caller, anne: Mailbox):
    made = graph.post("/me/contacts", stamped("C-1"))
    assert "singleValueExtendedProperties" not in made.json()
    contact_id = made.json()["id"]
    for name, value in ((MARKER, "c-1"), (MARKER.upper().replace("NAME CRMCONTACTID", "Name CrmContactId"), "C-1")):
        assert [
            row["id"] for row in graph.get("/me/contacts", params=where_marker(value, name, "Any")).json()["value"]
        ] == [contact_id]
    assert graph.get("/me/contacts", params=where_marker("C-1", MARKER.replace("Crm", "CRM"))).json()["value"] == []
    expand = {"$expand": f"singleValueExtendedProperties($filter=id eq '{MARKER}' or id eq 'Integer 0x36')"}
    row = graph.get(f"/me/contacts/{contact_id}", params=expand).json()
    assert row["singleValueExtendedProperties"] == [
        {"id": MARKER, "value": "C-1"},
        {"id": "Integer 0x36", "value": "0"},
    ]
    assert graph.get("/me/contacts", params={**expand, "$top": 5}).json()["value"][0]["singleValueExtendedProperties"]
    graph.patch(f"/me/contacts/{contact_id}", {"singleValueExtendedProperties": [{"id": MARKER, "value": None}]})
    assert graph.get("/me/contacts", params=where_marker("C-1")).json()["value"] == []


def test_a_marker_is_found_wherever_the_contact_was_moved(graph: Caller, anne: Mailbox):
    folder = anne.create_folder("Business Central")
    contact_id = graph.post(f"/me/contactFolders/{folder['id']}/contacts", stamped("c-1")).json()["id"]
    path = f"/me/contactFolders/{folder['id']}/contacts"
    anne.move(contact_id, "Contacts")
    assert graph.get(path, params=where_marker("c-1")).json()["value"] == []
    assert len(graph.get("/me/contacts", params=where_marker("c-1")).json()["value"]) == 1


def test_folders_are_made_listed_renamed_and_deleted(graph: Caller, anne: Mailbox):
    made = graph.post("/me/contactFolders", {"displayName": "Business Central"})
    assert made.status_code == 201
    folder = made.json()
    assert error(graph.post("/me/contactFolders", {"displayName": "business central"})) == (409, "ErrorFolderExists")
    child = graph.post(f"/me/contactFolders/{folder['id']}/childFolders", {"displayName": "VIP"}).json()
    assert [one["displayName"] for one in graph.get("/me/contactFolders").json()["value"]] == ["Business Central"]
    found = graph.get("/me/contactFolders", params={"$filter": "displayName eq 'Business Central'"}).json()["value"]
    assert [one["id"] for one in found] == [folder["id"]]
    main = graph.get("/me/contactFolders/contacts").json()
    assert main["displayName"] == "Contacts" and main["id"] == folder["parentFolderId"]
    assert graph.patch(f"/me/contactFolders/{folder['id']}", {"displayName": "CRM"}).json()["displayName"] == "CRM"
    assert graph.get(f"/me/contactFolders/{folder['id']}/childFolders/{child['id']}/contacts").ok
    assert graph.delete(f"/me/contactFolders/{folder['id']}").status_code == 204
    assert error(graph.get(f"/me/contactFolders/{folder['id']}")) == (404, "ErrorItemNotFound")
    assert error(graph.delete("/me/contactFolders/contacts"))[0] == 403


def test_folders_come_in_pages(graph: Caller, anne: Mailbox):
    for number in range(12):
        anne.create_folder(f"F & {number:02}")
    assert "@odata.nextLink" in graph.get("/me/contactFolders").json()
    assert len(graph.pages("/me/contactFolders", params={"$top": 5})[0]) == 12


def test_the_main_folder_is_listed_when_a_switch_says_so(sandbox: Tenant, graph: Caller):
    sandbox.settings(list_default_folder=True)
    assert [one["displayName"] for one in graph.get("/me/contactFolders").json()["value"]] == ["Contacts"]


def test_a_deleted_contact_lies_in_deleted_items_until_it_is_gone_for_good(
    sandbox: Tenant, graph: Caller, anne: Mailbox
):
    contact_id = anne.add("Contacts", givenName="Ada")["id"]
    path = f"/me/contacts/{contact_id}"
    assert graph.delete(path).status_code == 204
    assert graph.get(path).json()["parentFolderId"] == anne.folder("Deleted Items")["id"]
    sandbox.settings(deleted_visible=False)
    assert error(graph.get(path)) == (404, "ErrorItemNotFound")
    assert anne.restore(contact_id)["parentFolderId"] == anne.folder("Contacts")["id"]
    assert graph.post(f"{path}/permanentDelete", {}).status_code == 204
    assert error(graph.get(path)) == (404, "ErrorItemNotFound")
    assert error(graph.delete(path)) == (404, "ErrorItemNotFound")


def test_a_photo_is_kept_apart(graph: Caller, anne: Mailbox):
    path = f"/me/contacts/{anne.add('Contacts', givenName='Ada')['id']}/photo"
    assert error(graph.get(f"{path}/$value")) == (404, "ErrorItemNotFound")
    assert graph("PUT", f"{path}/$value", data=b"\xff\xd8picture", headers={"Content-Type": "image/jpeg"}).ok
    assert graph.get(f"{path}/$value").content == b"\xff\xd8picture"
    assert graph.get(path).json()["@odata.mediaContentType"] == "image/jpeg"
    assert graph.delete(path).status_code == 204


def test_ids_are_translated_both_ways(sandbox: Tenant, graph: Caller, anne: Mailbox):
    contact = anne.add("Contacts", givenName="Ada")
    body = {"inputIds": [contact["defaultId"]], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"}
    assert graph.post("/me/translateExchangeIds", body).json()["value"][0]["targetId"] == contact["id"]


@pytest.mark.parametrize(
    ("switch", "edit", "name", "expected"),
    [
        ({"address_merge": True}, {"homeAddress": {"city": "X"}}, "homeAddress", {"street": "1 Rue", "city": "X"}),
        ({"rebuild_display_name": "always"}, {"jobTitle": "x"}, "displayName", "Ada"),
        ({"rebuild_display_name": "never"}, {"givenName": "Eva"}, "displayName", "Own"),
        ({"empty_birthday": "0001-01-01T08:00:00Z"}, {"jobTitle": "x"}, "birthday", "0001-01-01T08:00:00Z"),
        ({"unknown_properties": "ignore"}, {"nonsense": 1, "jobTitle": "x"}, "jobTitle", "x"),
        ({"home_phones": 0}, {"homePhones": ["1", "2", "3"]}, "homePhones", ["1", "2", "3"]),
    ],
)  # fmt: skip
def test_what_is_not_established_is_a_switch(sandbox: Tenant, graph: Caller, switch, edit, name, expected):
    body = {"givenName": "Ada", "displayName": "Own", "homeAddress": {"street": "1 Rue"}}
    contact_id = graph.post("/me/contacts", body).json()["id"]
    sandbox.settings(**switch)
    assert graph.patch(f"/me/contacts/{contact_id}", edit).json()[name] == expected


def test_more_switches_for_what_is_not_established(sandbox: Tenant, graph: Caller, anne: Mailbox):
    folder = anne.create_folder("Business Central")
    made = graph.post("/me/contacts", {"givenName": "Ada"}).json()
    path = f"/me/contacts/{made['id']}"
    assert graph.patch(path, {"parentFolderId": folder["id"]}).json()["parentFolderId"] == made["parentFolderId"]
    sandbox.settings(patch_parent="move", folder_enforced=True, if_match=False, text_limit=5, multi_value_code="Other")
    assert graph.patch(path, {"parentFolderId": folder["id"]}).json()["parentFolderId"] == folder["id"]
    assert error(graph.get(f"/me/contactFolders/contacts/contacts/{made['id']}")) == (404, "ErrorItemNotFound")
    assert graph.patch(path, {"surname": "Byron"}, headers={"If-Match": made["@odata.etag"]}).ok
    assert error(graph.patch(path, {"surname": "Lovelace"})) == (400, "ErrorInvalidRequest")
    assert error(graph.patch(path, {"homePhones": ["1", "2", "3"]})) == (400, "Other")
    sandbox.settings(second_write=True)
    again = graph.post("/me/contacts", {"givenName": "Eva"}).json()
    assert graph.get(f"/me/contacts/{again['id']}").json()["changeKey"] != again["changeKey"]
