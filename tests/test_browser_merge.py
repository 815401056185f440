"""From a duplicate to one contact and back, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from contacts.models import Contact
from crmsync.users.models import User
from tests.browser import BROWSER, barriers
from tests.factories import UserFactory

pytestmark = BROWSER


def add(**fields: str) -> Contact:
    return Contact().write(fields, by=None)


@pytest.fixture
def pair(transactional_db: None) -> tuple[Contact, Contact]:
    one = add(first_name="Anne", surname="Holm", email="anne@x.example", city="Aarhus", notes="Likes tea.")
    two = add(first_name="Anna", surname="Holm", email="ANNE@x.example", city="Odense", phone="+45 33 11 22 33")
    return one, two


@pytest.fixture
def shell(enter: Callable[[User], Page]) -> Page:
    return enter(UserFactory(name="Jonas", code="JR"))


def test_two_become_one_and_two_again(pair: tuple[Contact, Contact], shell: Page) -> None:
    one, two = pair
    shell.goto("/contacts/")
    shell.get_by_role("button", name="More").click()
    shell.get_by_role("link", name="Duplicates").click()
    shell.get_by_role("button", name="Compare and merge").click()
    result = shell.get_by_role("region", name="Result")
    expect(result).to_contain_text("Aarhus")
    shell.get_by_role("radiogroup", name="Address").get_by_text("Odense").click()
    expect(result).to_contain_text("Odense")
    expect(result).not_to_contain_text("Aarhus")
    expect(result.get_by_role("status")).to_have_text("The result is now Anne Holm.")
    shell.get_by_role("button", name="Merge", exact=True).click()
    expect(shell.get_by_role("heading", level=1)).to_have_text("Anne Holm")
    expect(shell.get_by_text("was merged into Anne Holm")).to_be_visible()
    shell.get_by_role("link", name="All changes").click()
    shell.get_by_role("button", name="Undo the merge").click()
    shell.locator("#confirm").get_by_role("button", name="Undo the merge").click()
    expect(shell.get_by_text("every contact is as it was before")).to_be_visible()
    assert not Contact.objects.trashed().exists() and Contact.objects.get(pk=one.pk).city == "Aarhus"


def test_everything_is_picked_by_keyboard_alone(pair: tuple[Contact, Contact], shell: Page) -> None:
    one, two = pair
    shell.goto(f"/contacts/merge/?contact={one.number}&contact={two.number}")
    shell.get_by_role("radiogroup", name="Name").get_by_role("radio").first.focus()
    shell.keyboard.press("ArrowDown")
    expect(shell.get_by_role("region", name="Result")).to_contain_text("Anna")
    shell.get_by_role("button", name="Merge", exact=True).focus()
    shell.keyboard.press("Enter")
    expect(shell.get_by_role("heading", level=1)).to_have_text("Anna Holm")


def test_those_told_apart_leave_the_list_without_a_reload(pair: tuple[Contact, Contact], shell: Page) -> None:
    shell.goto("/contacts/duplicates/")
    shell.get_by_role("button", name="Not duplicates").click()
    expect(shell.get_by_text("not listed as duplicates any more")).to_be_visible()
    expect(shell.get_by_role("button", name="Compare and merge")).to_have_count(0)
    shell.get_by_role("button", name="Undo").click()
    expect(shell.get_by_role("button", name="Compare and merge")).to_be_visible()


def test_no_page_has_a_barrier_or_is_too_wide(pair: tuple[Contact, Contact], shell: Page) -> None:
    one, two = pair
    add(first_name="A", surname="Holm" * 20, email="anne@x.example", email_2="a" * 60 + "@x.example", city="X" * 90)
    one.write({"job_title": "Head of purchasing"}, by=None)
    found = []
    both = f"contact={one.number}&contact={two.number}"
    paths = [
        "/contacts/duplicates/", "/contacts/duplicates/?sign=p", "/contacts/duplicates/?aside=1",
        f"/contacts/merge/?{both}", f"/contacts/merge/?contact={one.number}", f"/contacts/{one.number}/",
        f"/contacts/{one.number}/history/", f"/contacts/{two.number}/history/",
    ]  # fmt: skip
    for path in paths:
        shell.goto(path)
        found += barriers(shell)
    assert found == []
