"""From the button to the result: the dialog, the progress, and the whole path against a tenant."""

import re

import pytest
from django.utils import timezone

from crmsync.sync.models import SyncRun
from exchange_setup.models import ExchangeSync, MailboxSignIn
from tests.factories import PersonFactory, RunFactory, SetupFactory, UserFactory
from tests.scene import Salesperson, outlook_person

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true"}


@pytest.fixture
def setup():
    now = timezone.now()
    setup = SetupFactory(user__name="Jette", enabled_at=now, last_sync_at=now, contact_filter={"city": "Aarhus"})
    MailboxSignIn.objects.create(setup=setup, token_cache="{}", account=setup.mailbox)
    return setup


@pytest.fixture
def mine(client, setup):
    """A client signed in as the owner of `setup`."""
    client.force_login(setup.user)
    return client


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def post(client, **values):
    """What a press on OK sends."""
    return client.post("/sync/start/", {"go": "run"} | values, headers=HTMX)


# --- The dialog ------------------------------------------------------------------------------------------------------


def test_the_dialog_shows_mailbox_folder_filter_and_what_the_button_does(mine, setup):
    dialog = text(mine.get("/sync/start/?kind=sync", headers=HTMX))
    assert setup.mailbox in dialog and "Business Central" in dialog and "Aarhus" in dialog
    assert "Carries over what has changed" in dialog and "<html" not in dialog
    assert 'id="dialog-title"' in dialog and "data-close-dialog" in dialog


def test_the_full_sync_says_that_it_is_one(mine):
    dialog = text(mine.get("/sync/start/?kind=full", headers=HTMX))
    assert "Full sync with Microsoft 365" in dialog and "puts back what was removed in Outlook" in dialog


def test_without_javascript_the_dialog_is_a_page(mine):
    page = text(mine.get("/sync/start/"))
    assert "<html" in page and "Aarhus" in page
    response = mine.post("/sync/start/", {"kind": "sync", "go": "run", "sync-city": "Aarhus"})
    assert response.url == f"/sync/runs/{SyncRun.objects.get().pk}/"


def test_looking_at_the_dialog_and_cancelling_changes_nothing(mine, setup):
    mine.get("/sync/start/", headers=HTMX)
    setup.refresh_from_db()
    assert not SyncRun.objects.exists() and setup.contact_filter == {"city": "Aarhus"}


def test_ok_keeps_the_filter_and_starts_the_run_at_once(mine, setup):
    dialog = text(post(mine, kind="sync", **{"sync-city": "Odense"}))
    run = SyncRun.objects.get()
    setup.refresh_from_db()
    assert setup.contact_filter == run.contact_filter == {"city": "Odense"}
    assert (run.kind, run.trigger, run.requested_by, run.outcome) == ("sync", "manual", setup.user, "queued")
    assert f"/sync/runs/{run.pk}/progress/" in dialog and "Waiting for a background worker" in dialog


def test_full_asks_for_a_full_run(mine):
    post(mine, kind="full", **{"sync-city": "Aarhus"})
    run = SyncRun.objects.get()
    assert run.kind == "full" and run.whole


def test_a_preview_uses_the_filter_and_keeps_it_nowhere(mine, setup):
    post(mine, kind="full", go="preview", **{"sync-city": "Odense"})
    run = SyncRun.objects.get()
    setup.refresh_from_db()
    assert run.kind == "preview" and run.whole and run.contact_filter == {"city": "Odense"}
    assert setup.contact_filter == {"city": "Aarhus"}


@pytest.mark.parametrize(("go", "kept"), [("run", {"city": "Odense"}), ("preview", {"city": "Aarhus"})])
def test_the_first_sync_begins_with_its_preview(mine, setup, go, kept):
    ExchangeSync.objects.update(last_sync_at=None)
    assert "changes nothing before you apply it" in text(mine.get("/sync/start/", headers=HTMX))
    post(mine, kind="full", go=go, **{"sync-city": "Odense"})
    run = SyncRun.objects.get()
    setup.refresh_from_db()
    assert (run.kind, run.whole, run.contact_filter) == ("preview", True, {"city": "Odense"})
    assert setup.contact_filter == kept


def test_a_sync_at_once_begins_with_the_preview_too_where_it_is_the_first(mine):
    ExchangeSync.objects.update(last_sync_at=None)
    post(mine, go="at_once")
    assert SyncRun.objects.get().kind == "preview"


def test_a_preview_opens_its_page_by_itself(mine, setup):
    run = RunFactory(setup=setup, kind="preview")
    for place in ("", "?on=page"):
        answer = mine.get(f"/sync/runs/{run.pk}/progress/{place}", headers=HTMX)
        wanted = {"HX-Refresh": "true"} if place else {"HX-Redirect": f"/sync/previews/{run.pk}/"}
        assert wanted.items() <= dict(answer.headers).items()


def test_a_wrong_filter_keeps_the_dialog_and_points_at_the_mistake(mine, setup):
    dialog = text(post(mine, kind="sync", **{"sync-city": "'Aarhus"}))
    setup.refresh_from_db()
    assert "&#x27;Aarhus" in dialog and "is-invalid" in dialog
    assert not SyncRun.objects.exists() and setup.contact_filter == {"city": "Aarhus"}


def test_adding_a_row_to_the_filter_starts_nothing(mine):
    dialog = text(mine.post("/sync/start/", {"kind": "sync", "sync-city": "Aarhus", "sync-add": "territory"}))
    assert 'name="sync-territory"' in dialog and not SyncRun.objects.exists()


def test_a_second_click_shows_the_run_that_is_open_and_changes_nothing(mine, setup):
    run = RunFactory(setup=setup, outcome="running", step="applying", done=340, total=1200, doing="Anne Nørgård")
    for response in (mine.get("/sync/start/", headers=HTMX), post(mine, kind="sync", **{"sync-city": "Odense"})):
        dialog = text(response)
        assert f"/sync/runs/{run.pk}/progress/" in dialog and "340 of 1,200" in dialog and "Anne Nørgård" in dialog
    setup.refresh_from_db()
    assert SyncRun.objects.count() == 1 and setup.contact_filter == {"city": "Aarhus"}
    assert "was not saved" in dialog


def test_a_held_run_is_shown_with_the_way_to_decide(mine, setup):
    run = RunFactory(setup=setup, outcome="held", brakes=[{"brake": "folder_empty", "side": "outlook", "cause": ""}])
    dialog = text(mine.get("/sync/start/", headers=HTMX))
    assert "suddenly empty" in dialog and "Look and decide" in dialog and f'href="/sync/runs/{run.pk}/"' in dialog


def test_a_run_whose_worker_died_is_in_nobodys_way(mine, setup):
    RunFactory(setup=setup, outcome="running", heartbeat_at=timezone.now() - timezone.timedelta(minutes=5))
    assert "Aarhus" in text(mine.get("/sync/start/", headers=HTMX))
    assert "Waiting for a background worker" in text(post(mine, kind="sync", **{"sync-city": "Aarhus"}))


def test_someone_without_a_setup_is_led_to_it(client):
    client.force_login(UserFactory())
    for response in (client.get("/sync/start/", headers=HTMX), client.get("/sync/start/"), post(client, kind="sync")):
        assert 'href="/exchange-setup/"' in text(response) and "Cancel" in text(response)
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [({"enabled": False, "enabled_at": None}, "not switched on yet"), ({"enabled": False}, "paused")],
)
def test_a_setup_that_is_not_ready_says_what_is_missing(mine, setup, values, words):
    ExchangeSync.objects.filter(pk=setup.pk).update(**values)
    for response in (mine.get("/sync/start/", headers=HTMX), post(mine, kind="sync", **{"sync-city": "Odense"})):
        assert words in text(response)
    setup.refresh_from_db()
    assert not SyncRun.objects.exists() and setup.contact_filter == {"city": "Aarhus"}


def test_a_setup_in_trouble_says_so_in_the_dialog(mine, setup):
    ExchangeSync.objects.filter(pk=setup.pk).update(trouble="needs_sign_in")
    assert "Connect again" in text(mine.get("/sync/start/", headers=HTMX))


# --- The progress ----------------------------------------------------------------------------------------------------


def test_the_progress_asks_again_until_the_run_rests(mine, setup):
    run = RunFactory(setup=setup, outcome="running", step="reading", done=40, total=400, doing="Bo Lind")
    answer = mine.get(f"/sync/runs/{run.pk}/progress/", headers=HTMX)
    assert 'hx-trigger="every 1s"' in text(answer) and "40 of 400" in text(answer) and "Bo Lind" in text(answer)
    assert "HX-Trigger" not in answer.headers
    SyncRun.objects.filter(pk=run.pk).update(outcome="done", counts={"outlook": {"created": 12}})
    answer = mine.get(f"/sync/runs/{run.pk}/progress/", headers=HTMX)
    assert "hx-trigger" not in text(answer) and "12 created in Outlook." in text(answer)
    assert "sync-changed" in answer.headers["HX-Trigger"]
    assert f'href="/sync/runs/{run.pk}/"' in text(answer)


def test_the_progress_is_spoken_only_when_there_is_news(mine, setup):
    run = RunFactory(setup=setup, outcome="running", step="applying", done=340, total=1200)
    first = text(mine.get(f"/sync/runs/{run.pk}/progress/", headers=HTMX))
    assert "Carrying out the changes: 20%" in first
    (url,) = re.findall(r'hx-get="([^"]+)"', first)
    SyncRun.objects.filter(pk=run.pk).update(done=350)
    assert "run-said" not in text(mine.get(url, headers=HTMX))


def test_on_the_runs_own_page_the_end_shows_the_whole_page_anew(mine, setup):
    run = RunFactory(setup=setup, outcome="running")
    page = text(mine.get(f"/sync/runs/{run.pk}/"))
    assert "on=page" in page and "Stop the sync" in page
    SyncRun.objects.filter(pk=run.pk).update(outcome="done")
    assert mine.get(f"/sync/runs/{run.pk}/progress/?on=page", headers=HTMX).headers["HX-Refresh"] == "true"


def test_a_waiting_run_can_be_stopped_at_once_and_a_running_one_at_the_next_batch(mine, setup):
    run = RunFactory(setup=setup, outcome="queued")
    dialog = text(mine.post(f"/sync/runs/{run.pk}/cancel/", headers=HTMX))
    assert "Cancelled. Nothing was changed." in dialog
    run = RunFactory(setup=setup, outcome="running")
    dialog = text(mine.post(f"/sync/runs/{run.pk}/cancel/", headers=HTMX))
    assert "Stopping after the batch that is under way." in dialog
    assert SyncRun.objects.get(pk=run.pk).cancel_requested


def test_stopping_what_has_ended_shows_how_it_ended(mine, setup):
    run = RunFactory(setup=setup)
    assert "nothing new on either side" in text(mine.post(f"/sync/runs/{run.pk}/cancel/", headers=HTMX))
    assert mine.post(f"/sync/runs/{run.pk}/cancel/").url == f"/sync/runs/{run.pk}/"


# --- The whole path --------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_from_the_button_to_the_truth(client, jens: Salesperson, run_queue):
    """OK in the dialog → the preview → Apply → the worker → both sides are the same, and the run says exactly that."""
    anne = PersonFactory(first_name="Anne", surname="Nørgård", email="anne@fabrikam.example", city="Aarhus")
    PersonFactory(first_name="Bo", surname="Chen", email="", city="Aarhus")
    PersonFactory(first_name="Far", surname="Away", city="Odense")
    jens.outlook.create_folder("Business Central")
    jens.outlook.add("Business Central", **outlook_person("Carla", "Díaz", "carla@contoso.example"))
    client.force_login(jens.setup.user)
    dialog = text(post(client, kind="sync", **{"sync-city": "Aarhus"}))
    preview = SyncRun.objects.get()
    assert f"/sync/runs/{preview.pk}/progress/" in dialog
    run_queue()
    shown = text(client.get(f"/sync/runs/{preview.pk}/", follow=True))
    assert "A preview, nothing was changed: 1 to create in Outlook, 1 to create in the CRM, 1 left out." in shown
    assert jens.names() == ["Carla Díaz"] and not ExchangeSync.objects.get().last_sync_at
    assert client.post(f"/sync/previews/{preview.pk}/apply/", {"count": 2}).status_code == 302
    run = SyncRun.objects.first()
    run_queue()
    result = text(client.get(f"/sync/runs/{run.pk}/progress/", headers=HTMX))
    assert "1 created in Outlook, 1 created in the CRM, 1 left out: no e-mail." in result
    assert jens.names() == ["Anne Nørgård", "Carla Díaz"]
    page = text(client.get(f"/sync/runs/{run.pk}/"))
    assert "Anne Nørgård" in page and "Carla Díaz" in page and "Bo Chen" in page and "Far Away" not in page
    assert "Bo Chen" in text(client.get("/sync/left-out/"))
    assert "In your Outlook" in text(client.get(f"/sync/contacts/{anne.number}/"))
    assert "In sync" in text(client.get("/sync/chip/"))


@pytest.mark.django_db(transaction=True)
def test_every_later_sync_goes_from_the_button_to_the_result(client, jens: Salesperson, run_queue):
    PersonFactory(first_name="Anne", surname="Nørgård", email="anne@fabrikam.example")
    jens.sync()
    PersonFactory(first_name="Bo", surname="Chen", email="bo@fabrikam.example")
    client.force_login(jens.setup.user)
    post(client, kind="sync")
    run_queue()
    run = SyncRun.objects.first()
    assert "1 created in Outlook." in text(client.get(f"/sync/runs/{run.pk}/progress/", headers=HTMX))
    assert jens.names() == ["Anne Nørgård", "Bo Chen"]


def test_before_the_sync_is_switched_on_a_preview_can_be_had_and_nothing_else(mine, setup):
    ExchangeSync.objects.update(enabled=False, enabled_at=None)
    dialog = text(mine.get("/sync/start/?only=preview", headers=HTMX))
    assert 'value="preview"' in dialog and 'value="run"' not in dialog
    assert "not switched on yet" in text(post(mine))
    assert not SyncRun.objects.exists()
    text(post(mine, go="preview"))
    assert SyncRun.objects.get().kind == "preview"
