"""What a run is called and what is said of it: in its dialog, on its page and in the list of runs."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from crmsync.sync.models import SyncRun
from exchange_setup.models import ExchangeSync, MailboxSignIn, OrganisationDefaults
from tests.factories import ChangeFactory, RunFactory, SetupFactory

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true"}


@pytest.fixture
def setup() -> ExchangeSync:
    setup = SetupFactory()
    MailboxSignIn.objects.create(setup=setup, token_cache="{}", account=setup.mailbox)
    setup.enable()
    return setup


@pytest.fixture
def mine(client, setup):
    client.force_login(setup.user)
    return client


def text(response) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize(
    ("kind", "whole", "title"),
    [
        ("sync", False, "Sync with Microsoft 365"),
        ("sync", True, "Full sync with Microsoft 365"),
        ("preview", False, "Preview"),
        ("preview", True, "Preview of a full sync"),
        ("undo", False, "Undo"),
        ("verify", False, "Compare both sides"),
        ("removal", False, "Removal from Outlook"),
    ],
)
def test_the_dialog_bears_the_name_of_the_run_that_is_open(mine, setup, kind, whole, title):
    RunFactory(setup=setup, kind=kind, whole=whole, outcome="running", step="reading")
    dialog = text(mine.get("/sync/start/", headers=HTMX))
    assert f'id="dialog-title">{title}</h2>' in dialog
    assert ("the sync goes on" in dialog) == ("Stop the sync" in dialog) == (kind == "sync")


def test_only_a_filter_that_could_have_been_saved_is_said_not_to_be(mine, setup):
    RunFactory(setup=setup, kind="undo", outcome="running", step="planning")
    asked = {"kind": "sync", "go": "run", "sync-city": "Odense"}
    assert "no other was started and your filter was not saved" in text(mine.post("/sync/start/", asked, headers=HTMX))
    OrganisationDefaults.objects.create(locked=["contact_filter"])
    dialog = text(mine.post("/sync/start/", asked, headers=HTMX))
    assert "so no other was started." in dialog and "your filter" not in dialog
    assert "already open" not in text(mine.post("/sync/start/", {"go": "at_once"}, headers=HTMX))


def test_who_asked_for_a_comparison_hears_what_is_open_instead(mine, setup):
    ExchangeSync.objects.update(folder_id="f", mirrored_folder_id="f", last_sync_at=timezone.now())
    run = RunFactory(setup=setup, kind="sync", outcome="running", step="reading")
    dialog = text(mine.post("/sync/verify/", headers=HTMX))
    assert "so no comparison was started." in dialog and "filter" not in dialog
    assert "so no comparison was started." in text(mine.post("/sync/verify/", follow=True))
    SyncRun.objects.filter(pk=run.pk).update(kind="verify")
    assert "so no other was started." in text(mine.post("/sync/verify/", headers=HTMX))


def test_an_undo_leaves_alone_what_a_sync_leaves_out(mine, setup):
    done = ChangeFactory(run=RunFactory(setup=setup))
    undo = RunFactory(setup=setup, kind="undo", undoes=done.run, counts={"skipped": 1})
    skipped = {"action": "skip", "outcome": "skipped", "reason": "changed_since", "cause": ""}
    ChangeFactory(run=undo, undoes=done, **skipped)
    page = text(mine.get(f"/sync/runs/{undo.pk}/?tab=left-out"))
    assert "Left alone" in page and "Left out" not in page
    other = RunFactory(setup=setup, counts={"skipped": 1})
    ChangeFactory(run=other, **skipped | {"reason": "no_email"})
    assert "Left out" in text(mine.get(f"/sync/runs/{other.pk}/?tab=left-out"))


@pytest.mark.parametrize("kind", ["undo", "removal"])
def test_the_dialog_of_a_held_undo_or_removal_without_counts_leads_to_its_decision(mine, setup, kind):
    held = RunFactory(setup=setup, kind=kind, outcome="held")
    foot = text(mine.get(f"/sync/runs/{held.pk}/progress/")).partition('id="run-foot"')[2]
    assert "Look and decide" in foot and 'btn" id="run-close"' in foot


def test_the_log_says_how_long_a_run_took_from_a_second_on(mine, setup):
    began = timezone.now()
    for outcome, seconds in (("held", None), ("done", 0.04), ("done", 4)):
        ended = None if seconds is None else began + timedelta(seconds=seconds)
        RunFactory(setup=setup, outcome=outcome, started_at=began, finished_at=ended)
    cells = re.findall(r'<td class="number[^>]*>(.*?)</td>', text(mine.get("/sync/")))
    assert cells == ["4.0 s", *['<span class="muted">–</span>'] * 2]


def test_the_log_says_which_run_was_undone(mine, setup):
    undone, in_part = (ChangeFactory(run__setup=setup) for _ in range(2))
    RunFactory(setup=setup, kind="undo", undoes=undone.run)
    RunFactory(setup=setup, kind="undo", undoes=in_part.run, undoes_only=in_part.pk)
    rows = text(mine.get("/sync/")).split("</tr>")
    assert [f'/sync/runs/{undone.run.pk}/"' in row for row in rows if "Was undone" in row] == [True]
