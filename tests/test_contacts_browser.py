"""Contacts in a real browser: what happens without a reload, on narrow screens, without JavaScript."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from contacts.models import Contact
from crmsync.users.models import User
from tests.browser import BROWSER, sign_in
from tests.factories import CompanyFactory, PersonFactory, UserFactory

pytestmark = BROWSER
SEARCH = "Search name, company, e-mail, phone"


@pytest.fixture
def people() -> list[Contact]:
    company = CompanyFactory(name="Fabrikam A/S", city="Aarhus")
    names = [("Anne", "Aarhus"), ("Bo", "Berlin"), ("Carla", "Aarhus")]
    return [
        PersonFactory(first_name=name, surname="Nørgård", city=city, company=company, company_name=company.name)
        for name, city in names
    ]


@pytest.fixture
def shell(enter: Callable[[User], Page]) -> Page:
    """A salesperson's browser, signed in."""
    return enter(UserFactory(code="JR"))


def test_the_list_follows_the_search_and_so_does_the_address(
    shell: Page,
    live_server: Any,
    people: list[Contact],
) -> None:
    shell.goto(f"{live_server.url}/contacts/")
    shell.get_by_placeholder(SEARCH).fill("carla nørg")
    expect(shell.locator("#contact-count")).to_have_text("1 contact")
    expect(shell).to_have_url(f"{live_server.url}/contacts/?q=carla%20n%C3%B8rg")
    shell.get_by_role("link", name="Carla Nørgård").click()
    expect(shell.get_by_role("heading", level=1)).to_have_text("Carla Nørgård")
    shell.go_back()
    expect(shell.get_by_placeholder(SEARCH)).to_have_value("carla nørg")
    expect(shell.locator("#contact-count")).to_have_text("1 contact")


def test_the_filter_counts_while_it_is_written(
    shell: Page,
    live_server: Any,
    people: list[Contact],
) -> None:
    shell.goto(f"{live_server.url}/contacts/")
    shell.locator(".contact-filter summary").first.click()
    shell.get_by_label("Add a field").select_option("city")
    city = shell.get_by_label("City", exact=True)
    expect(city).to_be_focused()
    city.fill("A*|(B")
    expect(shell.get_by_text("This parenthesis is never closed.")).to_be_visible()
    city.fill("A*")
    expect(shell.get_by_text("3 of 4 contacts")).to_be_visible()
    expect(shell.get_by_text("This parenthesis is never closed.")).to_have_count(0)
    city.press("Enter")
    expect(shell).to_have_url(f"{live_server.url}/contacts/?f-city=A*")
    shell.get_by_role("button", name="Remove the filter on City").click()
    expect(city).to_have_count(0)
    shell.get_by_role("button", name="Apply").click()
    expect(shell).to_have_url(f"{live_server.url}/contacts/")


def test_the_form_shows_what_the_type_has_and_offers_companies(
    shell: Page,
    live_server: Any,
    people: list[Contact],
) -> None:
    shell.goto(f"{live_server.url}/contacts/new/")
    expect(shell.get_by_label("First name")).to_be_visible()
    shell.get_by_label("Company", exact=True).and_(shell.locator("[type=radio]")).check()
    expect(shell.get_by_label("First name")).to_be_hidden()
    expect(shell.get_by_label("Name", exact=True)).to_be_visible()
    shell.get_by_label("Person", exact=True).check()
    shell.locator("[name=company_name]").fill("fabr")
    expect(shell.locator("#companies option")).to_have_count(1)


def test_a_field_is_checked_when_one_leaves_it_and_nothing_typed_is_lost(shell: Page, live_server: Any) -> None:
    shell.goto(f"{live_server.url}/contacts/new/")
    email = shell.get_by_label("E-mail", exact=True)
    shell.get_by_label("First name").fill("\u200bAnne\u00a0Marie")
    email.fill("anne.example")
    email.press("Tab")
    second = shell.get_by_label("E-mail 2")
    expect(second).to_be_focused()
    second.press_sequentially("am@x.example")
    expect(shell.get_by_role("alert").filter(has_text="is not an e-mail address")).to_be_visible()
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description("“anne.example” is not an e-mail address.")
    expect(shell.get_by_label("First name")).to_have_value("Anne Marie")
    expect(second).to_have_value("am@x.example")
    email.fill("mailto:anne@x.example")
    email.press("Tab")
    expect(email).to_have_value("anne@x.example")
    expect(email).not_to_have_attribute("aria-invalid", "true")
    shell.get_by_role("button", name="Save").click()
    expect(shell.get_by_role("heading", level=1)).to_have_text("Anne Marie")


def test_moving_to_the_trash_asks_first(shell: Page, live_server: Any, people: list[Contact]) -> None:
    shell.goto(f"{live_server.url}/contacts/{people[0].number}/")
    shell.get_by_role("button", name="Move to the trash").click()
    shell.locator("#confirm").get_by_role("button", name="Cancel").click()
    assert Contact.objects.trashed().count() == 0
    shell.get_by_role("button", name="Move to the trash").click()
    shell.locator("#confirm").get_by_role("button", name="Move to the trash").click()
    expect(shell.get_by_text("was moved to the trash")).to_be_visible()
    assert Contact.objects.trashed().count() == 1


def test_without_javascript_the_filter_the_search_and_the_form_work(
    browser: Browser,
    live_server: Any,
    people: list[Contact],
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_in(page.context, UserFactory(), live_server.url)
    page.goto(f"{live_server.url}/contacts/")
    page.locator(".contact-filter summary").first.click()
    page.get_by_label("Add a field").select_option("city")
    page.get_by_label("Filter on the added field").fill("A*")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#contact-count")).to_have_text("3 contacts")
    page.goto(f"{live_server.url}/contacts/new/")
    page.get_by_label("First name").fill("Dorte")
    page.locator("[name=company_name]").fill("fabrikam a/s")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dorte")
    assert Contact.objects.get(first_name="Dorte").company.name == "Fabrikam A/S"
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_keyboard_leads_to_no_field_that_the_foot_of_the_form_covers(
    shell: Page, live_server: Any, width: int
) -> None:
    shell.set_viewport_size({"width": width, "height": 700})
    shell.goto(f"{live_server.url}/contacts/new/")
    foot = "document.querySelector('.form-foot').getBoundingClientRect().top"
    field = "document.activeElement.getBoundingClientRect().top + 36"
    shell.locator("[name=first_name]").focus()
    for _ in range(80):
        if shell.evaluate("document.activeElement.name") == "notes":
            break
        shell.keyboard.press("Tab")
        assert shell.evaluate(f"{field} <= {foot}"), shell.evaluate("document.activeElement.outerHTML")
    else:
        pytest.fail("No key leads to the notes.")
    expect(shell.get_by_role("button", name="Save")).to_be_in_viewport()
