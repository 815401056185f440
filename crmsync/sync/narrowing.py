"""Between plan and check: of a plan, what a person wanted is carried out; the rest is left for the next sync.

A preview may be a day old when it is carried out. So the run that does it plans afresh, as any run does, and keeps of
its plan what is just as the preview showed it and was not left out there. A row that is not carried out leaves its link
marked, since the watermark and the bookmark move on without it.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, groupby, islice

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from crmsync.sync.choices import Cause, ChangeOutcome, LinkState, Reason, Step
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.units import whose
from crmsync.sync.work import PAGE, Work, chunks
from exchange_setup.models import ExchangeSync

Rows = list[SyncChange]
LEFT = (Reason.NOT_THIS_TIME, Reason.NOT_IN_PREVIEW)


def keep_to_preview(work: Work) -> None:
    """Leave for the next sync what of the plan the preview did not show, showed otherwise, or had left out."""
    kept = 0
    for batch in units_of(work.run.changes.filter(outcome=ChangeOutcome.PLANNED).exclude(cause=Cause.ERASED)):
        shown = shown_by(work.run.plan_of_id, batch)
        left: dict[str, Rows] = defaultdict(list)
        for rows in batch:
            before = shown.get(whose(rows[0]), [])
            if any(row.leave for row in before):
                left[Reason.NOT_THIS_TIME] += rows
            elif told(before) != told(rows):
                left[Reason.NOT_IN_PREVIEW] += rows
            else:
                kept += 1
        with transaction.atomic():
            work.lease.hold()
            for reason, rows in left.items():
                leave_for_later(work.setup, rows, reason)
        work.lease.rest(step=Step.CHECKING)
    shown = SyncChange.objects.filter(run_id=work.run.plan_of_id, outcome=ChangeOutcome.PLANNED)
    if kept < shown.filter(leads=True, leave="").exclude(cause=Cause.ERASED).count():
        work.note("preview_outdated")


def units_of(rows: QuerySet[SyncChange], size: int = PAGE) -> Iterator[list[Rows]]:
    """The rows contact by contact, at most `size` contacts at a time."""
    units = (list(group) for _, group in groupby(chain.from_iterable(chunks(rows)), key=whose))
    while batch := list(islice(units, size)):
        yield batch


def shown_by(preview: int, batch: list[Rows]) -> dict[object, Rows]:
    """What the preview had planned for the contacts and items of `batch`. One query."""
    contacts = [rows[0].contact_id for rows in batch if rows[0].contact_id]
    links = [rows[0].link_id for rows in batch if not rows[0].contact_id]
    about = Q(contact__in=contacts) | Q(contact=None, link__in=links)
    shown: dict[object, Rows] = defaultdict(list)
    for row in SyncChange.objects.filter(about, run_id=preview, outcome=ChangeOutcome.PLANNED).order_by("pk"):
        shown[whose(row)].append(row)
    return shown


def told(rows: Rows) -> dict[str, object]:
    """What a reader is told of the rows of one contact: on each side what is done, field by field."""
    return {row.side: (row.action, row.fields, row.forget) for row in rows}


def leave_for_later(setup: ExchangeSync, rows: Rows, reason: str) -> None:
    """End these rows undone, and have the next run look at whom they are about, whatever the dates say."""
    ended = SyncChange.objects.filter(pk__in=[row.pk for row in rows])
    ended.update(outcome=ChangeOutcome.STALE, reason=reason, applied_at=timezone.now())
    links = {row.link_id for row in rows if row.link_id}
    alone = {row.contact_id for row in rows if row.contact_id and not row.link_id}
    of_setup = ContactLink.objects.filter(setup=setup)
    of_setup.filter(Q(pk__in=links) | Q(contact__in=alone)).update(dirty=True)
    unlinked = [ContactLink(setup=setup, contact_id=pk, state=LinkState.LEFT_OUT, dirty=True) for pk in sorted(alone)]
    ContactLink.objects.bulk_create(unlinked, ignore_conflicts=True)


def leave_all_for_later(setup: ExchangeSync, rows: QuerySet[SyncChange]) -> None:
    """`leave_for_later` for all of `rows`, because a person said so. Inside a transaction."""
    for chunk in chunks(rows):
        leave_for_later(setup, chunk, Reason.NOT_THIS_TIME)


def begun_before() -> Q:
    """The rows of a plan that was begun before and is made anew."""
    return Q(outcome=ChangeOutcome.PLANNED) | Q(outcome=ChangeOutcome.STALE, reason__in=LEFT)
