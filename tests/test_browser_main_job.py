"""The main job in a real browser: from the Contacts list to Outlook and back, by mouse, by keyboard, in two tabs."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from contacts.models import Contact
from crmsync.sync.models import SyncRun
from crmsync.users.models import User
from tests.browser import BROWSER, NARROW, WIDE, Background, barriers, press_until
from tests.factories import PersonFactory
from tests.scene import FOLDER, Salesperson, outlook_person

pytestmark = BROWSER
SYNC = "Sync with Microsoft 365"
CITIES = {"Anne": "Aarhus", "Bo": "Aarhus", "Carla": "Berlin"}
Enter = Callable[[User], Page]


@pytest.fixture
def people(jens: Salesperson) -> dict[str, Contact]:
    """Three people who are new since Jens synced for the first time. (`test_browser_preview.py` has that one.)"""
    jens.sync()
    SyncRun.objects.all().delete()
    return {
        name: PersonFactory(first_name=name, surname="Nørgård", city=city, email=f"{name.lower()}@fabrikam.example")
        for name, city in CITIES.items()
    }


def open_dialog(page: Page) -> Locator:
    page.get_by_role("link", name=SYNC, exact=True).click()
    return page.get_by_role("dialog", name=SYNC)


def sync(page: Page, said: str) -> None:
    """From the Contacts list to a result that says so, and the dialog closed again."""
    page.goto("/contacts/")
    dialog = open_dialog(page)
    dialog.get_by_role("button", name="OK").click()
    expect(dialog).to_contain_text(said)
    dialog.get_by_role("button", name="Close").last.click()
    expect(dialog).to_be_hidden()


def pick(dialog: Locator, name: str, expression: str) -> None:
    """Fill in the filter on one field, which stands ready in the dialog."""
    dialog.get_by_label(name, exact=True).fill(expression)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_from_the_sign_in_to_the_result_and_every_change(
    page: Page, jens: Salesperson, people: dict[str, Contact], background: Background, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/contacts/")
    page.get_by_label("E-mail").fill(jens.setup.user.email)
    page.get_by_label("Password").fill("secret-pass-1")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Contacts")

    dialog = open_dialog(page)
    expect(dialog).to_contain_text(jens.setup.mailbox)
    expect(dialog).to_contain_text("3 of 3 contacts")
    pick(dialog, "City", "Aarhus")
    expect(dialog).to_contain_text("2 of 3 contacts")
    dialog.get_by_role("button", name="OK").click()
    expect(dialog).to_contain_text("2 created in Outlook.")
    expect(page.locator(".topbar-chip")).to_contain_text("In sync")

    dialog.get_by_role("link", name="See every change").click()
    expect(page.get_by_text("2 created in Outlook.")).to_be_visible()
    row = page.get_by_role("row", name="Anne Nørgård")
    expect(row).to_contain_text("Created in Outlook")
    row.locator("summary").click()
    expect(row).to_contain_text("anne@fabrikam.example")
    assert jens.names() == ["Anne Nørgård", "Bo Nørgård"]


def test_cancel_changes_nothing(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    dialog = open_dialog(page)
    pick(dialog, "City", "Berlin")
    expect(dialog).to_contain_text("1 of 3 contacts")

    dialog.get_by_role("button", name="Cancel").click()

    expect(dialog).to_be_hidden()
    jens.setup.refresh_from_db()
    assert jens.setup.contact_filter == {} and not SyncRun.objects.exists()
    open_dialog(page)
    expect(dialog).to_contain_text("3 of 3 contacts")


def test_the_run_starts_within_a_second_and_shows_how_far_it_is(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    dialog = open_dialog(page)
    assert barriers(page) == []
    background.pause()
    dialog.get_by_role("button", name="OK").click()
    expect(dialog).to_contain_text("Waiting for a background worker")
    jens.tenant.faults.add("delay", match=r"POST /\$batch", seconds=2, times=0)
    background.go_on()

    step = dialog.locator("[aria-current=step]")
    expect(step).to_contain_text("Carrying out")
    expect(step.get_by_role("progressbar")).to_be_visible()
    expect(step).to_contain_text("of 3")
    expect(page.locator(".topbar-chip")).to_contain_text("Syncing")
    assert barriers(page) == []
    jens.tenant.faults.clear()

    expect(dialog).to_contain_text("3 created in Outlook.")
    assert barriers(page) == []
    run = SyncRun.objects.get()
    assert run.started_at and run.finished_at


def test_an_edit_in_the_crm_is_seen_in_outlook(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    page = enter(jens.setup.user)
    sync(page, "3 created in Outlook.")
    page.get_by_role("link", name="Carla Nørgård").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Job title").fill("Head of Purchasing")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Carla Nørgård")

    sync(page, "1 updated in Outlook.")

    open_people(page, jens)
    page.get_by_role("link", name="Carla Nørgård").click()
    expect(page.get_by_label("Contact", exact=True)).to_contain_text("Head of Purchasing")


def test_an_edit_in_outlook_is_seen_on_the_contact_card_with_what_was_there_before(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    page = enter(jens.setup.user)
    jens.sync()
    open_people(page, jens)
    page.get_by_role("link", name="Bo Nørgård").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Mobile phone").fill("+45 20 30 40 50")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Contact", exact=True)).to_contain_text("+45 20 30 40 50")
    page.get_by_role("link", name="New contact").click()
    page.get_by_label("First name").fill("Dora")
    page.get_by_label("E-mail").first.fill("dora@contoso.example")
    page.get_by_role("button", name="Save").click()

    sync(page, "1 created in the CRM, 1 updated in the CRM.")

    page.reload()
    expect(page.get_by_role("link", name="Dora", exact=True)).to_be_visible()
    page.get_by_role("link", name="Bo Nørgård").click()
    expect(page.get_by_role("main")).to_contain_text("+45 20 30 40 50")
    outlook = page.get_by_role("region", name="Outlook")
    expect(outlook).to_contain_text("Updated in the CRM")
    outlook.get_by_role("link", name="Updated in the CRM").click()
    expect(page.get_by_role("row", name="Bo Nørgård")).to_contain_text("+45 20 30 40 50")


def open_people(page: Page, salesperson: Salesperson) -> None:
    """Outlook as the salesperson sees it, at the folder that is synced."""
    page.goto(f"{salesperson.tenant.url}/people/")
    page.get_by_role("link", name=salesperson.setup.user.name).click()
    page.get_by_label("Folders").get_by_role("link", name=FOLDER).click()
    expect(page.get_by_role("heading", name=FOLDER)).to_be_visible()


def test_two_tabs_and_a_double_click_show_one_run(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    page = enter(jens.setup.user)
    other = page.context.new_page()
    background.pause()
    for tab in (page, other):
        tab.goto("/contacts/")
        expect(open_dialog(tab)).to_contain_text("3 of 3 contacts")

    page.get_by_role("button", name="OK").dblclick()
    expect(page.get_by_role("dialog")).to_contain_text("Waiting for a background worker")
    other.get_by_role("button", name="OK").click()
    expect(other.get_by_role("dialog")).to_contain_text("This one was already open")
    background.go_on()

    for tab in (page, other):
        expect(tab.get_by_role("dialog")).to_contain_text("3 created in Outlook.")
    assert SyncRun.objects.count() == 1


def test_closing_the_dialog_lets_the_sync_go_on_and_the_chip_leads_back(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    background.pause()
    dialog = open_dialog(page)
    dialog.get_by_role("button", name="OK").click()
    expect(dialog).to_contain_text("Waiting for a background worker")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    chip = page.locator(".topbar-chip a")
    expect(chip).to_have_attribute("href", re.compile("/sync/runs/"))
    chip.click()
    expect(page.get_by_role("main")).to_contain_text("Waiting for a background worker")
    background.go_on()

    expect(page.get_by_text("3 created in Outlook.")).to_be_visible()


def test_by_keyboard_alone(enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background) -> None:
    page = enter(jens.setup.user)
    page.goto("/")
    press_until(page, "Tab", "Skip to the page")
    press_until(page, "Tab", "Contacts")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Contacts")

    press_until(page, "Tab", SYNC)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=SYNC)
    expect(dialog).to_contain_text("3 of 3 contacts")
    press_until(page, "Tab", "City")
    page.keyboard.type("Aarhus")
    expect(dialog).to_contain_text("2 of 3 contacts")
    page.keyboard.press("Enter")

    expect(dialog).to_contain_text("2 created in Outlook.")
    press_until(page, "Tab", "See every change")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 created in Outlook.")).to_be_visible()


def test_a_filter_with_a_mistake_starts_nothing_and_points_at_it(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    dialog = open_dialog(page)
    pick(dialog, "City", "A*|(B")

    dialog.get_by_role("button", name="OK").click()

    expect(dialog.get_by_text("This parenthesis is never closed.")).to_be_visible()
    expect(dialog.get_by_label("City", exact=True)).to_have_value("A*|(B")
    assert not SyncRun.objects.exists()


def test_who_is_left_out_is_counted_with_the_reason(
    enter: Enter, jens: Salesperson, people: dict[str, Contact], background: Background
) -> None:
    PersonFactory(first_name="Nobody", surname="Postless", email="")
    jens.outlook.add(FOLDER, **outlook_person("Only", "Outlook", "not an address"))
    page = enter(jens.setup.user)

    sync(page, "2 left out")

    page.goto("/sync/left-out/")
    expect(page.get_by_role("row", name="Nobody Postless")).to_contain_text("No e-mail")
    assert barriers(page) == []
