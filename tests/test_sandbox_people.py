"""The People page: Outlook as its owner uses it, without a script and without a sign-in."""

import html
import re
from typing import Any

import pytest
import requests

from tests.outlook import Mailbox, Tenant

ANNE = "anne@contoso.example"


class Browser:
    """A person at the page: follows links, and sends forms with the token that the page holds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def open(self, path: str) -> str:
        return self._read(self.session.get(self.url + path, timeout=10))

    def send(self, path: str, **fields: Any) -> str:
        token = re.search(r'name="form_token" value="([^"]+)"', self.open("/people/switches"))
        assert token
        return self._read(self.session.post(self.url + path, data={"form_token": token[1], **fields}, timeout=10))

    def _read(self, response: requests.Response) -> str:
        self.status, self.path = response.status_code, response.url.removeprefix(self.url)
        return html.unescape(response.text)


@pytest.fixture
def anne(sandbox: Tenant) -> Mailbox:
    return sandbox.add_person(ANNE, "Anne Nørgård")


@pytest.fixture
def outlook(sandbox: Tenant, anne: Mailbox) -> Browser:
    return Browser(sandbox.url)


def folder_path(outlook: Browser, name: str) -> str:
    page = outlook.open(f"/people/{ANNE}/")
    found = re.search(rf'<a href="([^"]+)"[^>]*>\s*{name} <span class="count"', page)
    assert found, page
    return found[1]


def card_path(outlook: Browser, folder: str, name: str) -> str:
    found = re.search(rf'<a href="([^"]+/contacts/\d+/)[^"]*"(?:(?!</a>).)*{name}', outlook.open(folder), re.S)
    assert found
    return found[1]


FORM = {
    "givenName": "Ada",
    "surname": "Byron",
    "companyName": "Analytical Ltd",
    "email1": "ada@example.org",
    "email2": "countess@example.org",
    "email3": "third@example.org",
    "business1": "+44 20 7946 0001",
    "business2": "+44 20 7946 0002",
    "mobilePhone": "+44 7700 900123",
    "home1": "+44 1",
    "fax": "+44 20 7946 0003",
    "businessAddress.street": "12 High Street\r\nFloor 2",
    "businessAddress.city": "London",
    "birthday": "1815-12-10",
    "categories": "CRM, Friends",
    "personalNotes": "First\r\nSecond",
    "private": "yes",
}


def test_a_person_is_picked_and_sees_the_folders(outlook: Browser, anne: Mailbox):
    anne.create_folder("Business Central")
    assert "Anne Nørgård" in outlook.open("/people/")
    page = outlook.open(f"/people/{ANNE}/")
    assert all(text in page for text in ("Contacts", "Other contacts", "Business Central", "Deleted items"))
    assert "This folder is empty." in page
    assert outlook.open("/people/nobody@contoso.example/") and outlook.status == 404


def test_a_contact_is_added_with_all_its_fields(outlook: Browser, anne: Mailbox):
    page = outlook.send(f"{folder_path(outlook, 'Contacts')}new", **FORM)
    for text in (
        "The contact was added.",
        "Ada Byron",
        "third@example.org",
        "+44 20 7946 0003",
        "Private",
        "1815-12-10",
    ):
        assert text in page
    contact = anne.contacts("Contacts")[0]
    assert [entry["address"] for entry in contact["emailAddresses"]] == [FORM[f"email{n}"] for n in (1, 2, 3)]
    assert contact["businessPhones"] == ["+44 20 7946 0001", "+44 20 7946 0002"]
    assert contact["businessAddress"] == {"street": "12 High Street\nFloor 2", "city": "London"}
    assert (contact["birthday"], contact["personalNotes"]) == ("1815-12-10T11:59:00Z", "First\nSecond")
    assert set(contact["categories"]) == {"CRM", "Friends"}
    assert contact["extended"] == {"String 0x3A24": "+44 20 7946 0003", "Integer 0x36": "2"}


def test_an_edit_changes_only_what_was_changed(sandbox: Tenant, outlook: Browser, anne: Mailbox):
    outlook.send(f"{folder_path(outlook, 'Contacts')}new", **FORM)
    before = anne.contacts("Contacts")[0]
    anne.edit(before["id"], imAddresses=["ada"], otherAddress={"city": "Paris"})
    graph = sandbox.caller(ANNE)
    _, link = graph.pages("/me/contacts/delta")
    path = card_path(outlook, folder_path(outlook, "Contacts"), "Ada Byron")
    assert 'value="Ada Byron"' in outlook.open(f"{path}edit")
    changed = {**FORM, "displayName": "Ada Byron", "surname": "Lovelace", "fax": "", "email2": ""}
    changed.pop("private")
    assert "Ada Lovelace" in outlook.send(f"{path}edit", **changed)
    after = anne.contacts("Contacts")[0]
    assert [entry["address"] for entry in after["emailAddresses"]] == ["ada@example.org", "third@example.org"]
    assert after["imAddresses"] == ["ada"] and after["otherAddress"] == {"city": "Paris"}
    assert after["extended"] == {"Integer 0x36": "0"}
    assert after["displayName"] == "Ada Lovelace"
    assert graph.pages(link)[0][0]["surname"] == "Lovelace"
    outlook.send(f"{path}edit", **{**changed, "displayName": "Ada Lovelace"})
    assert anne.contacts("Contacts")[0]["changeKey"] == after["changeKey"], "saving without a change changes nothing"


def test_a_contact_needs_something_to_go_by(outlook: Browser, anne: Mailbox):
    page = outlook.send(f"{folder_path(outlook, 'Contacts')}new", mobilePhone="  ")
    assert outlook.status == 400 and "Give the contact a name, a company or an e-mail first." in page


def test_contacts_are_moved_copied_deleted_and_restored(outlook: Browser, anne: Mailbox):
    anne.create_folder("Business Central")
    anne.add(
        "Contacts", givenName="Ada", surname="Byron", singleValueExtendedProperties=[{"id": "String 0x1", "value": "m"}]
    )
    number = folder_path(outlook, "Business Central").rstrip("/").rpartition("/")[2]
    path = card_path(outlook, folder_path(outlook, "Contacts"), "Ada Byron")
    assert "This is the copy in Business Central." in outlook.send(f"{path}copy", folder=number)
    assert anne.contacts()[0]["extended"] == {"String 0x1": "m"}, "Outlook copies our markers too"
    assert "moved to Business Central" in outlook.send(f"{path}move", folder=number)
    assert len(anne.contacts()) == 2 and anne.contacts("Contacts") == []
    assert "moved to Deleted items" in outlook.send(f"{path}delete")
    assert len(anne.contacts("Deleted Items")) == 1
    assert "back in Business Central" in outlook.send(f"{path}restore")
    outlook.send(f"{path}delete")
    assert "gone for good" in outlook.send(f"{path}purge")
    assert (len(anne.contacts()), anne.contacts("Deleted Items")) == (1, [])


def test_folders_are_made_renamed_emptied_deleted_and_restored(outlook: Browser, anne: Mailbox):
    assert "The folder CRM is there." in outlook.send(f"/people/{ANNE}/folders/new", name=" CRM ")
    taken = outlook.send(f"/people/{ANNE}/folders/new", name="crm")
    assert outlook.status == 409 and "already exists" in taken and "Nothing was changed." in taken
    path = folder_path(outlook, "CRM")
    outlook.send(f"{path}rename", name="Business Central")
    anne.add("Business Central", givenName="Ada")
    assert "Business Central was moved to Deleted items." in outlook.send(f"{path}delete")
    assert anne.contacts() == []
    assert "Business Central" in outlook.open(folder_path(outlook, "Deleted items"))
    assert "Business Central is back." in outlook.send(f"{path}restore")
    assert len(anne.contacts()) == 1
    assert "1 contacts went to Deleted items." in outlook.send(f"{path}empty")


def test_the_list_is_searched_and_paged(outlook: Browser, anne: Mailbox):
    anne.add_many("Contacts", [{"givenName": f"Ada{n:03}"} for n in range(120)])
    anne.add(
        "Contacts", givenName="Øjvind", companyName="Fabrikam", emailAddresses=[{"address": "oj@fabrikam.example"}]
    )
    path = folder_path(outlook, "Contacts")
    assert "1–100 of 121" in outlook.open(path)
    assert "101–121 of 121" in outlook.open(f"{path}?from=100")
    for words in ("øjvind", "fabrik", "OJ@fab", "fabrikam øj"):
        page = outlook.open(f"{path}?q={words}")
        assert "1 contact found" in page and "Øjvind" in page and "Ada000" not in page
    assert "Nothing in Contacts fits “<b>”" in outlook.open(f"{path}?q=<b>")


def test_a_form_from_elsewhere_changes_nothing(sandbox: Tenant, outlook: Browser, anne: Mailbox):
    for token in ("", "guessed"):
        response = requests.post(
            f"{sandbox.url}/people/{ANNE}/folders/new", data={"name": "Evil", "form_token": token}, timeout=5
        )
        assert response.status_code == 400 and "not from this page" in response.text
    assert "Evil" not in [folder["name"] for folder in anne.folders()]
    outlook.open(f"/people/{ANNE}/")
    cookie = outlook.session.get(f"{sandbox.url}/people/switches", timeout=5)
    assert "SameSite=Strict" in cookie.headers.get("Set-Cookie", "SameSite=Strict")


def test_what_is_typed_is_text_and_never_markup(outlook: Browser, anne: Mailbox):
    anne.add("Contacts", givenName="<script>alert(1)</script>", personalNotes="<b>bold</b>")
    path = card_path(outlook, folder_path(outlook, "Contacts"), "")
    raw = outlook.session.get(outlook.url + path, timeout=5).text
    assert "<script>" not in raw and "<b>bold" not in raw


def test_switches_and_faults_are_turned_for_a_rehearsal(sandbox: Tenant, outlook: Browser):
    on = outlook.send("/people/switches", latency_ms="30", batch_order="as_sent", throttle="on")
    assert "The switches are set." in on
    switches = sandbox.settings()
    assert (switches["latency_ms"], switches["batch_order"], switches["throttle"]) == (30, "as_sent", True)
    assert switches["if_match"] is False, "a box without its tick is off"
    assert "page_size cannot be" in outlook.send("/people/switches", page_size="many") and outlook.status == 400
    outlook.send("/people/switches", defaults="yes")
    assert sandbox.settings()["if_match"] is True and sandbox.settings()["latency_ms"] == 0
    page = outlook.send(
        "/people/switches/faults", do="throttled", mailbox=ANNE, times="2", retry_after="2.5", commit="yes"
    )
    assert "429: too many requests" in page
    fault = sandbox.faults.all()[0]
    assert (fault["times"], fault["retry_after"], fault["mailbox"], fault["commit"]) == (2, "2.5", ANNE, True)
    outlook.send("/people/switches/faults/off", number=str(fault["number"]))
    assert sandbox.faults.all() == []
    assert outlook.send("/people/switches/faults", do="nonsense") and outlook.status == 400


def test_the_page_needs_nothing_from_elsewhere(outlook: Browser, anne: Mailbox):
    page = outlook.open(f"/people/{ANNE}/")
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == [] and "<script" not in page and "style=" not in page
    assert "var(--accent)" in outlook.open("/people/assets/outlook.css")
