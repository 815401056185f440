"""Asking for runs and deciding about them: what a button, a schedule or a command does. The engine does the work."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_q.tasks import async_task

from crmsync.sync.choices import BOTH_WAYS, LOOKS_ONLY, WAITING, Cause, ChangeOutcome, Kind, Outcome, Trigger
from crmsync.sync.counting import counts
from crmsync.sync.lease import is_dead
from crmsync.sync.leave import Verdict
from crmsync.sync.models import RunQuerySet, SyncChange, SyncRun
from crmsync.sync.narrowing import leave_all_for_later
from crmsync.sync.plan_groups import causes_of
from crmsync.sync.rulings import note
from exchange_setup.models import ExchangeSync

RUN_SYNC = "crmsync.sync.jobs.run_sync"


class NotReady(Exception):
    """The setup cannot sync yet; `missing` says what it lacks, `message` also what to do, `url_name` where."""

    def __init__(self, code: str, missing: str, hint: str = "", url_name: str = "exchange_setup:setup") -> None:
        self.code, self.missing, self.url_name = code, missing, url_name
        self.message = f"{missing} {hint}" if hint else missing
        super().__init__(self.message)


class AlreadyDecided(Exception):
    """Somebody was faster: the run is no longer in the state that the decision was about."""


def check_ready(setup: ExchangeSync, *, preview: bool = False) -> None:
    """Raise NotReady unless the setup has all that a run needs; a preview or a removal needs no sync that is on."""
    if not settings.M365_CONFIGURED:
        raise NotReady("no_tenant", _("Microsoft 365 is not set up for this CRM yet. Ask your administrator."))
    if not setup.user.authentication_email:
        raise NotReady(
            "no_mailbox", _("You have no authentication email yet. An administrator can fill it in on your user card.")
        )
    if settings.M365_ACCESS == "delegated" and not hasattr(setup, "sign_in"):
        raise NotReady("not_connected", _("Your mailbox is not connected yet."), _("Connect it on the setup page."))
    if not (setup.enabled or preview):
        if setup.enabled_at is not None:
            raise NotReady("paused", _("Contact sync is paused."), _("Resume it on the setup page."))
        raise NotReady("not_enabled", _("Contact sync is not switched on yet."), _("Enable it on the setup page."))


def request_run(
    setup: ExchangeSync,
    *,
    kind: Kind,
    trigger: Trigger,
    by: AbstractBaseUser | None = None,
    whole: bool = False,
    agreed: int = 0,
    enqueue: bool = True,
) -> tuple[SyncRun, bool]:
    """Open a run and have it started; (the run that is already open, False) where there is one. Raises NotReady.

    A run whose worker died is closed first: what it left unfinished is looked after by the new one.
    """
    check_ready(setup, preview=kind in (*LOOKS_ONLY, Kind.REMOVAL, Kind.UNDO))
    by_itself = trigger == Trigger.SCHEDULE
    if by_itself and kind in BOTH_WAYS and setup.waits_for_first_sync:
        raise NotReady("first_sync", _("The first sync waits for somebody to look at what it would do."))
    close_dead_run(setup)
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(
                setup=setup,
                kind=kind,
                whole=whole or kind == Kind.FULL,
                trigger=trigger,
                requested_by=by,
                contact_filter=setup.contact_filter,
                agreed=agreed,
            )
            if kind in BOTH_WAYS and not by_itself:
                setup.allow_first_sync()
            if enqueue:
                start(run)
            return run, True
    except IntegrityError:
        return SyncRun.objects.open().get(setup=setup), False


def start(run: SyncRun) -> None:
    """Ring the workers' bell, once the transaction is through. A bell that nobody hears is rung again by the sweep."""
    transaction.on_commit(lambda: async_task(RUN_SYNC, run.pk, q_options={"task_name": f"run {run.pk}"}))


def close_dead_run(setup: ExchangeSync) -> None:
    """End a run that nobody works on any more, as failed: "interrupted"."""
    for run in SyncRun.objects.open().filter(setup=setup):
        if is_dead(run):
            give_up(SyncRun.objects.filter(pk=run.pk, fence=run.fence, outcome=run.outcome))


def give_up(runs: RunQuerySet) -> None:
    """End these runs as failed; what they had still planned is left to the next ones."""
    with transaction.atomic():
        given_up = list(runs.select_for_update().values_list("pk", flat=True))
        if not given_up:
            return
        ended = SyncRun.objects.filter(pk__in=given_up)
        ended.update(outcome=Outcome.FAILED, error="lost", doing="", finished_at=timezone.now())
        planned = SyncChange.objects.filter(run__in=given_up, outcome__in=WAITING)
        planned.update(outcome=ChangeOutcome.STALE)
        for run in ended:
            SyncRun.objects.filter(pk=run.pk).update(counts=counts(run))


def approve(run: SyncRun, by: AbstractBaseUser | None, *, enqueue: bool = True) -> None:
    """Let a held run carry out exactly what it planned."""
    with transaction.atomic():
        move_on(run, Outcome.QUEUED)
        note(run, Verdict.APPROVE, by, causes_of(run))
        run.changes.filter(outcome=ChangeOutcome.PARKED).update(outcome=ChangeOutcome.PLANNED)
        if enqueue:
            start(run)


def reject(run: SyncRun, by: AbstractBaseUser | None) -> None:
    """End a held run without carrying out anything, or any more, but erasures: those are nobody's to reject."""
    with transaction.atomic():
        causes = causes_of(run)
        drop(run)
        note(run, Verdict.REJECT, by, causes)


def drop(run: SyncRun) -> None:
    """End a held run: what was carried out before is rounded off, an erasure is carried out, the rest is left."""
    rest = run.changes.filter(outcome__in=WAITING).exclude(cause=Cause.ERASED)
    if goes_on(run):
        move_on(run, Outcome.QUEUED)
        leave_all_for_later(run.setup, rest)
        start(run)
        return
    move_on(run, Outcome.REJECTED, finished_at=timezone.now())
    run.changes.filter(outcome__in=WAITING).update(outcome=ChangeOutcome.STALE)
    SyncRun.objects.filter(pk=run.pk).update(counts=counts(run))


def goes_on(run: SyncRun) -> bool:
    """Whether a held run has something to end though all of it is rejected; never in another mailbox than planned."""
    if any(row["brake"] == "mailbox_changed" for row in run.brakes):
        return False
    is_erasure = Q(outcome__in=WAITING, cause=Cause.ERASED)
    return run.changes.filter(Q(outcome=ChangeOutcome.DONE) | is_erasure).exists()


def move_on(run: SyncRun, outcome: Outcome, **values: object) -> None:
    """Take a held run, by a person's word, to this outcome. Raises AlreadyDecided."""
    now = timezone.now()
    held = SyncRun.objects.filter(pk=run.pk, outcome=Outcome.HELD)
    values["waited"] = F("waited") + ExpressionWrapper(now - F("heartbeat_at"), DurationField())
    if not held.update(outcome=outcome, decided_at=now, heartbeat_at=now, told_at=now, **values):
        raise AlreadyDecided
    run.refresh_from_db()


def is_ready_preview(run: SyncRun) -> bool:
    """Whether the run is a preview that has come to its end, with a plan to look at."""
    return run.kind == Kind.PREVIEW and run.outcome == Outcome.DONE


def cancel(run: SyncRun) -> None:
    """Stop a run: at once while it waits, else at the next safe place."""
    waiting = SyncRun.objects.filter(pk=run.pk, outcome=Outcome.QUEUED)
    with transaction.atomic():
        if waiting.update(outcome=Outcome.CANCELLED, finished_at=timezone.now()):
            run.changes.filter(outcome__in=WAITING).update(outcome=ChangeOutcome.STALE)
            SyncRun.objects.filter(pk=run.pk).update(counts=counts(run))
            take_word_back(run)
            return
    if not SyncRun.objects.filter(pk=run.pk, outcome=Outcome.RUNNING).update(cancel_requested=True):
        raise AlreadyDecided


def take_word_back(run: SyncRun) -> None:
    """Whoever stops the first sync is asked again before it begins once more."""
    if run.kind in BOTH_WAYS:
        ExchangeSync.objects.filter(pk=run.setup_id).take_back_first_sync()
