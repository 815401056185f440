"""What administrators do in a real browser: users, their mailboxes; and the languages, which everybody chooses."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from crmsync.users.models import User
from tests.browser import BROWSER, NARROW, WIDE, Background, barriers
from tests.factories import AdministratorFactory, PersonFactory, UserFactory
from tests.scene import Salesperson

pytestmark = BROWSER
Enter = Callable[[User], Page]


@pytest.fixture
def anna() -> User:
    return AdministratorFactory(name="Anna Admin", email="anna@crm.example")


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_users_list_leads_to_the_card_and_its_authentication_status(enter: Enter, anna: User, width: int) -> None:
    bo = UserFactory(name="Bo Holm", authentication_email="")
    UserFactory(name="Carla Díaz")
    page = enter(anna)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/users/")
    expect(page.get_by_role("row", name="Bo Holm")).to_contain_text("Disabled")
    page.get_by_role("searchbox", name="Search users").fill("holm")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="Carla Díaz")).to_have_count(0)

    page.get_by_role("link", name="Bo Holm").click()
    page.get_by_label("Authentication email").fill("bo@contoso.example")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("row", name="Bo Holm")).to_contain_text("Inactive")
    bo.refresh_from_db()
    assert bo.authentication_email == "bo@contoso.example"


def test_a_new_user_is_added_and_sets_a_password_by_the_link(enter: Enter, anna: User) -> None:
    page = enter(anna)
    page.goto("/users/")
    page.get_by_role("link", name="New").click()
    page.get_by_role("button", name="Add the user").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    assert barriers(page) == []
    page.get_by_label("Name").fill("Dora Dahl")
    page.get_by_label("E-mail", exact=True).fill("dora@crm.example")
    page.get_by_role("button", name="Add the user").click()
    link = page.get_by_label("Link").input_value()

    page.context.clear_cookies()
    page.goto(link)
    for label in ("New password", "New password, once more"):
        page.get_by_label(label, exact=True).fill("four-quiet-horses")
    page.get_by_role("main").get_by_role("button").last.click()

    expect(page.get_by_role("heading", name="Hello, Dora")).to_be_visible()


def test_a_salesperson_is_told_that_a_page_is_not_theirs(enter: Enter) -> None:
    page = enter(UserFactory())
    page.goto("/users/")
    expect(page.get_by_role("navigation", name="Main menu")).to_be_visible()
    assert barriers(page) == []

    page.get_by_role("main").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")


def test_a_mailbox_is_validated_synced_and_paused_for_somebody_else(
    enter: Enter, anna: User, jens: Salesperson, background: Background
) -> None:
    PersonFactory()
    jens.setup.enable()
    page = enter(anna)
    page.goto("/sync/mailboxes/")
    page.get_by_role("link", name=jens.setup.user.name).click()
    page.get_by_role("button", name="Validate Exchange connection").click()
    expect(page.locator("#outcomes li")).to_have_count(5)

    page.get_by_role("button", name="Sync now").click()
    expect(page.locator("#mailbox-runs")).to_contain_text("1 created in Outlook")
    assert barriers(page) == []
    page.get_by_role("button", name="Pause").click()

    expect(page.locator("#mailbox-state")).to_contain_text("Paused")
    jens.setup.refresh_from_db()
    assert not jens.setup.enabled


def test_the_language_is_changed_everywhere_and_kept_for_the_next_browser(
    enter: Enter, jens: Salesperson, served: str
) -> None:
    page = enter(jens.setup.user)
    page.goto("/contacts/")
    page.get_by_role("button", name="Language").click()
    page.get_by_role("button", name="Dansk").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kontakter")
    page.get_by_role("link", name="Synkroniser med Microsoft 365", exact=True).click()
    expect(page.get_by_role("dialog", name="Synkroniser med Microsoft 365")).to_be_visible()

    page.context.clear_cookies()
    page.goto("/accounts/login/")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_label("E-mail").fill(jens.setup.user.email)
    page.get_by_label("Password").fill("secret-pass-1")
    page.keyboard.press("Enter")

    expect(page.locator("html")).to_have_attribute("lang", "da")
    expect(page.get_by_role("link", name="Kontakter")).to_be_visible()
