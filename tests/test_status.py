"""Whether the product works, for monitoring and for administrators: and nothing in it about anybody."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from crmsync.sync.jobs import sweep
from crmsync.sync.metrics import tally
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.watch import Mark
from tests.factories import AdministratorFactory, ChangeFactory, RunFactory, SetupFactory, UserFactory
from tests.scene import Salesperson, edit, outlook_person

pytestmark = pytest.mark.django_db


def healthz(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/healthz")
    return answer.status_code, answer.json()


def beat(ago: float = 0) -> None:
    Mark.objects.set_at("sweep", timezone.now() - timedelta(minutes=ago))


def test_healthz_says_that_all_parts_work(client: Client) -> None:
    sweep()
    status, told = healthz(client)
    assert status == 200 and told["worker_heard_of_seconds_ago"] is not None
    assert {told[part] for part in ("web", "database", "cache", "worker", "runs")} == {"ok"}


def test_healthz_misses_the_workers(client: Client) -> None:
    assert healthz(client)[0] == 503  # none was ever there
    beat(ago=4)
    assert healthz(client)[0] == 200
    beat(ago=6)
    status, told = healthz(client)
    assert (status, told["worker"]) == (503, "broken") and told["worker_heard_of_seconds_ago"] >= 360
    RunFactory(setup=SetupFactory(), outcome="running")  # the sweep waits behind long runs
    assert healthz(client)[0] == 200


@pytest.mark.parametrize("how", ["due", "queued"])
def test_healthz_counts_from_when_the_oldest_sync_was_due(client: Client, how: str) -> None:
    beat()
    since = timezone.now() - timedelta(minutes=31)
    if how == "due":
        SetupFactory(auto_sync=True, next_sync_at=since)
    else:
        RunFactory(outcome="queued", created_at=since)
    status, told = healthz(client)
    assert (status, told["runs"]) == (503, "broken") and told["oldest_due_seconds"] >= 31 * 60


def test_healthz_without_a_database_is_503_and_no_error_page(client: Client) -> None:
    def broken(*args: object) -> None:
        raise OperationalError("password is hunter2")

    with connection.execute_wrapper(broken):
        answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["database"] == "broken"
    assert "hunter2" not in answer.text


def test_a_load_balancer_asks_for_the_web_server_alone(client: Client) -> None:
    answer = client.get("/healthz/web")
    assert (answer.status_code, answer.json()) == (200, {"web": "ok", "database": "ok"})


# --- The page --------------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdministratorFactory())
    return client


def test_the_status_page_is_for_administrators(client: Client) -> None:
    assert client.get("/sync/status/").url.startswith("/accounts/login/")
    client.force_login(UserFactory())
    assert client.get("/sync/status/").status_code == 403


def test_the_status_page_counts_what_there_is(admin: Client, settings: Any) -> None:
    settings.M365_ACCESS = "application"
    beat()
    for outcome in ("done", "done", "failed"):
        RunFactory(outcome=outcome, requests=7)
    RunFactory(kind="preview", requests=7)
    status = admin.get("/sync/status/").context["status"]
    assert status.vitals.well and status.requests == 28
    assert {share.slug: share.count for share in status.runs} == {"done": 3, "failed": 1}
    assert sum(share.count for share in status.health) == 5  # four with a setup, and the administrator
    assert "Every part works." in admin.get("/sync/status/").text


def test_a_number_of_the_last_day_leads_to_the_runs_that_it_counts(admin: Client) -> None:
    new, old = RunFactory(outcome="failed"), RunFactory(outcome="failed")
    SyncRun.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))
    link = re.search(r'href="([^"]+show=failed[^"]*)"><strong>1<', admin.get("/sync/status/").text)
    assert link
    listed = admin.get(html.unescape(link[1]))
    assert [row.run.pk for row in listed.context["rows"]] == [new.pk] and "last 24 hours" in listed.text
    assert len(admin.get("/sync/?of=everybody&show=failed").context["rows"]) == 2


def test_the_status_page_costs_the_same_queries_however_many_mailboxes(admin: Client) -> None:
    def spent() -> int:
        with connection.execute_wrapper(lambda run, *args: (counted.append(1), run(*args))[1]):
            assert admin.get("/sync/status/").status_code == 200
        return counted.count(1)

    counted: list[int] = []
    edited(RunFactory(), 4)
    few = spent()
    for _ in range(5):
        edited(RunFactory(), 4)
    counted.clear()
    assert spent() == few


@pytest.mark.parametrize(("days", "says"), [(31, None), (30, "in 30 days"), (1, "in 1 day"), (0, "today"), (-1, "has")])
def test_administrators_see_that_the_client_secret_runs_out(
    client: Client, settings: Any, days: int, says: str | None
) -> None:
    settings.M365_CLIENT_SECRET_EXPIRES = timezone.localdate() + timedelta(days=days)
    for user, sees in ((AdministratorFactory(), says is not None), (UserFactory(), False)):
        client.force_login(user)
        text = client.get("/").text
        assert ("The client secret for Microsoft 365" in text) == sees
        assert not sees or f"{says}" in text


def test_not_every_part_works_where_one_is_marked_as_bad(admin: Client, settings: Any) -> None:
    beat()
    settings.M365_CLIENT_SECRET_EXPIRES = timezone.localdate() - timedelta(days=1)
    assert "A part needs a look." in admin.get("/sync/status/").text
    assert admin.get("/healthz").status_code == 200


# --- Freshness -------------------------------------------------------------------------------------------------------


def edited(run: SyncRun, minutes: float, ago: float = 0) -> None:
    """A change of `run` that took so long to arrive."""
    applied = timezone.now() - timedelta(days=ago)
    ChangeFactory(run=run, applied_at=applied, edited_at=applied - timedelta(minutes=minutes))


def test_one_figure_is_said_where_half_took_as_long_as_nearly_all(client: Client) -> None:
    run = RunFactory(setup=SetupFactory(last_sync_at=timezone.now()))
    for _number in range(3):
        edited(run, 0.01)
    client.force_login(AdministratorFactory())
    shown = client.get(f"/sync/mailboxes/{run.setup.user_id}/").text
    assert "95% of the edits of the last 7 days arrived within 1\u00a0s." in shown
    assert "3 edits: 95% arrived within 1\u00a0s." in client.get("/sync/status/").text


def test_home_says_how_fast_my_own_edits_arrive(client: Client) -> None:
    run = RunFactory(setup=SetupFactory(last_sync_at=timezone.now()))
    for minutes in [3.2] * 60 + [9] * 36 + [500] * 4:
        edited(run, minutes)
    edited(run, 5000, ago=8)
    edited(RunFactory(), 5000)
    client.force_login(run.setup.user)
    assert (
        "Half of your edits of the last 7 days arrived within 4\u00a0min, 95% within 9\u00a0min."
        in client.get("/").text
    )

    client.force_login(AdministratorFactory())
    assert (
        "arrived within 4\u00a0min, 95% within 9\u00a0min" in client.get(f"/sync/mailboxes/{run.setup.user_id}/").text
    )
    status = client.get("/sync/status/").context["status"]
    assert [slow.freshness.most_shown for slow in status.slowest] == ["4\u00a0days", "9\u00a0min"]
    assert status.freshness.edits == 101


def test_an_edit_is_measured_from_its_making_to_its_arrival_and_a_first_sync_is_not(jens: Salesperson) -> None:
    jens.outlook.create_folder("Business Central")
    jens.outlook.add(**outlook_person("Ada", "Byron", "ada@example.org"))
    jens.sync()
    assert not SyncChange.objects.filter(edited_at__isnull=False).exists()

    there = SyncChange.objects.get(contact__name="Ada Byron", side="crm").contact
    written = edit(there, job_title="Countess")
    jens.sync()
    sent = SyncChange.objects.get(edited_at__isnull=False)
    assert (sent.side, sent.edited_at) == ("outlook", written.modified_at)
    assert sent.applied_at > sent.edited_at

    jens.outlook.edit(jens.card("Ada Byron")["id"], jobTitle="Analyst")
    jens.sync()
    came = SyncChange.objects.get(side="crm", edited_at__isnull=False)
    assert abs(came.applied_at - came.edited_at) < timedelta(minutes=1)


# --- Metrics ---------------------------------------------------------------------------------------------------------


def samples(client: Client, **headers: str) -> dict[str, float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_are_for_the_token_and_for_administrators(client: Client, settings: Any) -> None:
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403
    settings.METRICS_TOKEN = "a-long-token"
    for wrong in ("Bearer another", "a-long-token", "Bearer a-long-tøken", "Basic a-long-token"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 403
    assert samples(client, Authorization="Bearer a-long-token")
    client.force_login(UserFactory())
    assert client.get("/metrics").status_code == 403
    client.force_login(AdministratorFactory())
    assert samples(client)


def test_metrics_count_what_has_ended_and_never_less(admin: Client, settings: Any) -> None:
    settings.M365_CLIENT_SECRET_EXPIRES = timezone.localdate() + timedelta(days=12)
    now = timezone.now()
    assert tally(now) == 0  # from here on
    run = RunFactory(requests=5, started_at=now, finished_at=now + timedelta(seconds=4))
    RunFactory(outcome="failed", requests=2, started_at=now, finished_at=now + timedelta(seconds=1))
    RunFactory(outcome="held", started_at=now)
    for minutes in (0.05, 4, 4, 3000):
        edited(run, minutes)
    SyncChange.objects.update(applied_at=F("applied_at") + timedelta(seconds=1))

    assert tally(now + timedelta(minutes=1)) == 0  # what ended just now may not be visible yet
    assert tally(now + timedelta(minutes=3)) == 2
    assert tally(now + timedelta(minutes=4)) == 0
    SyncRun.objects.filter(outcome="done").delete()

    assert "without the time in which they waited for a decision" in admin.get("/metrics").text
    told = samples(admin)
    assert told['crmsync_runs_total{kind="sync",outcome="done"}'] == 1
    assert told['crmsync_runs_total{kind="sync",outcome="failed"}'] == 1
    assert told['crmsync_run_seconds_total{kind="sync"}'] == 5
    assert told["crmsync_graph_requests_total"] == 7
    assert told['crmsync_runs_open{state="held"}'] == 1
    assert told["crmsync_client_secret_days"] == 12
    assert told['crmsync_mailboxes{health="held"}'] == 1
    buckets = [told[f'crmsync_edit_latency_seconds_bucket{{le="{le}"}}'] for le in ("5", "120", "300", "86400", "+Inf")]
    assert buckets == [1, 1, 3, 3, 4] and told["crmsync_edit_latency_seconds_count"] == 4


def test_the_sweep_counts_and_the_schedules_have_a_watch() -> None:
    assert sweep().endswith("counted 0")
    call_command("setup_schedules", verbosity=0)
