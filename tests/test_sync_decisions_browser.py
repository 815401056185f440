"""The page "Left out" in a real browser: deciding with the keyboard, the question before many, no barriers."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from contacts.models import Contact
from crmsync.sync.engine import perform
from crmsync.sync.models import ContactLink, SyncRun
from exchange_setup.models import ExchangeSync
from tests import browser
from tests.browser import BROWSER, barriers, violations
from tests.factories import ChangeFactory, CompanyFactory, LinkFactory, PersonFactory, SetupFactory
from tests.scene import FOLDER, Salesperson, edit, outlook_person

pytestmark = BROWSER


def sign_in(page: Page, live_server: Any, setup: ExchangeSync) -> Page:
    browser.sign_in(page.context, setup.user, live_server.url)
    return page


@pytest.fixture
def setup() -> ExchangeSync:
    now = timezone.now()
    return SetupFactory(enabled_at=now, last_sync_at=now - timedelta(hours=1), new_contact_rule="hold")


@pytest.fixture
def held(setup: ExchangeSync) -> list[ContactLink]:
    return [only_in_outlook(setup, name, "held_for_review") for name in ("Grandma", "Carla Díaz", "Plumber")]


def only_in_outlook(setup: ExchangeSync, name: str, problem: str, detail: str = "", **more: Any) -> ContactLink:
    email = f"{name.split()[0].lower()}@outlook.example"
    return LinkFactory(
        setup=setup, contact=None, state="seen", outlook_name=name, email=email,
        problem=problem, problem_detail=detail, problem_since=timezone.now(), **more,
    )  # fmt: skip


def changed_on_both_sides(setup: ExchangeSync) -> ContactLink:
    """Of this pair either side changed the city, and both were given a phone number."""
    anne = PersonFactory(first_name="Anne", surname="Nørgård", city="Odense", mobile_phone="+45 20 20 20 20")
    base = {"first_name": "Anne", "surname": "Nørgård", "email": anne.email, "city": "Aarhus"}
    values = {"base_crm": base, "base_outlook": base, "outlook": base | {"city": "Vejle", "mobile_phone": "30"}}
    return LinkFactory(setup=setup, contact=anne, problem="conflict", problem_detail="city, mobile_phone", **values)


def everything(setup: ExchangeSync) -> None:
    """A row of each kind that something can be decided or done about."""
    changed_on_both_sides(setup)
    ida, eva = PersonFactory(first_name="Ida"), PersonFactory(first_name="Eva")
    ole = PersonFactory(first_name="Ole", deleted_at=timezone.now())
    only_in_outlook(setup, "Family", "ambiguous", f"{ida.number}, {eva.number}")
    only_in_outlook(setup, "Copy", "duplicate", ida.number)
    only_in_outlook(setup, "Reception", "company_email", CompanyFactory().number)
    only_in_outlook(setup, "Ole", "in_trash", ole.number)
    only_in_outlook(setup, "Dentist", "not_wanted")
    only_in_outlook(setup, "Dan", "", decision="let_in", decided_at=timezone.now())
    LinkFactory(setup=setup, contact=eva, state="left_out", problem="shared_email", problem_detail=ida.number)


def test_no_barriers_and_no_sideways_scrolling(
    page: Page, live_server: Any, setup: ExchangeSync, held: list[ContactLink]
) -> None:
    everything(setup)
    sign_in(page, live_server, setup)
    found = []
    for query in ("", "?reason=held_for_review", "?reason=conflict", "?reason=decided", "?reason=private"):
        page.goto(f"{live_server.url}/sync/left-out/{query}")
        found += barriers(page)
    assert found == []


def test_one_after_the_other_is_decided_with_the_keyboard(
    page: Page, live_server: Any, setup: ExchangeSync, held: list[ContactLink]
) -> None:
    address = f"{live_server.url}/sync/left-out/?reason=held_for_review"
    sign_in(page, live_server, setup).goto(address)

    page.get_by_role("button", name="Add to the CRM: Grandma").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".toast-card")).to_contain_text("Grandma comes into the CRM with the next sync.")
    expect(page.get_by_role("button", name="Add to the CRM: Carla Díaz")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Add to the CRM: Plumber")).to_be_focused()

    expect(page.locator("#left-out-total")).to_contain_text("2 contacts that are not")
    expect(page.get_by_text("The next sync carries out 1 decision of yours.")).to_be_visible()
    expect(page).to_have_url(address)
    decisions = list(ContactLink.objects.order_by("pk").values_list("decision", flat=True))
    assert decisions == ["let_in", "keep_out", ""]

    page.get_by_role("link", name="Decided 1").click()
    page.get_by_role("button", name="Undo: Grandma").click()
    expect(page.get_by_role("heading", name="Nothing that you decided waits")).to_be_visible()
    held[0].refresh_from_db()
    assert (held[0].decision, held[0].problem) == ("", "held_for_review")


def test_before_many_are_decided_the_page_asks(
    page: Page, live_server: Any, setup: ExchangeSync, held: list[ContactLink]
) -> None:
    sign_in(page, live_server, setup).goto(f"{live_server.url}/sync/left-out/?reason=held_for_review")
    page.get_by_role("button", name="Add all 3 to the CRM").click()
    question = page.get_by_role("dialog", name="Add 3 contacts to the CRM?")
    expect(question).to_contain_text("You become their salesperson.")
    assert violations(page) == []
    question.get_by_role("button", name="Cancel").click()
    assert not ContactLink.objects.exclude(decision="").exists()

    page.get_by_role("button", name="Add all 3 to the CRM").click()
    question.get_by_role("button", name="Add all 3 to the CRM").click()
    expect(page.locator(".toast-card")).to_contain_text("3 contacts are decided.")
    expect(page.get_by_role("heading", name="Nobody is left out for this reason.")).to_be_visible()
    assert ContactLink.objects.filter(decision="let_in").count() == 3


def test_while_a_sync_is_running_the_page_says_so_and_keeps_the_row(
    page: Page, live_server: Any, setup: ExchangeSync, held: list[ContactLink]
) -> None:
    sign_in(page, live_server, setup).goto(f"{live_server.url}/sync/left-out/")
    SyncRun.objects.create(setup=setup, kind="sync", trigger="manual", outcome="running")
    page.get_by_role("button", name="Leave it out for good: Grandma").click()
    expect(page.locator(".toast-card")).to_contain_text("A sync is running just now.")
    expect(page.get_by_role("button", name="Leave it out for good: Grandma")).to_be_visible()


def test_from_the_question_to_both_sides_being_the_same(page: Page, live_server: Any, jens: Salesperson) -> None:
    anne = PersonFactory(first_name="Anne", surname="Holm", email="anne@fabrikam.example")
    jens.change(conflict_rule="ask", new_contact_rule="hold", enabled_at=timezone.now())
    jens.sync()
    jens.outlook.add(FOLDER, **outlook_person("Carla", "Díaz", "carla@diaz.example"))
    edit(anne, job_title="CRM's")
    jens.outlook.edit(jens.card("Anne Holm")["id"], jobTitle="Outlook's")
    jens.sync()

    sign_in(page, live_server, jens.setup).goto(f"{live_server.url}/sync/left-out/")
    page.get_by_role("button", name="Use Outlook's: Job title, Anne Holm").click()
    page.get_by_role("button", name="Add to the CRM: Carla Díaz").click()
    expect(page.get_by_text("The next sync carries out 2 decisions of yours.")).to_be_visible()
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_role("dialog", name="Sync with Microsoft 365")).to_be_visible()
    page.goto("about:blank")  # the page would go on asking how far the run is, in the test's own transaction
    assert perform(SyncRun.objects.open().get().pk) == "done"

    page.goto(f"{live_server.url}/sync/left-out/")
    expect(page.get_by_role("heading", name="Nothing is left out")).to_be_visible()
    page.goto(f"{live_server.url}{SyncRun.objects.first().get_absolute_url()}")
    expect(page.locator("#changes")).to_contain_text("CRM's → after: Outlook's")
    anne.refresh_from_db()
    assert anne.job_title == jens.card("Anne Holm")["jobTitle"] == "Outlook's"
    assert Contact.objects.filter(name="Carla Díaz").exists()


def test_the_one_in_the_trash_is_restored_with_one_click(page: Page, live_server: Any, setup: ExchangeSync) -> None:
    ole = PersonFactory(first_name="Ole", surname="Lund", deleted_at=timezone.now())
    only_in_outlook(setup, "Ole Lund", "in_trash", ole.number)
    sign_in(page, live_server, setup).goto(f"{live_server.url}/sync/left-out/")
    page.get_by_role("button", name="Restore from the trash: Ole Lund").click()
    expect(page.locator(".toast-card")).to_contain_text("is back from the trash")
    ole.refresh_from_db()
    assert not ole.is_trashed


@pytest.mark.parametrize("width", [1280, 390])
def test_in_the_dialog_the_first_mistake_of_a_filter_gets_the_cursor(
    page: Page, live_server: Any, jens: Salesperson, width: int
) -> None:
    jens.change(enabled_at=timezone.now(), contact_filter={"city": "'A", "territory": "'B"})
    page.set_viewport_size({"width": width, "height": 700})
    sign_in(page, live_server, jens.setup).goto(f"{live_server.url}/sync/")
    page.get_by_role("link", name="Sync with Microsoft 365").click()
    dialog = page.get_by_role("dialog", name="Sync with Microsoft 365")
    dialog.get_by_role("button", name="OK", exact=True).last.click()
    expect(dialog.locator(".is-invalid").first).to_be_focused()
    expect(dialog.locator(".is-invalid").first).to_be_in_viewport(ratio=1)
    assert not SyncRun.objects.exists()


def test_the_open_tab_stays_in_sight_when_the_window_gets_narrow(
    page: Page, live_server: Any, setup: ExchangeSync
) -> None:
    run = ChangeFactory(run__setup=setup).run
    sign_in(page, live_server, setup).goto(f"{live_server.url}/sync/runs/{run.pk}/?tab=failed")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".nav-tabs [aria-current]")).to_be_in_viewport(ratio=0.9)
    assert barriers(page) == []
