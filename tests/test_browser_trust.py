"""See before, understand after, in a browser: what a filter would do, why somebody is out, both sides compared."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from contacts.models import Contact
from crmsync.users.models import User
from tests.browser import BROWSER, Background, barriers
from tests.factories import PersonFactory
from tests.scene import Salesperson, edit

pytestmark = BROWSER
Enter = Callable[[User], Page]


@pytest.fixture
def filtered(jens: Salesperson) -> Salesperson:
    """Jens, whose filter lets the people of Aarhus into his Outlook."""
    jens.setup.enable()
    jens.change(contact_filter={"city": "Aarhus"}, steps_done=5)
    for name, city in (("Anne", "Aarhus"), ("Bo", "Aarhus"), ("Carla", "Odense")):
        PersonFactory(first_name=name, surname="Holm", city=city)
    jens.sync()
    return jens


def test_what_a_filter_would_do_follows_every_letter_and_names_are_a_click_away(
    enter: Enter, filtered: Salesperson
) -> None:
    page = enter(filtered.setup.user)
    page.goto("/exchange-setup/")
    page.locator("#step-3 summary").first.click()
    impact = page.locator(".impact")
    expect(impact).to_contain_text("Nobody comes in, and nobody leaves.")
    page.get_by_label("City", exact=True).fill("Odense")
    expect(impact).to_contain_text("1 contact comes in")
    expect(impact).to_contain_text("2 contacts leave the filter and are kept in Outlook, as your rule says")
    impact.get_by_role("button", name="Show the names: 1 contact comes in").click()
    expect(impact.get_by_role("link", name="Carla Holm")).to_be_visible()
    page.get_by_role("button", name="Remove the filter on City").click()
    expect(impact).not_to_contain_text("leave the filter")
    assert barriers(page) == []


def test_from_the_card_to_the_reason_and_the_one_thing_to_do(
    enter: Enter, filtered: Salesperson, background: Background
) -> None:
    page = enter(filtered.setup.user)
    carla = Contact.objects.get(first_name="Carla")
    page.goto(carla.get_absolute_url())
    page.get_by_role("link", name="See every check").click()
    expect(page.get_by_role("row", name="City Aarhus Odense No")).to_be_visible()
    page.get_by_role("button", name="Always sync this contact").click()
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 created in Outlook")
    page.goto(f"/sync/contacts/{carla.number}/why/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Why is Carla Holm in Outlook?")
    assert "Carla Holm" in filtered.names()


def test_both_sides_are_compared_and_what_differs_is_listed(
    enter: Enter, filtered: Salesperson, background: Background
) -> None:
    edit(Contact.objects.get(first_name="Anne"), job_title="Head of buying")
    page = enter(filtered.setup.user)
    page.goto("/exchange-setup/")
    page.get_by_role("button", name="Compare both sides").click()
    expect(page.get_by_role("dialog")).to_contain_text("50.0% identical, 1 differs.")
    page.get_by_role("link", name="See what differs").click()
    expect(page.get_by_role("row", name="Anne Holm")).to_contain_text("Head of buying")
    assert barriers(page) == []
