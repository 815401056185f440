"""A newcomer without a mouse: from the sign-in by way of the setup to the first sync, and back to the contacts.

Everything is reached by Tab from where the last key left the focus, and shows that it has the focus.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from crmsync.users.models import User
from tests.browser import BROWSER, NAME, Background, press_until
from tests.factories import PersonFactory, UserFactory
from tests.outlook import Tenant

pytestmark = [*BROWSER, pytest.mark.usefixtures("way_to_microsoft")]
XENIA, PASSWORD = "xenia@contoso.example", "correct horse battery"


@pytest.fixture
def xenia(sandbox: Tenant) -> User:
    sandbox.add_person(XENIA, "Xenia Xu")
    user = UserFactory(name="Xenia Xu", email=XENIA, authentication_email=XENIA)
    user.set_password(PASSWORD)
    user.save()
    return user


def press(page: Page, name: str, most: int = 60) -> None:
    press_until(page, "Tab", name, most)
    page.keyboard.press("Enter")


def heading(page: Page, text: str) -> None:
    """The page is there, and so is what listens to keys."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)
    page.wait_for_load_state()


def test_from_the_sign_in_to_the_first_sync_and_back(
    page: Page, xenia: User, sandbox: Tenant, background: Background
) -> None:
    for name, city in {"Anne": "Aarhus", "Bo": "Aarhus", "Carla": "Berlin"}.items():
        PersonFactory(first_name=name, surname="Nørgård", city=city, email=f"{name.lower()}@fabrikam.example")
    sign_in_by_keyboard(page)
    press(page, "Set it up", most=20)
    heading(page, "Exchange sync setup")
    connect_by_keyboard(page)
    set_up_by_keyboard(page)

    press(page, "Preview the first sync", most=20)
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".filter-count strong")).to_be_visible()
    press_until(page, "Tab", "City")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate(NAME) == "Preview the first sync"  # a closed dialog gives the focus back
    press(page, "Enable", most=5)
    expect(page.locator("#setup-state")).to_have_text("Enabled: waits for your first sync.")

    press(page, "Sync with Microsoft 365", most=30)
    expect(dialog.locator(".filter-count strong")).to_be_visible()
    press(page, "OK")
    heading(page, "Preview")
    press(page, "Apply", most=30)
    expect(page.get_by_text("2 created in Outlook").first).to_be_visible()
    assert len(sandbox.mailbox(XENIA).contacts("Business Central")) == 2

    page.keyboard.press("Escape")
    press(page, "Contacts", most=30)
    heading(page, "Contacts")
    expect(page.get_by_role("row", name="Anne Nørgård")).to_contain_text("In Outlook")
    for key in ("j", "j", "Enter"):
        page.keyboard.press(key)
    heading(page, "Bo Nørgård")
    page.go_back()
    heading(page, "Contacts")


def sign_in_by_keyboard(page: Page) -> None:
    page.goto("/accounts/login/")
    page.keyboard.type(XENIA)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    heading(page, "Hello, Xenia Xu")


def connect_by_keyboard(page: Page) -> None:
    """Microsoft's page is not ours: whom to sign in as is picked there with the keys that any page has."""
    press(page, "Connect Microsoft 365", most=20)
    expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()
    page.get_by_role("radio", name="Xenia Xu").press("Space")
    page.get_by_role("button", name="Accept").press("Enter")
    heading(page, "Exchange sync setup")
    expect(page.get_by_text(f"Connected to {XENIA}.")).to_be_visible()


def set_up_by_keyboard(page: Page) -> None:
    """Each saved step leaves the focus at the next one. A field of the filter is added and taken away again."""
    save(page, "folder", 2)
    press_until(page, "Tab", "City", most=20)
    page.keyboard.type("Aarhus")
    press_until(page, "Tab", "Add a field", most=20)
    page.keyboard.type("Dep", delay=50)
    expect(page.get_by_label("Add a field")).to_be_focused()  # what one passes by is not picked
    page.keyboard.press("Enter")
    expect(page.get_by_label("Department", exact=True)).to_be_focused()
    expect(page.locator("#step-3")).to_contain_text("2 of 3 contacts")
    press(page, "Remove the filter on Department", most=5)
    expect(page.get_by_label("Department", exact=True)).to_have_count(0)
    expect(page.locator("#step-3")).to_contain_text("2 of 3 contacts")
    save(page, "filter", 3)
    expect(page.locator("#step-3")).to_contain_text("City: Aarhus")
    save(page, "rules", 4)
    save(page, "schedule", 5)
    expect(page.locator("#step-5")).to_contain_text("Every 15 minutes")


def save(page: Page, what: str, step: int) -> None:
    press(page, f"Save the {what}", most=25)
    expect(page).to_have_url(re.compile(f"#step-{step}$"))
    expect(page.get_by_role("button", name=f"Save the {what}")).to_be_hidden()
