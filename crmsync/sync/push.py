"""Soon after a save: what somebody writes in the CRM goes to Outlook within seconds, not at the next interval.

A save only rings: one short job, however many contacts were saved in the transaction, and none while one waits already.
The job finds the mailboxes that the contacts concern, by the same test as the plan, and notes on a row that they are
wanted; a mailbox is synced once for all that came up meanwhile. Rows are the truth here too: the sweep starts what a
lost bell left, and the interval stays as it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from contacts.filters import FilterError
from contacts.models import Contact
from crmsync.sync import scope
from crmsync.sync.choices import Kind, LinkState, Trigger
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.runs import NotReady, request_run
from crmsync.sync.watch import Mark, Watch
from exchange_setup.models import ExchangeSync

PUSH = "crmsync.sync.jobs.push"
START = "crmsync.sync.jobs.start_wanted"
RUNG = "push"
LOST = timedelta(minutes=1)  # a bell that nobody answered for so long is rung again
LOOK_BACK = timedelta(minutes=2)
MOST_AT_ONCE = 200


# --- Ringing ---------------------------------------------------------------------------------------------------------


@dataclass
class Bell:
    """Rings once a transaction is through. `since` is the earliest date of what it has written."""

    since: datetime
    has_rung: bool = False

    def __call__(self) -> None:
        self.has_rung = True
        ring(self.since)


def note(contacts: Iterable[Contact], **signal: Any) -> None:
    """Receives `contacts_written`: have the bell rung after the transaction, once for all that it writes."""
    if not settings.SYNC_PUSH:
        return
    first = min((contact.modified_at for contact in contacts), default=None)
    if first is None:
        return
    for _savepoints, waiting, *_rest in transaction.get_connection().run_on_commit:
        if isinstance(waiting, Bell) and not waiting.has_rung:
            waiting.since = min(waiting.since, first)
            return
    transaction.on_commit(Bell(first), robust=True)  # whoever saves must not suffer from a queue that is down


def ring(since: datetime) -> None:
    """Have somebody look; a look that is still to come sees this too, unless the transaction took long."""
    now = timezone.now()
    took_long = since < now - LOOK_BACK / 2
    is_first = Mark.objects.first_time(RUNG, now)
    was_lost = not is_first and bool(Mark.objects.filter(name=RUNG, at__lt=now - LOST).update(at=now))
    if is_first or was_lost or took_long:
        async_task(PUSH, since.isoformat(), save=False)


# --- Looking ---------------------------------------------------------------------------------------------------------


def look(since: datetime) -> int:
    """Sync the mailboxes that contacts written since then concern; how many were started."""
    Mark.objects.filter(name=RUNG).delete()  # what is saved from here on rings anew
    since = min(since, timezone.now() - LOOK_BACK)
    want(concerned(since))
    return start_wanted()


def concerned(since: datetime) -> list[int]:
    """The keys of the setups that sync by themselves and for which something is to do.

    One query for those that have a contact linked; for each of the others one, that asks whether its filter takes a new
    one. A write that a mailbox's own sync made is agreed in its link already, so it is nothing to do.
    """
    by_themselves = ExchangeSync.objects.by_themselves().select_related("user").order_by("pk")
    mine = ContactLink.objects.filter(setup=OuterRef("pk"), contact__modified_at__gte=since)
    behind = mine.exclude(state=LinkState.SEEN).exclude(contact__version=F("contact_version"))
    setups = by_themselves.annotate(is_behind=Exists(behind))
    return [setup.pk for setup in setups if setup.is_behind or takes_new(setup, since)]


def takes_new(setup: ExchangeSync, since: datetime) -> bool:
    """Whether the setup wants somebody who was written since then and of whom the setup has no link."""
    known = setup.links.filter(contact=OuterRef("pk"))
    written = Contact.objects.reachable().filter(modified_at__gte=since)
    try:
        return scope.wanted(setup, written).exclude(Exists(known)).exists()
    except FilterError:
        return False


# --- Starting --------------------------------------------------------------------------------------------------------


def want(setups: Iterable[int]) -> None:
    """Note that these setups, by their keys, should sync soon."""
    keys = list(setups)
    if keys:
        Watch.objects.bulk_create([Watch(setup_id=key) for key in keys], ignore_conflicts=True)
        Watch.objects.filter(setup__in=keys).update(wanted_at=timezone.now())


def knock(setups: Iterable[int]) -> None:
    """Have these setups synced soon by a worker. Of many knocks before it has come to them, only the first rings."""
    keys = list(setups)
    Watch.objects.bulk_create([Watch(setup_id=key) for key in keys], ignore_conflicts=True)
    if Watch.objects.filter(setup__in=keys, wanted_at=None).update(wanted_at=timezone.now()):
        async_task(START, save=False)


def start_wanted(setups: QuerySet[ExchangeSync] | None = None) -> int:
    """Open a run for every wanted setup that has none open (of `setups`, where given); how many.

    The wish is taken off before the run is opened: whoever takes it off starts the run, and one that comes while the
    run is at work stays for the next.
    """
    wanted = Watch.objects.filter(wanted_at__isnull=False, setup__in=ExchangeSync.objects.by_themselves())
    if setups is not None:
        wanted = wanted.filter(setup__in=setups)
    free = wanted.exclude(setup__runs__in=SyncRun.objects.open()).select_related("setup__user", "setup__sign_in")
    return sum(start(row) for row in free.defer("setup__sign_in__token_cache").order_by("wanted_at")[:MOST_AT_ONCE])


def start(row: Watch) -> bool:
    """Open the run, unless another worker took the wish."""
    if not row.take_wish():
        return False
    try:
        _run, is_new = request_run(row.setup, kind=Kind.SYNC, trigger=Trigger.SCHEDULE)
    except NotReady:
        return False
    if not is_new:
        want([row.setup_id])  # it has begun already, and may not see what this was about
    return is_new


def go_on_after(run_id: int) -> int:
    """What was wanted while this run was at work, now that it has ended."""
    return start_wanted(ExchangeSync.objects.filter(runs=run_id))
