"""Importing in a real browser: from a table of somebody's own to contacts, by what one sees."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from contacts.models import Contact
from crmsync.users.models import User
from tests.browser import BROWSER
from tests.factories import PersonFactory, UserFactory

pytestmark = BROWSER

CUSTOMERS = "Navn;Mail;Sted\nAnne Berg;anne@x.example;Aarhus\nBo Chen;bo;Odense\nCarl Dahl;carl@x.example;Ribe\n"


def test_a_table_of_ones_own_becomes_contacts(enter: Callable[[User], Page], served: str) -> None:
    Contact.objects.bulk_add(
        [PersonFactory.build(number="", first_name="Anne", surname="Berg", email="anne@x.example")]
    )
    page = enter(UserFactory())
    page.goto("/contacts/import/")
    page.locator("[type=file]").set_input_files(
        files=[{"name": "kunder.csv", "mimeType": "text/csv", "buffer": CUSTOMERS.encode()}]
    )
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What do the columns hold?")
    expect(page.get_by_label("Mail", exact=True)).to_have_value("email")
    page.get_by_label("Sted").select_option("city")
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.get_by_role("row", name="Bo Chen")).to_contain_text("“bo” is not an e-mail address.")
    expect(page.get_by_role("row", name="Anne Berg")).to_contain_text("Left out")
    page.get_by_role("button", name="Fill in what is blank").click()
    expect(page.get_by_role("row", name="Anne Berg")).to_contain_text("Changed")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the wrong rows").click()
    assert "Bo Chen;bo;Odense" in download.value.path().read_text("utf-8-sig").replace(",", ";")
    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.get_by_text("1 contact was added, 1 was updated.")).to_be_visible()
    assert set(Contact.objects.values_list("name", "city")) == {("Anne Berg", "Aarhus"), ("Carl Dahl", "Ribe")}
