"""Exchange sync setup in a real browser: from nothing, by way of Microsoft's sign-in page, to the first sync."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from crmsync.sync.models import SyncRun
from crmsync.users.models import User
from exchange_setup.models import ExchangeSync
from tests.browser import BROWSER, NARROW, WIDE, Background, barriers, ids_twice
from tests.factories import AdministratorFactory, PersonFactory, UserFactory
from tests.outlook import Tenant
from tests.scene import outlook_person

pytestmark = [*BROWSER, pytest.mark.usefixtures("way_to_microsoft")]
XENIA, JENS = "xenia@contoso.example", "jens@contoso.example"
Enter = Callable[[User], Page]


@pytest.fixture
def xenia(sandbox: Tenant) -> User:
    for email, name in ((XENIA, "Xenia Xu"), (JENS, "Jens Rask")):
        sandbox.add_person(email, name)
    return UserFactory(name="Xenia Xu", email=XENIA, authentication_email=XENIA)


def at_microsoft(page: Page, name: str, answer: str = "Accept") -> None:
    """Press Connect, choose somebody on the sign-in page, and answer what the CRM asks for."""
    page.get_by_role("button", name="Connect Microsoft 365").click()
    expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()
    page.get_by_role("radio", name=name).check()
    page.get_by_role("button", name=answer).click()
    expect(page.get_by_role("heading", name="Exchange sync setup")).to_be_visible()


def save(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("button", name=button, exact=True)).to_be_hidden()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_five_steps_lead_to_the_first_sync(
    enter: Enter, xenia: User, sandbox: Tenant, background: Background, width: int
) -> None:
    for name, city in {"Anne": "Aarhus", "Bo": "Aarhus", "Carla": "Berlin"}.items():
        PersonFactory(first_name=name, surname="Nørgård", city=city, email=f"{name.lower()}@fabrikam.example")
    sandbox.mailbox(XENIA).create_folder("Customers")
    sandbox.mailbox(XENIA).add("Customers", **outlook_person("Anne", "Nørgård", "anne@fabrikam.example"))
    page = enter(xenia)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/")
    page.get_by_role("link", name="Set it up").click()

    at_microsoft(page, "Xenia Xu")
    expect(page.get_by_text(f"Connected to {XENIA}.")).to_be_visible()

    page.locator("#step-1 > details > summary").click()
    page.get_by_role("button", name="Validate Exchange connection").click()
    outcomes = page.locator("#outcomes li")
    expect(outcomes).to_have_count(5)
    for outcome in outcomes.all():
        expect(outcome).to_contain_text("works")

    page.get_by_role("link", name="Use a folder that exists").press("Enter")
    expect(page.get_by_label("A new folder")).to_be_focused()
    page.get_by_label("Customers").check()
    save(page, "Save the folder")
    page.get_by_label("City", exact=True).fill("Aarhus")
    expect(page.locator("#step-3")).to_contain_text("2 of 3 contacts")
    save(page, "Save the filter")
    page.locator("#step-4 select").first.select_option(index=1)
    save(page, "Save the rules")
    expect(page.locator("#step-4")).to_contain_text("1 rule differs from the usual")
    expect(page.get_by_label("Sync automatically")).to_be_checked()
    save(page, "Save the schedule")

    page.get_by_role("link", name="Preview the first sync").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".impact")).to_be_visible()
    assert ids_twice(page) == []  # the dialog asks for the filter over a page that does
    dialog.get_by_role("button", name="Preview").last.click()
    expect(page.get_by_text("A preview, nothing was changed: 1 to create in Outlook")).to_be_visible()
    expect(page.get_by_text("Contact sync is not switched on yet.")).to_be_visible()
    expect(page.get_by_role("row", name="Bo Nørgård")).to_contain_text("Create in Outlook")
    assert len(sandbox.mailbox(XENIA).contacts("Customers")) == 1

    page.goto("/exchange-setup/")
    page.get_by_role("button", name="Enable").click()
    expect(page.locator("#setup-state")).to_have_text("Enabled: waits for your first sync.")
    page.get_by_role("link", name="Look and apply").click()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("1 created in Outlook").first).to_be_visible()
    assert len(sandbox.mailbox(XENIA).contacts("Customers")) == 2
    page.goto("/exchange-setup/")
    expect(page.locator("#setup-state")).to_have_text("Enabled: syncs by itself every 15 minutes.")


def test_consent_that_is_refused_says_so_and_changes_nothing(enter: Enter, xenia: User) -> None:
    page = enter(xenia)
    page.goto("/exchange-setup/")

    at_microsoft(page, "Xenia Xu", answer="Cancel")

    expect(page.locator(".toast-card")).to_contain_text("You did not agree")
    expect(page.get_by_role("button", name="Connect Microsoft 365")).to_be_visible()
    assert not hasattr(ExchangeSync.objects.get(), "sign_in")


def test_somebody_elses_account_is_not_taken(enter: Enter, xenia: User) -> None:
    page = enter(xenia)
    page.goto("/exchange-setup/")

    at_microsoft(page, "Jens Rask")

    expect(page.locator(".toast-card")).to_contain_text(f"You signed in as {JENS}")
    assert not hasattr(ExchangeSync.objects.get(), "sign_in")


def test_without_an_authentication_email_it_says_who_can_help(enter: Enter) -> None:
    AdministratorFactory(name="Kirsten Berg", email="kirsten@crm.example")
    page = enter(UserFactory(authentication_email=""))
    page.goto("/contacts/")
    page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    page.get_by_role("dialog").get_by_role("link", name="Open the setup").click()

    expect(page.get_by_role("main")).to_contain_text("Kirsten Berg")
    assert barriers(page) == []


def test_pausing_and_resuming(enter: Enter, xenia: User) -> None:
    page = enter(xenia)
    page.goto("/exchange-setup/")
    at_microsoft(page, "Xenia Xu")
    page.get_by_role("button", name="Enable").click()
    expect(page.locator("#setup-state")).to_contain_text("Enabled")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#setup-state")).to_have_text("Paused: nothing syncs.")
    page.goto("/contacts/")
    page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Contact sync is paused.")
    page.get_by_role("link", name="Open the setup").click()
    page.get_by_role("button", name="Resume").click()

    expect(page.locator("#setup-state")).to_contain_text("Enabled")
    assert not SyncRun.objects.exists()


def test_a_mistake_in_a_step_keeps_what_was_typed_and_says_what_is_wrong(enter: Enter, xenia: User) -> None:
    page = enter(xenia)
    page.goto("/exchange-setup/")
    at_microsoft(page, "Xenia Xu")
    page.locator("#step-3 > details > summary").click()
    page.locator("#step-3").get_by_label("City", exact=True).fill("A*|(B")
    page.get_by_role("button", name="Save the filter").click()

    expect(page.get_by_text("This parenthesis is never closed.")).to_be_visible()
    expect(page.locator("#step-3").get_by_label("City", exact=True)).to_have_value("A*|(B")
    page.locator("#step-5 > details > summary").click()
    page.get_by_label("Minutes between two syncs").fill("1")
    page.get_by_role("button", name="Save the schedule").click()

    expect(page.locator("#step-5").get_by_role("alert")).to_be_visible()
    assert barriers(page) == []


def test_whoever_takes_a_row_out_of_the_filter_goes_on_at_the_next_one(enter: Enter, xenia: User) -> None:
    page = enter(xenia)
    page.goto("/exchange-setup/")
    at_microsoft(page, "Xenia Xu")
    page.get_by_role("button", name="Enable").click()
    page.locator("#step-3 > details > summary").click()
    takes_rows_out(page.locator("#step-3"))
    page.goto("/contacts/")
    page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    takes_rows_out(page.get_by_role("dialog"))


def takes_rows_out(place: Locator) -> None:
    """Take every row out of the filter in `place`, the first one first."""
    removers = place.get_by_role("button", name="Remove the filter on")
    boxes = place.locator(".filter-value > input")
    expect(boxes.first).to_be_visible()
    expect(removers).to_have_count(0)  # there is nothing to take away
    for box in boxes.all():
        box.fill("A*")
    expect(removers).to_have_count(boxes.count())
    for left in range(removers.count() - 1, -1, -1):
        removers.first.press("Enter")
        expect(removers).to_have_count(left)
        expect(place.locator(".filter-row").first.locator("input, select").first).to_be_focused()
    expect(place.get_by_label("Add a field")).to_be_focused()


def test_a_folder_that_is_gone_is_made_again(
    enter: Enter, xenia: User, sandbox: Tenant, background: Background
) -> None:
    PersonFactory(first_name="Anne", surname="Nørgård", email="anne@fabrikam.example")
    page = enter(xenia)
    page.goto("/exchange-setup/")
    at_microsoft(page, "Xenia Xu")
    page.get_by_role("button", name="Enable").click()
    sync_first(page, "1 created in Outlook")
    sandbox.mailbox(XENIA).delete_folder("Business Central")

    sync(page, "folder")
    page.goto("/exchange-setup/")
    assert barriers(page) == []
    page.locator("#trouble").get_by_role("button").click()
    expect(page.locator(".toast-card")).to_contain_text("The next sync makes “Business Central” again")
    sync_first(page, "1 created in Outlook")

    assert [contact["displayName"] for contact in sandbox.mailbox(XENIA).contacts()] == ["Anne Nørgård"]


def sync(page: Page, said: str) -> None:
    page.goto("/contacts/")
    page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog").locator("#run-close")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text(said)


def sync_first(page: Page, said: str) -> None:
    page.goto("/contacts/")
    page.get_by_role("link", name="Sync with Microsoft 365", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".sync-headline")).to_contain_text(said)
