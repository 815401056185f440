"""The list by keyboard and by mouse: many contacts at once, views, columns; and without JavaScript."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from contacts.models import Contact
from crmsync.users.models import User
from tests.browser import BROWSER, NARROW, sign_in, turn
from tests.factories import PersonFactory, SetupFactory, UserFactory

pytestmark = BROWSER

WORDS = ("Sync", "Full sync")


@pytest.fixture
def people() -> list[Contact]:
    names = [f"Anne{number:02}" for number in range(55)]
    return [PersonFactory(first_name=name, surname="Nørgård", city="Aarhus") for name in names]


@pytest.fixture
def jens() -> User:
    user = UserFactory(name="Jens Rask", code="JR")
    SetupFactory(user=user).enable()
    return user


def test_contacts_are_picked_and_assigned_by_keyboard_alone(
    enter: Callable[[User], Page], jens: User, people: list[Contact]
) -> None:
    page = enter(jens)
    page.goto("/contacts/")
    bar = page.get_by_role("form", name="Selected contacts")
    expect(bar).to_be_hidden()
    for key in ("j", "j", "x", "j", "x", "k"):
        page.keyboard.press(key)
    expect(page.get_by_role("link", name="Anne01 Nørgård")).to_be_focused()
    expect(bar.get_by_role("status")).to_have_text("2 selected")
    page.keyboard.press("/")
    page.keyboard.type("jx")
    expect(bar.get_by_role("status")).to_have_text("2 selected")
    bar.get_by_role("button", name="Assign").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Assign 2 contacts")
    dialog.get_by_label("Salesperson").select_option("Jens Rask")
    dialog.get_by_role("button", name="Assign 2 contacts").press("Enter")
    expect(page.get_by_text("2 contacts were assigned.")).to_be_visible()
    assert {contact.first_name for contact in Contact.objects.filter(salesperson=jens)} == {"Anne01", "Anne02"}
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys in the list")).to_be_visible()


def test_everything_that_the_list_shows_is_picked_across_its_pages(
    enter: Callable[[User], Page], jens: User, people: list[Contact]
) -> None:
    page = enter(jens)
    page.goto("/contacts/?f-city=A*&page=2")
    page.get_by_label("Select this page").check()
    counter = page.locator(".selection-count")
    expect(counter).to_have_text("5 selected")
    page.get_by_label("All 55 that the list shows").check()
    expect(counter).to_have_text("All 55 selected")
    page.get_by_label("Anne50 Nørgård").uncheck()
    expect(counter).to_have_text("4 selected")
    page.get_by_label("All 55 that the list shows").check()
    page.get_by_role("form", name="Selected contacts").get_by_role("button", name="Trash").click()
    page.get_by_role("button", name="Move 55 to the trash").click()
    expect(page.get_by_text("55 contacts were moved to the trash")).to_be_visible()
    assert Contact.objects.trashed().count() == 55


def test_ticks_go_along_to_other_pages_and_back_but_not_to_another_list(
    enter: Callable[[User], Page], jens: User, people: list[Contact]
) -> None:
    page = enter(jens)
    page.goto("/contacts/?f-city=A*")
    counter = page.locator(".selection-count")
    page.get_by_label("Anne00 Nørgård").check()
    page.get_by_label("Anne01 Nørgård").check()
    page.get_by_role("link", name="Next").click()
    expect(counter).to_have_text("2 selected")
    page.get_by_label("Anne54 Nørgård").check()
    expect(counter).to_have_text("3 selected")
    page.go_back()
    expect(counter).to_have_text("3 selected")
    expect(page.get_by_label("Anne01 Nørgård")).to_be_checked()
    page.get_by_label("Anne01 Nørgård").uncheck()
    page.get_by_role("link", name="Name", exact=True).click()
    expect(counter).to_have_text("2 selected")

    bar = page.get_by_role("form", name="Selected contacts")
    bar.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit 2 contacts")
    dialog.get_by_role("textbox", name="Territory").fill("NORTH")
    dialog.get_by_role("button", name="Change 2 contacts").click()
    expect(page.get_by_text("2 contacts were changed.")).to_be_visible()
    assert {contact.first_name for contact in Contact.objects.filter(territory="NORTH")} == {"Anne00", "Anne54"}
    expect(bar).to_be_hidden()

    page.get_by_label("Anne53 Nørgård").check()
    expect(counter).to_have_text("1 selected")
    page.get_by_role("link", name="All contacts").click()
    expect(page.get_by_label("Anne00 Nørgård")).to_be_visible()
    expect(bar).to_be_hidden()


def test_ticks_that_fit_no_address_are_refused(
    enter: Callable[[User], Page], jens: User, people: list[Contact]
) -> None:
    for number in range(55, 251):
        PersonFactory(first_name=f"Anne{number:03}", surname="Nørgård", city="Aarhus")
    page = enter(jens)
    page.goto("/contacts/")
    for count in (50, 100, 150, 200):
        page.get_by_label("Select this page").check()
        expect(page.locator(".selection-count")).to_have_text(f"{count} selected")
        page.get_by_role("link", name="Next").click()
    page.get_by_label("Select this page").click()
    expect(page.get_by_text("At most 200 can be ticked one by one.")).to_be_visible()
    expect(page.locator(".selection-count")).to_have_text("200 selected")
    page.get_by_role("form", name="Selected contacts").get_by_role("button", name="Assign").click()
    expect(page.get_by_role("dialog", name="Assign 200 contacts")).to_be_visible()


def test_what_is_seldom_done_is_in_a_menu_beside_the_rest(
    enter: Callable[[User], Page], browser: Browser, live_server: Any, jens: User
) -> None:
    page = enter(jens)
    for language in ("en", "da"):
        page.context.add_cookies([{"name": "django_language", "value": language, "url": live_server.url}])
        page.goto("/contacts/")
        tops = page.locator(".action-bar .btn:visible").evaluate_all(
            "all => all.map((it) => Math.round(it.getBoundingClientRect().top))"
        )
        assert max(tops) - min(tops) < 4, language
    page.locator(".action-bar .dropdown-toggle").focus()
    for key in ("Enter", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(f"{live_server.url}/sync/reassign/")
    plain = browser.new_context(java_script_enabled=False).new_page()
    sign_in(plain.context, jens, live_server.url)
    plain.goto(f"{live_server.url}/contacts/")
    plain.get_by_role("link", name="Duplicates").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Duplicates")
    plain.context.close()


def test_the_table_fits_and_says_how_each_stands_with_outlook(
    enter: Callable[[User], Page], jens: User, people: list[Contact]
) -> None:
    page = enter(jens)
    for width in (1280, NARROW):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("/contacts/")
        mark = page.locator("#contacts tbody tr").first.get_by_text("Next sync")
        expect(mark).to_be_in_viewport()
        assert mark.evaluate("it => it.scrollWidth <= it.clientWidth")
        assert page.locator("#contacts > .table-frame").evaluate("it => it.scrollWidth <= it.clientWidth")


def middle(place: Locator) -> float:
    box = place.bounding_box()
    assert box
    return box["y"] + box["height"] / 2


def left(place: Locator) -> float:
    box = place.bounding_box()
    assert box
    return box["x"]


def test_on_a_phone_ticks_and_names_are_in_line_and_the_two_syncs_say_how_they_differ(
    enter: Callable[[User], Page], jens: User, people: list[Contact]
) -> None:
    page = enter(jens)
    page.set_viewport_size({"width": NARROW, "height": 800})
    page.goto("/contacts/")
    name = page.get_by_role("link", name="Anne00 Nørgård")
    assert abs(middle(page.get_by_label("Anne00 Nørgård").and_(page.locator("input"))) - middle(name)) <= 2
    assert abs(left(page.get_by_role("columnheader", name="Name")) - left(name)) <= 1
    sync, full = (page.get_by_role("link", name=f"{word} with Microsoft 365", exact=True) for word in WORDS)
    assert middle(sync) == middle(full) and left(sync) < left(full)
    expect(page.get_by_text("Sync carries over what has changed. Full sync compares every contact")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_text("Sync carries over what has changed.")).to_be_hidden()


def test_the_foot_of_a_dialog_that_is_a_page_is_of_its_panel_in_the_dark(
    enter: Callable[[User], Page], jens: User
) -> None:
    page = enter(jens)
    page.goto("/contacts/columns/")
    turn(page, "dark")
    colours = [
        page.locator(place).evaluate("it => getComputedStyle(it).backgroundColor")
        for place in (".panel", ".panel .dialog-foot", "body")
    ]
    assert colours[0] == colours[1] != colours[2]


def test_a_view_is_saved_and_picked_and_its_columns_are_changed(
    enter: Callable[[User], Page], jens: User, people: list[Contact]
) -> None:
    page = enter(jens)
    page.goto("/contacts/?f-city=A*")
    page.get_by_role("link", name="Save view").click()
    page.get_by_label("Name", exact=True).fill("In Aarhus")
    page.get_by_role("button", name="Save", exact=True).click()
    tab = page.get_by_role("link", name="In Aarhus", exact=False).and_(page.locator(".chip"))
    expect(tab).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Columns").click()
    page.get_by_role("button", name="City further up").click()
    expect(page.get_by_role("button", name="City further up")).to_be_focused()
    page.get_by_label("Salesperson", exact=True).uncheck()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(tab).to_contain_text("changed")
    heads = page.locator("#contacts thead th")
    expect(heads).to_have_text(["Select", "Name", "Company", "E-mail", "City", "Phone no.", "Outlook"])
    page.get_by_role("link", name="All contacts").click()
    page.go_back()
    expect(tab).to_contain_text("changed")


def test_without_javascript_contacts_are_picked_and_edited(
    browser: Browser, live_server: Any, people: list[Contact]
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_in(page.context, UserFactory(), live_server.url)
    page.goto(f"{live_server.url}/contacts/")
    page.get_by_label("Anne00 Nørgård").check()
    page.get_by_role("form", name="Selected contacts").get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Territory").fill("NORTH")
    page.get_by_role("button", name="Change 1 contact").click()
    expect(page.get_by_text("1 contact was changed.")).to_be_visible()
    assert [contact.first_name for contact in Contact.objects.filter(territory="NORTH")] == ["Anne00"]
    page.context.close()
