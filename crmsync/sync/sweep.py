"""The sweep, once a minute: starts what is due, rings again for what died, tells of what is held, prunes the journal,
counts what ended. That it came at all is the workers' heartbeat.

A constant number of queries while nothing is due, however many setups there are.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from crmsync.sync import polling
from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.metrics import tally
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.push import start_wanted
from crmsync.sync.runs import AlreadyDecided, NotReady, give_up, reject, request_run, start
from crmsync.sync.telling import tell_of_held_runs
from crmsync.sync.verify import request_verify
from crmsync.sync.vitals import HEARTBEAT
from crmsync.sync.watch import Mark
from exchange_setup.models import ExchangeSync

MOST_AT_ONCE = 500
MOST_TAKEOVERS = 5
MOST_COMPARED = 5
UNDO_WAITS = timedelta(hours=1)


def sweep() -> str:
    """One sweep; what it did, in a line."""
    now = timezone.now()
    Mark.objects.set_at(HEARTBEAT, now)
    give_up_undos(now)
    started = f"started {start_due(now) + verify_due(now)} and {start_wanted()} early, rang again for {revive(now)}"
    return f"{started}, told {tell_of_held_runs(now)}, pruned {prune(now)}, counted {tally(now)}"


def start_due(now: datetime) -> int:
    """Open a run for every setup whose automatic sync is due, unless one is open or there is nothing to do."""
    due = ExchangeSync.objects.due(now).exclude(runs__in=SyncRun.objects.open()).select_related("user", "sign_in")
    started = 0
    for setup in polling.pass_over(due[:MOST_AT_ONCE], now):
        setup.schedule_next(now)
        ExchangeSync.objects.filter(pk=setup.pk).update(next_sync_at=setup.next_sync_at)
        try:
            started += request_run(setup, kind=Kind.SYNC, trigger=Trigger.SCHEDULE)[1]
        except NotReady:
            continue
    return started


def verify_due(now: datetime) -> int:
    """Open a comparison for setups that had none for a week, a few at a time; a sync that is due goes first."""
    if not settings.SYNC_VERIFY_DAYS:
        return 0
    edge = now - timedelta(days=settings.SYNC_VERIFY_DAYS)
    lately = SyncRun.objects.filter(setup=OuterRef("pk"), kind=Kind.VERIFY, created_at__gt=edge)
    quiet = ExchangeSync.objects.filter(enabled=True, auto_sync=True, trouble="", user__is_active=True)
    quiet = quiet.filter(enabled_at__lt=edge, last_sync_at__isnull=False, next_sync_at__gt=now)
    quiet = quiet.exclude(runs__in=SyncRun.objects.open()).filter(~Exists(lately)).select_related("user", "sign_in")
    started = 0
    for setup in quiet[:MOST_COMPARED]:
        try:
            started += request_verify(setup, trigger=Trigger.SCHEDULE)[1]
        except NotReady:
            continue
    return started


def revive(now: datetime) -> int:
    """Ring again for runs that nobody works on; give up on those that took their worker down time after time."""
    dead = SyncRun.objects.dead(now)
    give_up(dead.filter(fence__gte=MOST_TAKEOVERS, done=0))
    runs = list(dead[:MOST_AT_ONCE])
    for run in runs:
        start(run)
    return len(runs)


def give_up_undos(now: datetime) -> None:
    """Reject what an undo would do once it has waited for an hour for its owner's word: no sync starts before that."""
    waiting = SyncRun.objects.filter(kind=Kind.UNDO, outcome=Outcome.HELD, heartbeat_at__lt=now - UNDO_WAITS)
    for run in waiting[:MOST_AT_ONCE]:
        with suppress(AlreadyDecided):
            reject(run, None)


def prune(now: datetime) -> int:
    """Delete changes after 90 days, and the rows of automatic runs that changed nothing after 7 (both are settings).

    What still waits for a person stays, however long.
    """
    old = now - timedelta(days=settings.SYNC_KEEP_CHANGES_DAYS)
    quiet = now - timedelta(days=settings.SYNC_KEEP_QUIET_RUNS_DAYS)
    ended = SyncRun.objects.exclude(outcome__in=(Outcome.QUEUED, Outcome.RUNNING, Outcome.HELD))
    # A change is no older than its run: those of younger runs, which are nearly all, need not be read every minute.
    stale = SyncChange.objects.filter(created_at__lt=old, run__in=ended.filter(created_at__lt=old))
    removed = SyncChange.objects.filter(pk__in=list(stale.values_list("pk", flat=True)[:MOST_AT_ONCE])).delete()[0]
    empty = ended.filter(~Exists(SyncChange.objects.filter(run=OuterRef("pk"))))
    done = empty.filter(trigger=Trigger.SCHEDULE, outcome=Outcome.DONE, created_at__lt=quiet).exclude(kind=Kind.VERIFY)
    aged = empty.filter(created_at__lt=old)
    runs = list((done | aged).values_list("pk", flat=True)[:MOST_AT_ONCE])
    return removed + (SyncRun.objects.filter(pk__in=runs).delete()[0] if runs else 0)
