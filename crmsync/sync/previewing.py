"""What a person does with a preview: leaves contacts out of it, takes them back in, and has the rest carried out.

A word on a row stays with the preview until it is carried out; only then does "never" become one for every sync.
"""

from datetime import datetime
from hashlib import blake2b

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from crmsync.sync.brakes import check
from crmsync.sync.choices import (
    Action,
    Cause,
    ChangeOutcome,
    Decision,
    Kind,
    LinkState,
    Outcome,
    Preference,
    Reason,
    Side,
    Trigger,
)
from crmsync.sync.decisions import Outdated, RunAtWork
from crmsync.sync.leave import Leave
from crmsync.sync.models import ContactLink, ContactPreference, SyncChange, SyncRun
from crmsync.sync.plan_groups import with_followers
from crmsync.sync.runs import request_run
from crmsync.sync.work import chunks
from exchange_setup.models import ExchangeSync

IN_VAIN = (Outcome.FAILED, Outcome.CANCELLED, Outcome.REJECTED)
# Of these "never" would say nothing, or the contrary of what is planned: the contact leaves Outlook, or has left it.
LEAVES_OUTLOOK = Q(side=Side.OUTLOOK, action__in=(Action.DELETE, Action.UNLINK))


class CarriedOut(Exception):
    """The preview was carried out already, or is being so; `run` does it."""

    def __init__(self, run: SyncRun) -> None:
        super().__init__(f"run {run.pk}")
        self.run = run


class Unconfirmed(Exception):
    """The plan is above a limit, and nobody has said that this is meant."""


def to_do(preview: SyncRun) -> QuerySet[SyncChange]:
    """What the preview would have done, one row for each contact. Nobody leaves an erasure out."""
    return preview.changes.filter(outcome=ChangeOutcome.PLANNED, leads=True).exclude(cause=Cause.ERASED)


def carried_out_by(preview: SyncRun) -> SyncRun | None:
    """The run that carried the preview out, or does so now; one that failed can be repeated. One query."""
    return preview.carried_out_by.exclude(outcome__in=IN_VAIN).first()


def may_be_never(rows: QuerySet[SyncChange]) -> QuerySet[SyncChange]:
    """Those of the rows whose contacts can be left out of every sync."""
    return rows.exclude(LEAVES_OUTLOOK)


def leave(preview: SyncRun, rows: QuerySet[SyncChange], how: Leave | str) -> int:
    """Leave the contacts of these rows out of the preview, or take them back in (''); how many. Raises CarriedOut."""
    with transaction.atomic():
        SyncRun.objects.select_for_update().get(pk=preview.pk)
        if run := carried_out_by(preview):
            raise CarriedOut(run)
        rows = rows & to_do(preview)
        if how == Leave.NEVER:
            rows = may_be_never(rows)
        count = rows.count()
        preview.changes.filter(with_followers(rows), outcome=ChangeOutcome.PLANNED).update(leave=how)
    return count


def carry_out(
    preview: SyncRun, by: AbstractBaseUser | None, *, count: int, agreed: str = "", enqueue: bool = True
) -> SyncRun:
    """Open a run that does what is left of the preview, if that is still for `count` contacts.

    `agreed` is the `sight` of the brakes that the person has seen. Raises CarriedOut, Outdated, Unconfirmed, NotReady
    and, where another run is open, RunAtWork.
    """
    with transaction.atomic():
        setup = ExchangeSync.objects.select_for_update(of=["self"]).select_related("user").get(pk=preview.setup_id)
        SyncRun.objects.select_for_update().get(pk=preview.pk)  # nobody is left out of it meanwhile
        if run := carried_out_by(preview):
            raise CarriedOut(run)
        if to_do(preview).filter(leave="").count() != count:
            raise Outdated
        brakes = check(preview)
        if brakes and agreed != sight(brakes):
            raise Unconfirmed
        if not setup.is_locked("contact_filter"):
            setup.contact_filter = preview.contact_filter
            setup.save(update_fields=["contact_filter"])
        kind = Kind.FULL if preview.whole else Kind.SYNC
        run, is_new = request_run(setup, kind=kind, trigger=Trigger.MANUAL, by=by, enqueue=enqueue)
        if not is_new:
            raise RunAtWork
        run.plan_of, run.brakes, run.decided_at = preview, brakes, timezone.now()
        run.save(update_fields=["plan_of", "brakes", "decided_at"])
        leave_out_for_good(setup, preview, run.decided_at)
    return run


def sight(brakes: list[dict[str, object]]) -> str:
    """A word that changes with what the brakes count; '' without any."""
    return blake2b(repr([sorted(row.items()) for row in brakes]).encode(), digest_size=8).hexdigest() if brakes else ""


def leave_out_for_good(setup: ExchangeSync, preview: SyncRun, now: datetime) -> None:
    """Have "never" mean it: a contact of the CRM gets that preference, an item of Outlook stays out of the CRM."""
    for rows in chunks(to_do(preview).filter(leave=Leave.NEVER)):
        never = [
            ContactPreference(setup=setup, contact_id=row.contact_id, choice=Preference.NEVER)
            for row in rows
            if row.contact_id
        ]
        ContactPreference.objects.bulk_create(
            never, update_conflicts=True, unique_fields=["setup", "contact"], update_fields=["choice", "moved_from"]
        )
        items = ContactLink.objects.filter(setup=setup, state=LinkState.SEEN)
        items.filter(pk__in=[row.link_id for row in rows if not row.contact_id]).update(
            decision=Decision.KEEP_OUT, decided_at=None, dirty=False,
            problem=Reason.NOT_WANTED, problem_detail="", problem_since=now,
        )  # fmt: skip


def synced_since(preview: SyncRun) -> bool:
    """Whether a later run of the mailbox has changed something, whatever became of it then. One query."""
    later = preview.setup.runs.filter(pk__gt=preview.pk).exclude(kind=Kind.PREVIEW)
    return later.filter(Exists(SyncChange.objects.filter(run=OuterRef("pk"), outcome=ChangeOutcome.DONE))).exists()
