"""Home, Mailboxes and Settings in a real browser: no barrier, questions before what is hard to undo, live states."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from crmsync.sync.choices import Outcome
from crmsync.sync.models import SyncRun
from crmsync.users.models import User
from exchange_setup.models import ExchangeSync, OrganisationDefaults
from tests.browser import BROWSER, Background, barriers
from tests.factories import (
    AdministratorFactory,
    ChangeFactory,
    LinkFactory,
    PersonFactory,
    RunFactory,
    SetupFactory,
    UserFactory,
)
from tests.outlook import Tenant

pytestmark = BROWSER


@pytest.fixture
def setup(settings: Any, sandbox: Tenant) -> ExchangeSync:
    """Jette's, whose mailbox the organisation connects."""
    settings.M365_ACCESS = "application"
    sandbox.add_person("jette@contoso.example", "Jette")
    user = UserFactory(name="Jette", email="jette@crm.example", authentication_email="jette@contoso.example")
    now = timezone.now()
    return SetupFactory(user=user, enabled_at=now, auto_sync=True, last_sync_at=now, next_sync_at=now)


@pytest.fixture
def admin(enter: Callable[[User], Page], setup: ExchangeSync) -> Page:
    return enter(AdministratorFactory(name="Anna", authentication_email=""))


def with_history(setup: ExchangeSync) -> None:
    for ago, number in ((20, 1200), (3, 4), (0, 2)):
        ended = timezone.now() - timedelta(days=ago)
        counts = {"outlook": {"created": number, "updated": 0, "deleted": 0}, "crm": {"created": 1}}
        run = RunFactory(setup=setup, counts=counts, started_at=ended, finished_at=ended)
        ChangeFactory(run=run)
    for reason in ("conflict", "held_for_review", "ambiguous", "duplicate"):
        LinkFactory(setup=setup, problem=reason)
    RunFactory(setup=setup, outcome="held")


def test_home_has_no_barrier(enter: Callable[[User], Page], setup: ExchangeSync) -> None:
    page = enter(setup.user)
    page.goto("/")
    expect(page.get_by_role("heading", name="Hello, Jette")).to_be_visible()
    found = barriers(page)
    with_history(setup)
    page.goto("/")
    expect(page.get_by_role("heading", name="What needs you")).to_be_visible()
    found += barriers(page)
    assert found == []


def test_mailboxes_have_no_barrier(admin: Page, setup: ExchangeSync) -> None:
    with_history(setup)
    SetupFactory(trouble="folder_gone", trouble_detail="gone")
    SetupFactory(enabled=False, enabled_at=timezone.now())
    UserFactory()
    found = []
    for path in ("", "?health=not_set_up", "?q=nobody", f"{setup.user_id}/"):
        admin.goto(f"/sync/mailboxes/{path}")
        found += barriers(admin)
    assert found == []


def test_settings_and_a_setup_under_locks_have_no_barrier(
    admin: Page, enter: Callable[[User], Page], setup: ExchangeSync
) -> None:
    OrganisationDefaults(locked=["folder_name", "contact_filter", "conflict_rule", "interval_minutes"]).save()
    admin.goto("/exchange-setup/defaults/")
    found = barriers(admin)
    admin.get_by_label("Minutes between two syncs", exact=True).fill("1")
    admin.get_by_role("button", name="Save the settings").click()
    expect(admin.get_by_text("Five minutes is the shortest.")).to_be_visible()
    found += barriers(admin)
    enter(setup.user).goto("/exchange-setup/")
    admin.evaluate("document.querySelectorAll('details.setup-fold').forEach((step) => (step.open = true))")
    expect(admin.get_by_text("Set by your organisation").first).to_be_visible()
    found += barriers(admin)
    assert found == []


def test_a_reset_is_asked_about_first(admin: Page, setup: ExchangeSync) -> None:
    LinkFactory(setup=setup)
    admin.goto(f"/sync/mailboxes/{setup.user_id}/")
    admin.get_by_role("button", name="More").click()
    admin.get_by_role("button", name="Reset links").click()
    question = admin.get_by_role("dialog", name="Reset the links of this mailbox?")
    expect(question).to_contain_text("Nothing is deleted.")
    question.get_by_role("button", name="Cancel").click()
    assert setup.links.count() == 1

    admin.get_by_role("button", name="More").click()
    admin.get_by_role("button", name="Reset links").click()
    question.get_by_role("button", name="Reset links").click()
    expect(admin.get_by_text("The links are reset.")).to_be_visible()
    assert setup.links.count() == 0


def test_users_are_chosen_by_the_page_and_get_their_setups(admin: Page, setup: ExchangeSync) -> None:
    UserFactory.create_batch(3)
    admin.goto("/sync/mailboxes/?health=not_set_up")
    make = admin.get_by_role("button", name="Make setups for the chosen")
    expect(make).to_be_disabled()
    admin.get_by_label("Choose all on this page").check()
    expect(make).to_be_enabled()
    admin.locator("[name=user]").first.uncheck()
    make.click()
    expect(admin.get_by_text("2 setups were made.")).to_be_visible()
    assert ExchangeSync.objects.count() == 3


def test_a_sync_for_somebody_else_is_followed_to_its_end(
    admin: Page, setup: ExchangeSync, background: Background
) -> None:
    PersonFactory.create_batch(3)
    background.pause()
    admin.goto(f"/sync/mailboxes/{setup.user_id}/")
    admin.get_by_role("button", name="Sync now").click()
    state = admin.locator("#mailbox-state")
    expect(state).to_contain_text("Running")
    expect(admin.get_by_role("button", name="Sync now")).to_have_count(0)

    background.go_on()

    expect(state).to_contain_text("In sync")
    expect(admin.locator("#mailbox-runs")).to_contain_text("3 created in Outlook")
    expect(admin.locator("#mailbox-facts")).to_contain_text("In both places3")
    assert SyncRun.objects.get().outcome == Outcome.DONE


def test_home_follows_a_sync_to_its_end_and_shows_what_came_of_it(
    enter: Callable[[User], Page], setup: ExchangeSync, background: Background
) -> None:
    PersonFactory(first_name="Anne", surname="Lund", name="Anne Lund")
    ExchangeSync.objects.update(last_sync_at=timezone.now())
    background.pause()
    page = enter(setup.user)
    page.goto("/")
    page.get_by_role("link", name="Sync with Microsoft 365").click()
    page.get_by_role("dialog").get_by_role("button", name="OK").click()
    expect(page.get_by_role("dialog")).to_contain_text("You may close this; the sync goes on.")
    page.get_by_role("dialog").get_by_role("button", name="Close", exact=True).last.click()
    expect(page.locator("#home-sync")).to_contain_text("Show the sync")

    background.go_on()

    expect(page.locator("#home-sentence")).to_contain_text("is in both places.")
    expect(page.get_by_role("region", name="Recent changes")).to_contain_text("Anne Lund")
    expect(page.locator("#home-facts")).to_contain_text("In both places1")


def test_the_connection_of_somebody_else_is_tried_in_place(admin: Page, setup: ExchangeSync) -> None:
    admin.goto(f"/sync/mailboxes/{setup.user_id}/")
    admin.get_by_role("button", name="Validate Exchange connection").click()
    expect(admin.locator("#outcomes")).to_contain_text("A test contact was written, read back and removed.")
    expect(admin).to_have_url(f"{admin.url.split('/sync')[0]}/sync/mailboxes/{setup.user_id}/")
