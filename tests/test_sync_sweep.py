"""The sweep: what it costs while nothing is due, and how mailboxes with nothing new are polled twenty at a time."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Outcome
from crmsync.sync.engine import perform
from crmsync.sync.forms import PreferenceForm
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.sweep import prune, sweep
from exchange_setup.models import ExchangeSync
from tests.compare import settle
from tests.factories import ChangeFactory, PersonFactory, RunFactory, UserFactory
from tests.scene import Salesperson, Stage, edit, outlook_person

pytestmark = pytest.mark.django_db
BATCH = r"POST /\$batch$"


def queries_of_a_sweep() -> int:
    with CaptureQueriesContext(connection) as captured:
        sweep()
    return len(captured)


def test_a_thousand_idle_setups_cost_as_many_queries_as_one(settings: Any) -> None:
    settings.M365_ACCESS = "application"
    later = timezone.now() + timedelta(minutes=5)

    def add(number: int) -> None:
        users = [UserFactory.build(email=f"{n}@idle.example", code=None) for n in range(number - 1, -1, -1)]
        made = type(users[0]).objects.bulk_create(users, ignore_conflicts=True)
        assert made
        known = type(users[0]).objects.filter(email__endswith="@idle.example", exchange_sync=None)
        rows = [
            ExchangeSync(user=user, enabled=True, auto_sync=True, last_sync_at=later, next_sync_at=later)
            for user in known
        ]
        ExchangeSync.objects.bulk_create(rows)

    add(1)
    sweep()  # the first one ever has nothing to count yet
    one = queries_of_a_sweep()
    add(1000)
    assert ExchangeSync.objects.count() == 1000 and queries_of_a_sweep() == one
    assert not SyncRun.objects.exists()


@pytest.fixture
def team(stage: Stage) -> list[Salesperson]:
    """22 people whose last sync is done, with nothing new on either side, who are all due."""
    people = []
    for number in range(22):
        person = stage.salesperson(
            f"p{number}@contoso.example",
            contact_filter={"salesperson": "%me"},
            auto_sync=True,
            enabled_at=timezone.now(),
        )
        PersonFactory(first_name=f"Of {number}", surname="Dam", salesperson=person.setup.user)
        people.append(person)
    for person in people:
        person.sync()
    Contact.objects.update(modified_at=timezone.now() - timedelta(hours=2))
    stage.tenant.clear_requests()
    fall_due()
    return people


def fall_due() -> None:
    ExchangeSync.objects.update(next_sync_at=timezone.now() - timedelta(seconds=1))


def carry_out() -> set[str]:
    """Carry out what the sweep has opened: whose runs these were."""
    runs = list(SyncRun.objects.open().select_related("setup__user"))
    for run in runs:
        assert perform(run.pk, budget=float("inf")) == Outcome.DONE
    return {run.setup.user.email for run in runs}


def test_twenty_mailboxes_with_nothing_new_cost_one_request_and_no_run(team: list[Salesperson]) -> None:
    before = ExchangeSync.objects.order_by("pk").first()
    assert sweep().startswith("started 0")
    requests = team[0].tenant.requests()
    assert [len(entry["batch_items"]) for entry in requests] == [20, 2]
    after = ExchangeSync.objects.order_by("pk").first()
    assert after.last_sync_at > before.last_sync_at and after.next_sync_at > timezone.now()
    assert ExchangeSync.objects.filter(next_sync_at__lt=timezone.now()).count() == 0


def test_whoever_has_something_new_gets_a_run_and_nothing_is_overlooked(team: list[Salesperson]) -> None:
    in_outlook, in_crm, with_link, newcomer = team[:4]
    in_outlook.outlook.edit(in_outlook.card("Of 0 Dam")["id"], jobTitle="Boss")
    edit(Contact.objects.get(first_name="Of 1"), job_title="Chief")
    ContactLink.objects.filter(setup=with_link.setup).update(dirty=True)
    newcomer.outlook.add(**outlook_person("New", "Comer", "new@comer.example"))
    sweep()
    assert carry_out() == {person.setup.user.email for person in (in_outlook, in_crm, with_link, newcomer)}
    assert Contact.objects.get(first_name="Of 0").job_title == "Boss"
    assert in_crm.card("Of 1 Dam")["jobTitle"] == "Chief"
    late = team[10]
    late.outlook.edit(late.card("Of 10 Dam")["id"], jobTitle="After the poll")
    PersonFactory(first_name="Later", surname="Dam", salesperson=team[11].setup.user)
    fall_due()
    sweep()
    assert {late.setup.user.email, team[11].setup.user.email} <= carry_out()
    assert Contact.objects.get(first_name="Of 10").job_title == "After the poll"
    assert team[11].names() == ["Later Dam", "Of 11 Dam"]


def test_whoever_is_always_wanted_is_not_passed_over(team: list[Salesperson]) -> None:
    """Back from the trash, and in no filter: the word of the user is all that wants them in Outlook."""
    lena = PersonFactory(first_name="Lena", surname="Dam")
    form = PreferenceForm({"choice": "always"})
    assert form.is_valid()
    form.save(team[0].setup, lena)
    team[0].sync()
    for deed in ("trash", "restore"):
        getattr(Contact.objects.get(pk=lena.pk), deed)(by=None)
        fall_due()
        sweep()
        assert team[0].setup.user.email in carry_out()
        settle(team[0])
    assert team[0].names() == ["Lena Dam", "Of 0 Dam"]


FAULTS: list[dict[str, Any]] = [
    {"do": "garbage", "match": BATCH},
    {"do": "status", "status": 429, "match": BATCH},
    {"do": "drop", "match": BATCH},
    {"do": "sync_state_lost"},
    {"do": "foreign_link"},
    {"do": "empty_page"},
]


def test_a_poll_that_fails_leaves_every_mailbox_to_its_own_run(team: list[Salesperson]) -> None:
    for fault in FAULTS:
        team[0].tenant.faults.add(**fault, times=0)
        assert sweep().startswith("started 22"), fault
        team[0].tenant.faults.clear()
        SyncRun.objects.open().delete()
        fall_due()


def test_where_everybody_signs_in_for_themselves_nobody_is_polled_together(
    team: list[Salesperson], settings: Any
) -> None:
    settings.M365_ACCESS = "delegated"
    sweep()
    assert team[0].tenant.requests() == []


def test_the_journal_forgets_changes_after_90_days_and_runs_when_they_are_empty():
    now = timezone.now()
    long_ago, lately = now - timedelta(days=91), now - timedelta(days=89)
    run = RunFactory(outcome="done", created_at=long_ago)
    ChangeFactory(run=run, created_at=long_ago)
    kept = {ChangeFactory(run=run, created_at=lately), ChangeFactory(run=RunFactory(outcome="done"))}
    empty = RunFactory(outcome="done", created_at=long_ago)
    assert (prune(now), prune(now)) == (2, 0)
    assert set(SyncChange.objects.all()) == kept
    assert SyncRun.objects.filter(pk=run.pk).exists() and not SyncRun.objects.filter(pk=empty.pk).exists()
