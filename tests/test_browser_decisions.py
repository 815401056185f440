"""What waits for a person's word, decided in a real browser: held runs, contacts from Outlook, conflicts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from contacts.models import Contact
from crmsync.sync.models import SyncRun
from crmsync.users.models import User
from tests.browser import BROWSER, NARROW, WIDE, Background, barriers
from tests.factories import PersonFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person

pytestmark = BROWSER
Enter = Callable[[User], Page]


@pytest.fixture
def emptied(jens: Salesperson) -> Salesperson:
    """Jens, whose folder somebody has emptied since the last sync."""
    for name in ("Anne", "Bo", "Carla"):
        PersonFactory(first_name=name, surname="Nørgård", email=f"{name.lower()}@fabrikam.example")
    jens.sync()
    jens.outlook.empty()
    return jens


def sync(page: Page) -> None:
    page.goto("/contacts/")
    page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_held_run_is_looked_at_and_approved(
    enter: Enter, emptied: Salesperson, background: Background, width: int
) -> None:
    page = enter(emptied.setup.user)
    page.set_viewport_size({"width": width, "height": 900})
    sync(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Held: nothing has been changed.")
    expect(page.locator(".topbar-chip")).to_contain_text("decision")
    assert barriers(page) == []
    page.set_viewport_size({"width": width, "height": 900})
    dialog.get_by_role("link", name="Look and decide").click()

    expect(page.get_by_text("Your Outlook folder is suddenly empty.")).to_be_visible()
    expect(page.get_by_role("row", name="Bo Nørgård")).to_be_visible()
    page.get_by_role("button", name="Approve everything").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve everything").click()

    expect(page.get_by_role("button", name="Approve everything")).to_be_hidden()
    expect(page.locator(".topbar-chip")).to_contain_text("In sync")
    assert SyncRun.objects.latest("pk").rulings.latest("pk").by == emptied.setup.user


def test_a_held_run_is_rejected_and_nothing_has_changed(
    enter: Enter, emptied: Salesperson, background: Background
) -> None:
    page = enter(emptied.setup.user)
    sync(page)
    page.get_by_role("dialog").get_by_role("link", name="Look and decide").click()

    page.get_by_role("button", name="Reject everything").click()

    expect(page.locator(".toast-card")).to_contain_text("Rejected. Nothing more is changed.")
    expect(page.get_by_role("main")).to_contain_text("Rejected")
    assert Contact.objects.alive().count() == 3


def test_home_leads_to_what_needs_a_decision(enter: Enter, emptied: Salesperson) -> None:
    emptied.sync()
    page = enter(emptied.setup.user)
    page.goto("/")

    page.get_by_role("region", name="What needs you").get_by_role("link").first.click()

    expect(page.get_by_role("heading", name="This needs your decision")).to_be_visible()
    assert barriers(page) == []


def test_a_contact_that_waits_is_let_in(enter: Enter, jens: Salesperson, background: Background) -> None:
    jens.change(new_contact_rule="hold")
    jens.outlook.create_folder(FOLDER)
    for name in ("Carla", "Dora"):
        jens.outlook.add(**outlook_person(name, "Díaz", f"{name.lower()}@diaz.example"))
    jens.sync()
    page = enter(jens.setup.user)
    page.goto("/sync/left-out/")
    assert barriers(page) == []

    page.get_by_role("button", name="Add to the CRM: Carla Díaz").click()
    expect(page.get_by_text("The next sync carries out 1 decision of yours.")).to_be_visible()
    page.get_by_role("button", name="Sync now").click()

    expect(page.get_by_role("dialog")).to_contain_text("1 created in the CRM")
    assert [contact.name for contact in Contact.objects.alive()] == ["Carla Díaz"]


def test_a_conflict_is_decided_value_by_value(enter: Enter, jens: Salesperson, background: Background) -> None:
    jens.change(conflict_rule="ask")
    anne = PersonFactory(first_name="Anne", surname="Nørgård", email="anne@fabrikam.example", job_title="Buyer")
    jens.sync()
    edit(anne, job_title="Head of Purchasing")
    jens.outlook.edit(jens.card("Anne Nørgård")["id"], jobTitle="Chief Buyer")
    jens.sync()
    page = enter(jens.setup.user)
    page.goto("/sync/left-out/")
    row = page.get_by_role("row", name="Anne Nørgård").first
    expect(row).to_contain_text("Head of Purchasing")
    expect(row).to_contain_text("Chief Buyer")
    assert barriers(page) == []

    page.get_by_role("button", name="Use Outlook's: Job title, Anne Nørgård").click()
    page.get_by_role("button", name="Sync now").click()

    expect(page.get_by_role("dialog")).to_contain_text("1 updated in the CRM")
    anne.refresh_from_db()
    assert anne.job_title == "Chief Buyer"


def test_never_for_one_contact_takes_it_out_of_my_outlook(
    enter: Enter, jens: Salesperson, background: Background
) -> None:
    for name in ("Anne", "Bo"):
        PersonFactory(first_name=name, surname="Nørgård", email=f"{name.lower()}@fabrikam.example")
    jens.sync()
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    page.get_by_role("link", name="Bo Nørgård").click()
    outlook = page.get_by_role("region", name="Outlook")
    outlook.get_by_role("button", name="Never").click()
    expect(outlook.get_by_role("button", name="Never")).to_have_attribute("aria-pressed", "true")
    expect(outlook.get_by_role("button", name="Never")).to_be_focused()

    sync(page)

    expect(page.get_by_role("dialog")).to_contain_text("1 removed from Outlook")
    assert jens.names() == ["Anne Nørgård"]
