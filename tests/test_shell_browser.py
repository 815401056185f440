"""The shell in a real browser: themes, dialogs, toasts, keys, narrow screens."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from crmsync.users.models import User
from tests.browser import BROWSER, NARROW, WIDE, overflow, violations
from tests.factories import AdministratorFactory, SetupFactory, UserFactory
from tests.outlook import Tenant

pytestmark = BROWSER


@pytest.fixture
def anna() -> User:
    return AdministratorFactory(name="Anna", email="anna@crm.example")


@pytest.fixture
def shell(enter: Callable[[User], Page], anna: User) -> Page:
    """Anna's browser, on Home."""
    page = enter(anna)
    page.goto("/")
    expect(page.get_by_role("heading", name="Hello, Anna")).to_be_visible()
    return page


def test_the_theme_that_was_chosen_stays(shell: Page) -> None:
    shell.get_by_role("button", name="Theme").click()
    shell.get_by_role("button", name="Dark").click()
    expect(shell.locator("html")).to_have_attribute("data-bs-theme", "dark")

    shell.reload()

    expect(shell.locator("html")).to_have_attribute("data-bs-theme", "dark")
    shell.get_by_role("button", name="Theme").click()
    expect(shell.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


def test_without_motion_a_theme_changes_at_once(shell: Page) -> None:
    """A transition on everything, however short, passes an inherited colour on by one level a frame."""
    late = shell.evaluate(
        """async () => {
            const colour = (part) => getComputedStyle(part).color;
            document.documentElement.dataset.bsTheme = "dark";
            const atOnce = [...document.querySelectorAll("body *")].map((part) => [part, colour(part)]);
            await new Promise((done) => setTimeout(done, 500));
            return atOnce.filter(([part, then]) => part.isConnected && colour(part) !== then).length;
        }"""
    )

    assert late == 0


def test_a_slash_goes_to_the_search(shell: Page, live_server: Any) -> None:
    search = shell.get_by_role("searchbox", name="Search contacts")
    shell.keyboard.press("/")
    expect(search).to_be_focused()

    shell.keyboard.type("a/b")
    expect(search).to_have_value("a/b")
    shell.keyboard.press("Enter")
    expect(shell).to_have_url(f"{live_server.url}/contacts/?q=a%2Fb")


def test_the_language_changes_in_place(shell: Page, live_server: Any) -> None:
    shell.goto(f"{live_server.url}/users/")
    shell.get_by_role("button", name="Language").click()
    shell.get_by_role("button", name="Dansk").click()

    expect(shell.locator("html")).to_have_attribute("lang", "da")
    expect(shell).to_have_url(f"{live_server.url}/users/")


def test_a_change_that_is_hard_to_undo_is_asked_about_first(shell: Page, live_server: Any) -> None:
    bo = UserFactory(name="Bo")
    shell.goto(f"{live_server.url}/users/{bo.pk}/")

    shell.get_by_role("button", name="Close the sign-in").click()
    question = shell.get_by_role("dialog", name="Close the sign-in of Bo?")
    expect(question).to_be_visible()
    assert violations(shell) == []
    question.get_by_role("button", name="Cancel").click()
    bo.refresh_from_db()
    assert bo.is_active

    shell.get_by_role("button", name="Close the sign-in").click()
    question.get_by_role("button", name="Close the sign-in").click()
    expect(shell.get_by_role("status").get_by_text("Bo can no longer sign in.")).to_be_visible()
    bo.refresh_from_db()
    assert not bo.is_active


SAY = """text => document.body.dispatchEvent(new CustomEvent("toast", {detail: {text, tone: "warn"}}))"""
COVERED = """() => [...document.querySelectorAll("main .btn")].filter((button) => {
  const [at, over] = [button, document.querySelector(".toasts")].map((part) => part.getBoundingClientRect());
  return at.left < over.right && over.left < at.right && at.top < over.bottom && over.top < at.bottom;
}).map((button) => button.innerText)"""


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_toast_covers_no_button(shell: Page, width: int) -> None:
    shell.set_viewport_size({"width": width, "height": 700})
    for path in ("/", "/contacts/", "/contacts/new/", "/exchange-setup/", "/sync/"):
        shell.goto(path)
        for text in ("That did not work, and nothing was changed. Reload the page and try again.", "Saved."):
            shell.evaluate(SAY, text)
        expect(shell.locator(".toast-card").last).to_be_in_viewport(ratio=1)
        assert shell.evaluate(COVERED) == [], path


MIDDLES = """card => [...card.querySelectorAll(":scope > *")].map((part) => part.getBoundingClientRect())
  .map((box) => (box.top + box.bottom) / 2)"""


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_parts_of_a_toast_of_one_line_stand_in_its_middle(shell: Page, width: int) -> None:
    shell.set_viewport_size({"width": width, "height": 700})
    shell.goto("/contacts/")
    shell.evaluate(SAY, "Saved.")
    middles = shell.locator(".toast-card").evaluate(MIDDLES)
    assert len(middles) == 3 and max(middles) - min(middles) <= 1, middles


@pytest.mark.parametrize("language", ["en", "da"])
def test_the_chip_is_read_to_its_end_on_a_narrow_screen(
    shell: Page, anna: User, served: str, settings: Any, language: str
) -> None:
    settings.M365_ACCESS = "application"
    SetupFactory(user=anna, enabled_at=timezone.now(), last_sync_at=None, first_sync_allowed=False)
    anna.language = language
    anna.save()
    shell.context.add_cookies([{"name": "django_language", "value": language, "url": served}])
    shell.set_viewport_size({"width": NARROW, "height": 700})
    shell.goto("/contacts/")
    text = shell.locator(".topbar-chip .chip > span")
    expect(text).to_have_text("Waiting for your first sync" if language == "en" else re.compile("første"))
    assert text.evaluate("it => it.scrollWidth <= it.clientWidth && it.scrollHeight <= it.clientHeight")
    assert shell.locator(".topbar-chip .chip").bounding_box()["height"] <= 44
    assert overflow(shell) == []


def test_a_toast_can_be_closed(shell: Page, live_server: Any) -> None:
    bo = UserFactory(name="Bo", is_active=False)
    shell.goto(f"{live_server.url}/users/{bo.pk}/")
    shell.get_by_role("button", name="Open the sign-in").click()
    toast = shell.locator(".toast-card")
    expect(toast).to_contain_text("Bo can sign in again.")

    toast.get_by_role("button", name="Close").click()

    expect(toast).to_have_count(0)


def test_the_link_is_copied(shell: Page, live_server: Any) -> None:
    bo = UserFactory(name="Bo")
    shell.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    shell.goto(f"{live_server.url}/users/{bo.pk}/password-link/")

    shell.get_by_role("button", name="Copy").click()

    expect(shell.locator(".toast-card")).to_contain_text("Copied.")
    assert shell.evaluate("() => navigator.clipboard.readText()") == shell.get_by_label("Link").input_value()


def test_on_a_narrow_screen_the_rail_is_a_menu(shell: Page) -> None:
    shell.set_viewport_size({"width": 390, "height": 844})
    users = shell.get_by_role("link", name="Users")
    expect(users).to_be_hidden()

    shell.get_by_role("button", name="Open the menu").click()
    expect(users).to_be_visible()
    assert violations(shell) == []

    shell.keyboard.press("Escape")
    expect(users).to_be_hidden()


def test_the_first_tab_leads_past_the_menu(shell: Page) -> None:
    shell.keyboard.press("Tab")
    skip = shell.get_by_role("link", name="Skip to the page")
    expect(skip).to_be_focused()

    shell.keyboard.press("Enter")
    expect(shell.locator("#main")).to_be_focused()


def test_who_is_signed_out_meanwhile_is_told_in_place(shell: Page, live_server: Any) -> None:
    expect(shell.locator(".topbar-chip .chip")).to_be_visible()
    shell.context.clear_cookies()

    shell.evaluate("() => void htmx.ajax('GET', '/sync/chip/', '.topbar-chip')")

    toast = shell.locator(".toast-card")
    expect(toast).to_contain_text("You are signed out.")
    expect(toast.get_by_role("link", name="Sign in again")).to_have_attribute("href", "/accounts/login/?next=%2F")
    expect(shell.locator(".topbar-chip form")).to_have_count(0)


def test_the_button_leads_to_microsoft_and_back(page: Page, sandbox: Tenant, way_to_microsoft: None) -> None:
    sandbox.add_person("jens@contoso.example", "Jens Hansen")
    UserFactory(name="Jens", authentication_email="jens@contoso.example")
    page.goto("/accounts/login/")

    page.get_by_role("button", name="Sign in with Microsoft").click()
    page.get_by_role("button", name="Accept").click()

    expect(page.get_by_role("heading", name="Hello, Jens")).to_be_visible()
