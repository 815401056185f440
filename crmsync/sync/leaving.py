"""Leaving: a mailbox is disconnected, and its contacts stay in Outlook or go with it.

Those that stay keep their links, which lie dormant: connected again, both sides go on from what they last agreed on.
Those that go are taken out by an ordinary run, with a plan, a journal and a brake; then the run disconnects. Only what
the CRM put there goes, and only while nobody else has written it since: `own_key` says so.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, F, Q

from crmsync.sync import erasing, runs
from crmsync.sync.choices import Action, Cause, ChangeOutcome, Kind, LinkState, Outcome, Reason, Side, Step, Trigger
from crmsync.sync.fields import complete
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.runs import AlreadyDecided, NotReady, check_ready, close_dead_run, request_run
from crmsync.sync.sheet import Sheet
from crmsync.sync.work import Work, chunks
from exchange_setup import connecting
from exchange_setup.models import ExchangeSync

logger = logging.getLogger(__name__)

AS_WE_LEFT_IT = Q(change_key=F("own_key"), outlook__isnull=True, kept_out={}) & ~Q(own_key="")


class StillRunning(Exception):
    """A sync is at work. It was asked to stop; nothing can be removed before it has."""


@dataclass(frozen=True)
class Estate:
    """What of the sync is in a person's Outlook, by what becomes of it: as far as the last reading knows."""

    removable: int
    changed_since: int
    made_in_outlook: int

    @classmethod
    def of(cls, setup: ExchangeSync) -> "Estate":
        """One query."""
        there = setup.links.filter(state=LinkState.LINKED, gone=False, contact__isnull=False)
        counted = there.aggregate(
            removable=Count("pk", filter=AS_WE_LEFT_IT),
            changed_since=Count("pk", filter=~Q(own_key="") & ~AS_WE_LEFT_IT),
            made_in_outlook=Count("pk", filter=Q(own_key="")),
        )
        return cls(**counted)

    @property
    def total(self) -> int:
        return self.removable + self.changed_since + self.made_in_outlook


def can_remove(setup: ExchangeSync) -> bool:
    """Whether a run could reach the mailbox, as far as can be told without asking it."""
    try:
        check_ready(setup, preview=True)
    except NotReady:
        return False
    return not setup.trouble and setup.belongs_to(setup.user.authentication_email)


def leave(setup: ExchangeSync, *, by: AbstractBaseUser, agreed: int = 0) -> SyncRun | None:
    """Disconnect, now or once a run has removed what the CRM put into Outlook: at most the `agreed` number.

    Returns that run. Raises NotReady where the mailbox cannot be reached for it.
    """
    resting = stop_open_run(setup, by)
    if not agreed:
        connecting.disconnect(setup)
        return None
    if not resting:
        raise StillRunning
    with transaction.atomic():
        run, is_new = request_run(setup, kind=Kind.REMOVAL, trigger=Trigger.MANUAL, by=by, agreed=agreed)
        if not is_new:
            raise StillRunning
        setup.pause()
    return run


def stop_open_run(setup: ExchangeSync, by: AbstractBaseUser) -> bool:
    """Stop what is under way or waits; False where that takes a moment yet."""
    close_dead_run(setup)
    run = SyncRun.objects.open().filter(setup=setup).first()
    if run is None:
        return True
    with suppress(AlreadyDecided):
        if run.outcome == Outcome.HELD:
            runs.reject(run, by)
        if run.is_open:  # one that was carried out in part is only rounded off
            runs.cancel(run)
    return not SyncRun.objects.open().filter(setup=setup).exists()


def make_plan(work: Work) -> None:
    """One deletion for each item that may go, and a note for each that stays."""
    work.run.changes.filter(outcome=ChangeOutcome.PLANNED).delete()
    work.run.changes.filter(outcome=ChangeOutcome.SKIPPED).delete()
    erasing.plan(work)
    there = work.links.filter(state=LinkState.LINKED, gone=False).exclude(contact=None).select_related("contact")
    going = set(there.filter(AS_WE_LEFT_IT, missing=False).values_list("pk", flat=True))
    sheet, looked_at = Sheet(work), 0
    for chunk in chunks(there):
        for link in chunk:
            plan_link(sheet, link, goes=link.pk in going)
        sheet.flush()
        looked_at += len(chunk)
        work.lease.rest(step=Step.PLANNING, done=looked_at)


def plan_link(sheet: Sheet, link: ContactLink, *, goes: bool) -> None:
    if goes:
        held = {name: [value, ""] for name, value in complete(link.base_outlook).items() if value}
        sheet.add(
            Side.OUTLOOK, Action.DELETE, Cause.LEAVING, held,
            contact=link.contact, link=link, with_outlook=True, forget=True,
        )  # fmt: skip
        return
    sheet.add(Side.OUTLOOK, Action.SKIP, Cause.LEAVING, {}, contact=link.contact, link=link)
    sheet.rows[-1].outcome = ChangeOutcome.SKIPPED
    sheet.rows[-1].reason = Reason.EDITED_SINCE if link.own_key else Reason.MADE_IN_OUTLOOK


def check(work: Work) -> list[dict[str, object]]:
    """The brake: no more goes than somebody has agreed to."""
    planned = work.run.changes.filter(outcome=ChangeOutcome.PLANNED, cause=Cause.LEAVING).count()
    if planned <= work.run.agreed:
        return []
    limit = work.run.agreed
    return [{"brake": "deletions", "side": Side.OUTLOOK, "cause": Cause.LEAVING, "count": planned, "limit": limit}]


def begin_anew(work: Work) -> None:
    """Connected again, it begins as at the first sync: what was removed is created afresh, once somebody lets it."""
    work.save_setup(last_sync_at=None, planned_with="", first_sync_allowed=False)


def part(run: SyncRun) -> None:
    """Disconnect, now that all is out; where something is left, so is the way to it."""
    left = run.changes.filter(outcome__in=(ChangeOutcome.FAILED, ChangeOutcome.STALE)).exists()
    if not left:
        connecting.disconnect(run.setup)
    SyncRun.objects.filter(pk=run.pk).update(notes=[*run.notes, "still_connected" if left else "disconnected"])
