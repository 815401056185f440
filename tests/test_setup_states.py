"""What the runs have to say on the setup page: each state has its sentence and its one button."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from exchange_setup.models import ExchangeSync, Trouble
from tests.factories import RunFactory, SetupFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def setup(client: Client, settings: Any) -> ExchangeSync:
    """Enabled, syncing by itself, and in sync."""
    settings.M365_ACCESS = "application"
    setup = SetupFactory(user=UserFactory(), auto_sync=True, last_sync_at=timezone.now())
    setup.enable()
    client.force_login(setup.user)
    return setup


def banner(client: Client) -> str:
    """The sentence above the steps, with its button; '' where there is none."""
    page = client.get("/exchange-setup/").text
    _before, found, after = page.partition('id="sync-notice"')
    return after.partition("</div>\n")[0] + after.partition("</div>\n")[2].partition("</div>")[0] if found else ""


def test_while_all_is_well_nothing_is_said(setup: ExchangeSync, client: Client) -> None:
    RunFactory(setup=setup)
    assert banner(client) == ""


def test_a_held_run_waits_for_a_decision(setup: ExchangeSync, client: Client) -> None:
    run = RunFactory(setup=setup, outcome="held")
    assert "Your sync is held" in banner(client)
    assert f'btn-primary" href="/sync/runs/{run.pk}/">Look and decide' in banner(client)
    page = client.get("/exchange-setup/").text
    assert "syncs by itself" not in page
    assert "After your decision" in client.get("/exchange-setup/").text


def test_a_run_under_way_can_be_watched(setup: ExchangeSync, client: Client) -> None:
    run = RunFactory(setup=setup, outcome="running", started_at=timezone.now())
    assert "A sync is under way." in banner(client) and f'href="/sync/runs/{run.pk}/">Show the sync' in banner(client)


def test_a_late_sync_can_be_started_by_hand(setup: ExchangeSync, client: Client) -> None:
    ExchangeSync.objects.update(last_sync_at=timezone.now() - timedelta(hours=2))
    RunFactory(setup=setup)
    assert "The sync is late" in banner(client) and 'hx-get="/sync/start/"' in banner(client)


def test_a_first_sync_that_never_came_is_late_too(setup: ExchangeSync, client: Client) -> None:
    ExchangeSync.objects.update(last_sync_at=None, enabled_at=timezone.now() - timedelta(hours=2))
    assert "The first sync is late." in banner(client) and "Sync now" in banner(client)


def test_a_run_that_failed_says_why(setup: ExchangeSync, client: Client) -> None:
    RunFactory(setup=setup, outcome="failed", error="unreachable")
    assert "Microsoft 365" in banner(client) and 'class="btn btn-sm"' in banner(client)


def test_what_stops_the_setup_itself_is_said_once(setup: ExchangeSync, client: Client) -> None:
    RunFactory(setup=setup, outcome="failed", error="folder_gone")
    setup.note_trouble(Trouble.FOLDER_GONE)
    page = client.get("/exchange-setup/").text
    assert banner(client) == "" and page.count("is no longer in your mailbox") == 1


def test_a_paused_setup_is_not_late_and_can_be_resumed(setup: ExchangeSync, client: Client) -> None:
    setup.pause()
    ExchangeSync.objects.update(last_sync_at=timezone.now() - timedelta(days=2))
    page = client.get("/exchange-setup/").text
    assert banner(client) == "" and "Paused: nothing syncs." in page and "Resume" in page


def test_a_mailbox_that_is_cut_off_asks_for_a_sign_in(setup: ExchangeSync, client: Client, settings: Any) -> None:
    settings.M365_ACCESS = "delegated"
    page = client.get("/exchange-setup/").text
    assert "Stopped: the mailbox is not connected." in page and 'action="/exchange-setup/connect/"' in page
