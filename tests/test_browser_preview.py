"""The first sync in a real browser, from OK over the preview to the result; and a held one, decided cause by cause."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from contacts.models import Contact
from crmsync.sync.models import SyncRun
from crmsync.users.models import User
from tests.browser import BROWSER, NARROW, Background, barriers
from tests.factories import PersonFactory
from tests.scene import Salesperson, edit

pytestmark = BROWSER
Enter = Callable[[User], Page]


def people() -> None:
    for name in ("Anne", "Bo", "Carla", "Dora"):
        PersonFactory(first_name=name, surname="Nørgård", email=f"{name.lower()}@fabrikam.example")


def test_the_first_sync_shows_what_it_would_do_and_does_what_is_left_of_it(
    enter: Enter, jens: Salesperson, background: Background
) -> None:
    people()
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Preview")
    expect(page.get_by_role("main")).to_contain_text("4 contacts are changed when you apply this.")
    page.get_by_role("button", name="Leave out this time: Bo Nørgård").click()
    expect(page.get_by_role("button", name="Undo: Bo Nørgård")).to_be_focused()
    page.get_by_role("button", name="Never sync: Carla Nørgård").click()
    page.get_by_role("button", name="Leave out this time: Dora Nørgård").click()
    page.get_by_role("button", name="Undo: Dora Nørgård").click()
    expect(page.get_by_role("main")).to_contain_text("2 contacts are changed when you apply this. 2 are left out.")
    assert barriers(page) == [] and jens.outlook.folders()[0]["name"] == "Contacts"
    page.get_by_role("button", name="Apply").click()

    expect(page.get_by_text("2 created in Outlook, 1 left for the next sync.")).to_be_visible()
    assert jens.names() == ["Anne Nørgård", "Dora Nørgård"]
    assert jens.setup.preferences.get().contact.first_name == "Carla"

    page.go_back()
    expect(page.get_by_text("This preview was carried out")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)


def hold(jens: Salesperson, settings: Any) -> None:
    """Bring about a held sync: two contacts in the trash, one more than may go unasked, and one edited."""
    settings.SYNC_DELETE_LIMIT = 1
    people()
    jens.sync()
    for contact in Contact.objects.all()[:2]:
        contact.trash(by=None)
    edit(Contact.objects.get(first_name="Carla"), job_title="Boss")
    assert jens.sync()["outcome"] == "held"


def test_a_held_sync_is_said_on_every_page_and_decided_cause_by_cause(
    enter: Enter, jens: Salesperson, background: Background, settings: object
) -> None:
    hold(jens, settings)
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    carla = Contact.objects.get(first_name="Carla")
    for path in (carla.get_absolute_url(), f"/sync/contacts/{carla.number}/why/"):
        page.goto(path)
        expect(page.get_by_text("waits for your decision").nth(1)).to_be_visible()
        expect(page.get_by_role("link", name="Look and decide")).to_have_count(1)
    expect(page.locator(".why-remedy")).to_be_hidden()  # it would be an empty line
    page.get_by_role("main").get_by_role("link", name="Look and decide").click()

    expect(page.get_by_text("2 contacts would be removed from your Outlook.").first).to_be_visible()
    expect(page.get_by_role("main").get_by_text("Your sync is held")).to_be_hidden()
    assert barriers(page) == []
    page.get_by_role("group", name="Remove from Outlook").get_by_label("Park").check()
    page.get_by_role("group", name="Update in Outlook").get_by_label("Approve").check()
    page.get_by_role("button", name="Carry out these decisions").click()

    expect(page.get_by_text("What you parked waits for your decision.").first).to_be_visible()
    assert jens.card("Carla Nørgård")["jobTitle"] == "Boss" and len(jens.names()) == 4
    page.get_by_role("button", name="Approve everything").click()
    page.get_by_role("dialog", name="Remove 2 contacts from Outlook?").get_by_role("button", name="Approve").click()
    expect(page.get_by_text("1 updated in Outlook, 2 removed from Outlook.")).to_be_visible()
    assert SyncRun.objects.first().outcome == "done" and len(jens.names()) == 2


def test_the_names_of_a_cause_open_where_they_were_asked_for_and_cost_no_choice(
    enter: Enter, jens: Salesperson, settings: object
) -> None:
    hold(jens, settings)
    page = enter(jens.setup.user)
    page.set_viewport_size({"width": NARROW, "height": 700})
    page.goto(SyncRun.objects.first().get_absolute_url())
    causes = page.locator("#verdicts")
    causes.get_by_role("group", name="Update in Outlook").get_by_label("Park").check()

    removed = causes.get_by_role("group", name="Remove from Outlook")
    removed.get_by_text("Show the names").click()

    expect(removed.get_by_role("link", name="Anne Nørgård")).to_be_in_viewport()
    expect(removed.get_by_role("link", name="Bo Nørgård")).to_be_in_viewport()
    expect(removed.get_by_role("link", name="Carla Nørgård")).to_have_count(0)
    removed.get_by_role("link", name="See what changes").click()
    expect(page.locator("#changes").get_by_text("moved to the CRM's trash").first).to_be_in_viewport()
    expect(page.locator("#changes").get_by_role("row")).to_have_count(3)
    expect(causes.get_by_role("group", name="Update in Outlook").get_by_label("Park")).to_be_checked()
    assert barriers(page) == []
