"""Who decided what about a held run, and when; and that an erasure is nobody's to reject."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Outcome
from crmsync.sync.engine import perform
from crmsync.sync.erasing import erase
from crmsync.sync.erasures import CopyOutcome, ErasedCopy
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import reject
from crmsync.sync.sweep import sweep
from tests.factories import AdministratorFactory, ChangeFactory, PersonFactory, RunFactory, SetupFactory
from tests.scene import Salesperson

pytestmark = pytest.mark.django_db
DELETE, CREATE = "delete-outlook-trashed", "create-outlook-new_in_crm"


@pytest.fixture
def mine(client):
    """A client whose sync is held, and its run: two to remove, one to create."""
    run = RunFactory(setup=SetupFactory(user__name="Jette Holm", user__language="en"), outcome="held")
    for name in ("Anne Nørgård", "Bo Lind"):
        ChangeFactory(run=run, name=name, action="delete", cause="trashed", outcome="planned")
    ChangeFactory(run=run, name="Carla Díaz", cause="new_in_crm", outcome="planned")
    client.force_login(run.setup.user)
    return client, run


def text(response) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def said(client, run) -> str:
    """The part of the run's page that says who decided what."""
    page = text(client.get(f"/sync/runs/{run.pk}/"))
    assert 'id="rulings"' in page
    return page.partition('id="rulings"')[2].partition("</ul>")[0]


@pytest.mark.parametrize(
    ("verb", "words"), [("approve", "Approved by Jette Holm"), ("reject", "Rejected by Jette Holm")]
)
def test_the_page_says_who_decided_and_when(mine, verb, words):
    client, run = mine
    client.post(f"/sync/runs/{run.pk}/{verb}/")
    run.rulings.update(at=datetime(2026, 11, 26, 13, 2, tzinfo=UTC))
    SyncRun.objects.filter(pk=run.pk, outcome="queued").update(outcome="done")
    shown = said(client, run)
    assert words in shown and "26 November 14:02" in shown
    assert "2 to remove from Outlook" in shown and "1 to create in Outlook" in shown


def test_each_cause_keeps_the_word_that_was_said_about_it(mine):
    client, run = mine
    client.post(f"/sync/runs/{run.pk}/decide/", {DELETE: "park", CREATE: "reject"})
    run.refresh_from_db()
    assert run.outcome == Outcome.HELD
    shown = said(client, run)
    assert shown.index("Rejected by Jette Holm") < shown.index("Parked by Jette Holm")
    assert "2 to remove from Outlook" in shown.partition("Parked")[2]
    client.post(f"/sync/runs/{run.pk}/decide/", {DELETE: "reject"})
    run.refresh_from_db()
    assert run.outcome == Outcome.REJECTED
    assert [(word.verdict, word.count) for word in run.rulings.all()] == [("reject", 1), ("park", 2), ("reject", 2)]
    assert {word.by for word in run.rulings.all()} == {run.setup.user}


def test_an_administrator_reads_it_without_any_name_of_a_contact(client, mine):
    _, run = mine
    client.post(f"/sync/runs/{run.pk}/reject/")
    client.force_login(AdministratorFactory())
    assert "Rejected by Jette Holm" in said(client, run)
    assert "Anne" not in text(client.get(f"/sync/runs/{run.pk}/"))


def test_nobody_decided_about_an_undo_that_the_sweep_drops(mine):
    client, run = mine
    long_ago = timezone.now() - timedelta(hours=2)
    SyncRun.objects.filter(pk=run.pk).update(kind="undo", planned_with="x", heartbeat_at=long_ago)
    sweep()
    assert "Dropped" in said(client, run) and "nobody decided" in said(client, run)


def test_a_run_that_nobody_decided_about_says_nothing_of_it(mine):
    client, run = mine
    assert 'id="rulings"' not in text(client.get(f"/sync/runs/{run.pk}/"))


# --- An erasure ------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(jens: Salesperson, settings) -> SyncRun:
    """Jens's sync, held for three to remove, with an erasure in its plan."""
    for number in range(5):
        PersonFactory(first_name="P", surname=str(number), email=f"p{number}@crm.example")
    jens.sync()
    erase(Contact.objects.get(surname="4"), by=AdministratorFactory(authentication_email=""))
    for contact in Contact.objects.all()[:3]:
        contact.trash(by=None)
    settings.SYNC_DELETE_LIMIT = 2
    run = SyncRun.objects.open().get()
    assert perform(run.pk, budget=float("inf")) == Outcome.HELD
    return SyncRun.objects.select_related("setup__user").get(pk=run.pk)


def test_rejecting_everything_lets_an_erasure_through_and_the_page_says_so(client, jens, held):
    client.force_login(held.setup.user)
    page = text(client.get(f"/sync/runs/{held.pk}/"))
    assert "1 contact was erased on request" in page and "whatever you decide" in page
    answer = text(client.post(f"/sync/runs/{held.pk}/reject/", follow=True))
    assert "Nothing more is changed." not in answer
    perform(held.pk, budget=float("inf"))
    held.refresh_from_db()
    assert (held.outcome, jens.names()) == (Outcome.DONE, ["P 0", "P 1", "P 2", "P 3"])
    assert ErasedCopy.objects.get().outcome == CopyOutcome.REMOVED
    shown = said(client, held)
    assert "Rejected by" in shown and "3 to remove from Outlook" in shown
    assert (again := jens.sync())["outcome"] == "held" and again["brakes"][0]["count"] == 3


def test_what_a_person_rejects_because_of_another_mailbox_touches_neither_mailbox(jens, held):
    """The erasure stays open on the receipt until the right mailbox is synced again."""
    SyncRun.objects.filter(pk=held.pk).update(
        brakes=[{"brake": "mailbox_changed", "side": "outlook", "cause": "", "count": 4, "limit": 0}]
    )
    held.refresh_from_db()
    reject(held, held.setup.user)
    held.refresh_from_db()
    assert (held.outcome, len(jens.names())) == (Outcome.REJECTED, 5)
    assert ErasedCopy.objects.get().outcome == CopyOutcome.PENDING
