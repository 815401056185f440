"""Regret in a real browser: a filter is broken, synced and undone, and both sides are as before."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from crmsync.users.models import User
from tests.browser import BROWSER, Background, barriers
from tests.compare import both_sides, differences
from tests.factories import PersonFactory, UserFactory
from tests.scene import Salesperson

pytestmark = BROWSER


def test_a_broken_filter_is_regretted_and_undone(
    enter: Callable[[User], Page], jens: Salesperson, background: Background
) -> None:
    jens.change(left_filter_rule="remove", contact_filter={"city": "Aarhus"})
    for name in ("Anne", "Bo", "Carla"):
        PersonFactory(first_name=name, surname="Nørgård", email=f"{name}@fabrikam.example", city="Aarhus")
    jens.sync()
    before = both_sides(jens)
    page = enter(jens.setup.user)
    page.goto("/sync/start/?kind=sync")
    page.get_by_role("textbox", name="City").fill("Arhus")
    page.get_by_role("button", name="OK").click()
    expect(page.get_by_role("main")).to_contain_text("3 removed from Outlook.")

    page.get_by_role("button", name="Undo this sync").click()
    expect(page.get_by_role("heading", name="Take this back?")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("3 to create in Outlook")
    assert jens.names() == [] and barriers(page) == []
    page.get_by_role("button", name="Apply the undo").click()

    expect(page.get_by_role("main")).to_contain_text("3 created in Outlook.")
    found = both_sides(jens)
    assert differences(before["contacts"], found["contacts"]) == []
    assert jens.names() == ["Anne Nørgård", "Bo Nørgård", "Carla Nørgård"]
    assert jens.sync()["changes"] == []


def test_who_set_what_is_asked_for_on_the_card_and_a_value_is_had_back(enter: Callable[[User], Page]) -> None:
    user = UserFactory()
    anne = PersonFactory(first_name="Anne", surname="Nørgård", city="Aarhus")
    anne.write({"city": "Odense"}, by=user)
    page = enter(user)
    page.goto(anne.get_absolute_url())
    page.get_by_role("link", name="Show who set what").press("Enter")
    expect(page.get_by_role("heading", name="Who set what")).to_be_focused()
    expect(page.get_by_role("row", name="City")).to_contain_text(user.name)
    assert barriers(page) == []
    page.get_by_role("button", name="Restore City").press("Enter")
    expect(page.get_by_role("region", name="Address")).to_contain_text("Aarhus")
