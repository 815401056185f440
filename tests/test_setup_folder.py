"""Which folder is synced: chosen on the page, followed by its id, adopted by its name, made when there is none."""

import pytest
from django.test import Client
from django.utils import timezone

from exchange_setup.folders import ensure_folder, find_folder
from exchange_setup.graph.errors import FolderGone
from exchange_setup.mailbox import open_mailbox
from exchange_setup.models import ExchangeSync, Trouble
from tests.factories import UserFactory
from tests.outlook import Mailbox, Tenant

pytestmark = pytest.mark.django_db
ADDRESS = "anna@contoso.example"


@pytest.fixture
def setup(sandbox: Tenant, client: Client, settings) -> ExchangeSync:
    settings.M365_ACCESS = "application"
    user = UserFactory(authentication_email=ADDRESS)
    sandbox.add_person(ADDRESS, "Anna")
    client.force_login(user)
    return ExchangeSync.objects.create(user=user, mailbox=ADDRESS)


@pytest.fixture
def outlook(setup: ExchangeSync, sandbox: Tenant) -> Mailbox:
    return sandbox.mailbox(ADDRESS)


def ensure(setup: ExchangeSync) -> tuple[str, bool]:
    with open_mailbox(setup) as graph:
        found = ensure_folder(setup, graph)
    setup.refresh_from_db()
    assert (setup.folder_id, setup.folder_name) == (found.folder.id, found.folder.name)
    return found.folder.name, found.created


def names(outlook: Mailbox) -> list[str]:
    return sorted(folder["name"] for folder in outlook.folders() if folder["kind"] == "contacts")


def test_a_folder_that_does_not_exist_is_made_once(setup: ExchangeSync, outlook: Mailbox) -> None:
    assert ensure(setup) == ("Business Central", True)
    assert ensure(setup) == ("Business Central", False)
    assert [folder["name"] for folder in outlook.folders()].count("Business Central") == 1


def test_a_folder_with_the_name_is_adopted_whatever_its_case(setup: ExchangeSync, outlook: Mailbox) -> None:
    outlook.create_folder("business CENTRAL")
    assert ensure(setup) == ("business CENTRAL", False)


def test_a_renamed_folder_is_followed(setup: ExchangeSync, outlook: Mailbox) -> None:
    ensure(setup)
    outlook.rename_folder("Business Central", "Kunder")
    assert ensure(setup) == ("Kunder", False)


def test_a_folder_that_is_gone_is_never_silently_made_again(setup: ExchangeSync, outlook: Mailbox) -> None:
    ensure(setup)
    outlook.delete_folder("Business Central")
    outlook.create_folder("Business Central")
    with open_mailbox(setup) as graph:
        for ask in (lambda: ensure_folder(setup, graph), lambda: graph.delta(setup.folder_id)):
            with pytest.raises(FolderGone):
                ask()


def test_having_it_made_again_takes_a_deliberate_step(setup: ExchangeSync, outlook: Mailbox, client: Client) -> None:
    ensure(setup)
    former = setup.folder_id
    setup.note_trouble(Trouble.FOLDER_GONE, "404")
    outlook.delete_folder("Business Central")
    client.post("/exchange-setup/folder/again/")
    setup.refresh_from_db()
    assert (setup.trouble, setup.folder_id, setup.folder_name) == ("", "", "Business Central")
    assert ensure(setup) == ("Business Central", True)
    assert setup.folder_id != former


def test_a_folder_that_is_there_is_not_made_again_by_a_late_click(setup: ExchangeSync, client: Client) -> None:
    ensure(setup)
    client.post("/exchange-setup/folder/again/")
    setup.refresh_from_db()
    assert setup.folder_id


def test_outlooks_main_folder_holds_new_contacts_for_review(setup: ExchangeSync) -> None:
    setup.folder_name = "contacts"
    assert ensure(setup) == ("Contacts", False)
    assert setup.folder_is_main and setup.new_contact_rule == "hold"
    ensure(setup)
    assert setup.folder_is_main


def test_looking_for_the_folder_changes_nothing_in_outlook(setup: ExchangeSync, outlook: Mailbox) -> None:
    with open_mailbox(setup) as graph:
        assert find_folder(setup, graph) is None
    assert "Business Central" not in [folder["name"] for folder in outlook.folders()]


# --- On the page -----------------------------------------------------------------------------------------------------


def test_the_mailboxs_own_folders_can_be_chosen_from(setup: ExchangeSync, outlook: Mailbox, client: Client) -> None:
    folder = outlook.create_folder("Customers")
    fragment = client.get("/exchange-setup/folder/", headers={"HX-Request": "true"}).content.decode()
    assert "Customers" in fragment and "main contacts, private ones among them" in fragment and "<html" not in fragment
    assert "<html" in client.get("/exchange-setup/folder/").content.decode()
    client.post("/exchange-setup/folder/", {"choice": folder["id"], "name": ""})
    setup.refresh_from_db()
    assert (setup.folder_id, setup.folder_name, setup.new_contact_rule) == (folder["id"], "Customers", "add")


def test_choosing_the_main_folder_warns(setup: ExchangeSync, outlook: Mailbox, client: Client) -> None:
    answer = client.post("/exchange-setup/folder/", {"choice": outlook.folder("Contacts")["id"]}, follow=True)
    assert "wait for your review" in answer.content.decode()
    setup.refresh_from_db()
    assert setup.folder_is_main and setup.new_contact_rule == "hold"


def test_a_folder_of_somebody_else_cannot_be_chosen(setup: ExchangeSync, sandbox: Tenant, client: Client) -> None:
    foreign = sandbox.add_person("bo@contoso.example", "Bo").create_folder("Bo's")
    answer = client.post("/exchange-setup/folder/", {"choice": foreign["id"], "name": "x"})
    assert answer.status_code == 422
    setup.refresh_from_db()
    assert setup.folder_id == ""


def test_another_folder_starts_afresh_and_says_what_happens_to_the_old_one(
    setup: ExchangeSync, outlook: Mailbox, client: Client
) -> None:
    ensure(setup)
    ExchangeSync.objects.update(delta_link="https://x", last_sync_at=timezone.now())
    answer = client.post("/exchange-setup/folder/", {"choice": "new", "name": "Customers"}, follow=True)
    assert "stay in Outlook" in answer.content.decode()
    setup.refresh_from_db()
    assert (setup.folder_id, setup.delta_link, setup.last_sync_at) == ("", "", None)
    assert outlook.folder("Business Central")


def test_the_same_name_keeps_the_folder(setup: ExchangeSync, client: Client) -> None:
    ensure(setup)
    ExchangeSync.objects.update(delta_link="https://x", last_sync_at=timezone.now())
    client.post("/exchange-setup/folder/", {"choice": "new", "name": " business central "})
    setup.refresh_from_db()
    assert setup.folder_id and setup.delta_link


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "two\nlines", "bell\x07"])
def test_a_name_that_is_none_is_refused(setup: ExchangeSync, client: Client, name: str) -> None:
    answer = client.post("/exchange-setup/folder/", {"choice": "new", "name": name})
    assert answer.status_code == 422
    setup.refresh_from_db()
    assert setup.folder_name == "Business Central"


def test_a_mailbox_that_does_not_answer_is_told(setup: ExchangeSync, sandbox: Tenant, client: Client) -> None:
    sandbox.faults.add("mailbox_not_enabled")
    fragment = client.get("/exchange-setup/folder/", headers={"HX-Request": "true"}).content.decode()
    assert "has no mailbox" in fragment
    page = client.get("/exchange-setup/folder/", follow=True).content.decode()
    assert "has no mailbox" in page
