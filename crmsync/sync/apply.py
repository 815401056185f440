"""Apply: the only code that writes to Outlook, and the only code that writes a contact and its link.

Batches of twenty: intent → Graph → one short transaction for contacts, links and what became of the changes. While
Graph works on a batch, what it answered to the one before is stored and the next is made ready, so that it never waits
for us. No transaction is ever open while Graph is waited for. A row whose sides no longer hold what the plan saw is
left for the next run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from django.db import transaction
from django.utils import timezone

from crmsync.sync.choices import Action, ChangeOutcome, Reason, Side, Step
from crmsync.sync.lease import Cancelled, OutOfTime
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.record import LINK_COLUMNS, forget_deleted, record_outlook, write_crm
from crmsync.sync.units import Unit, batches, prepare, why_stale
from crmsync.sync.work import PAGE, Work, still_there, store
from exchange_setup.graph.batch import LARGEST
from exchange_setup.graph.calls import Delete
from exchange_setup.graph.errors import ItemError, RunError
from exchange_setup.models import LeftFilterRule

Answer = dict[str, Any] | ItemError
LONGEST_SENDING = timedelta(minutes=2)  # pauses that Outlook asks for, and waiting for its answer
ROW_COLUMNS = ["outcome", "reason", "detail", "sent_at", "applied_at", "link", "contact", "outlook_id"]


@dataclass
class Batch:
    """Units that are applied together, and what Graph answers to their calls."""

    units: list[Unit]
    ask: Callable[[], Sequence[Answer]] = list
    answers: Sequence[Answer | None] = ()
    trouble: RunError | None = None

    @property
    def calling(self) -> list[Unit]:
        return [unit for unit in self.units if unit.call is not None]

    def wait(self) -> RunError | None:
        """Have the answers, None for calls whose outcome is not known; the trouble that ended the batch half-way."""
        try:
            self.answers = self.ask()
        except RunError as trouble:
            self.trouble = trouble
            self.answers = list(trouble.answers) or [None] * len(self.calling)
        return self.trouble


def apply(work: Work) -> int:
    """Carry out what is planned, first what needs the CRM only; the number of calls that wrote to Outlook."""
    total = work.run.changes.filter(outcome=ChangeOutcome.PLANNED).count()
    if not total:
        return 0
    done = written = 0
    under_way = Batch([])
    for units in chain(batches(work, with_outlook=False, size=PAGE), batches(work, with_outlook=True, size=LARGEST)):
        current = make_ready(work, units)
        end = under_way.wait() or asked_to_stop(work, done=done, total=total, doing=units[0].first_row.name)
        following = Batch([]) if end else begin(work, units, current)
        record(work, under_way)
        if end:
            raise end
        under_way = following
        done += sum(len(unit.rows) for unit in units)
        written += len(following.calling)
    end = under_way.wait()
    record(work, under_way)
    if end:
        raise end
    work.lease.hold(done=total, total=total, doing="")
    return written


def asked_to_stop(work: Work, **progress: Any) -> Cancelled | OutOfTime | None:
    """Give a sign of life; why the run may not go on, where it may not."""
    try:
        work.lease.rest(step=Step.APPLYING, **progress)
    except (Cancelled, OutOfTime) as stop:
        return stop
    return None


def make_ready(work: Work, units: list[Unit]) -> list[Unit]:
    """Set the calls of those that still are as the plan saw them, and give these; close the others."""
    current = []
    for unit in units:
        if reason := why_stale(unit):
            unit.close(ChangeOutcome.STALE, reason)
            if unit.link is not None:
                unit.link.dirty = True
        else:
            prepare(work, unit)
            current.append(unit)
    return current


def begin(work: Work, units: list[Unit], current: list[Unit]) -> Batch:
    """Store what is intended, and have Graph begin with the calls."""
    take_leave(work, current)
    save_intents(work, [unit for unit in current if unit.call is not None])
    batch = Batch(units)
    batch.ask = work.graph.begin_batch([unit.call for unit in batch.calling])
    return batch


def record(work: Work, batch: Batch) -> None:
    """Store what became of a batch, on both sides, in one transaction."""
    if not batch.units:
        return
    answered = [(unit, answer) for unit, answer in zip(batch.calling, batch.answers, strict=True) if answer is not None]
    unanswered = {id(unit) for unit in batch.calling} - {id(unit) for unit, _ in answered}
    if batch.trouble and not batch.trouble.maybe_done:
        for unit in batch.calling:
            unit.outlook.sent_at = None if id(unit) in unanswered else unit.outlook.sent_at
    for unit, answer in answered:
        if isinstance(answer, ItemError) and unit.outlook.action == Action.LINK:
            unit.close(ChangeOutcome.STALE, side=Side.CRM)  # nothing is taken over from an item that was not paired
    with transaction.atomic():
        work.lease.hold()
        write_crm(work, [unit for unit in batch.units if id(unit) not in unanswered])
        for unit, answer in answered:
            record_outlook(work, unit, answer)
        save(work, batch.units, keep_open=batch.trouble is not None)


def save_intents(work: Work, units: list[Unit]) -> None:
    """Store what is about to be sent: for items to be created the markers that find them again."""
    if not units:
        return
    creating = [unit for unit in units if unit.creates_item]
    changing = [unit.outlook for unit in units if unit.outlook and not unit.creates_item]
    for row in changing:
        row.sent_at = timezone.now()
    with transaction.atomic():
        work.lease.hold()
        there = still_there(unit.contact.pk for unit in creating)
        for unit in creating:
            if unit.contact.pk not in there:
                forget_deleted(unit)
        creating = [unit for unit in creating if unit.call is not None]
        SyncChange.objects.filter(pk__in=[row.pk for row in changing]).update(sent_at=timezone.now())
        links = [unit.link for unit in creating]
        work.make_way(links)
        for link in links:
            link.intended_at = timezone.now() + LONGEST_SENDING
        store([link for link in links if link.pk], LINK_COLUMNS)
        ContactLink.objects.bulk_create([link for link in links if not link.pk])
        for unit in creating:
            for row in unit.rows.values():
                row.link = unit.link


def take_leave(work: Work, units: list[Unit]) -> None:
    """Store what the CRM takes over from a copy that is about to go; once it has gone, that would be nowhere."""
    leaving = [unit for unit in units if unit.crm is not None and isinstance(unit.call, Delete)]
    if not leaving:
        return
    with transaction.atomic():
        work.lease.hold()
        write_crm(work, leaving)
        for unit in leaving:
            if unit.crm and unit.crm.outcome == ChangeOutcome.STALE:  # what could not be taken over must not go
                unit.call = None
                unit.close(ChangeOutcome.STALE, Reason.EDITED_MEANWHILE)
        store([unit.crm for unit in leaving if unit.crm], ROW_COLUMNS)


def save(work: Work, units: list[Unit], *, keep_open: bool) -> None:
    """Store what `record` set: the links, and the outcome of the rows."""
    ended = {unit.link.pk for unit in units if unit.ended and unit.link is not None}
    ContactLink.objects.filter(pk__in=ended).delete()
    work.make_way(unit.link for unit in units if unit.link is not None and unit.is_paired)
    # Whoever was taken out of Outlook, and is wanted there after all.
    work.look_again_at(unit.first_row.contact_id for unit in units if unit.ended and unit.leaves)
    note_no_longer_wanted(work, units)
    ContactLink.objects.bulk_create([unit.link for unit in units if unit.remembers])
    links = {unit.link.pk: unit.link for unit in units if unit.link is not None and unit.link.pk}
    store([link for pk, link in links.items() if pk not in ended], LINK_COLUMNS)
    rows = [row for unit in units for row in unit.rows.values()]
    for unit in units:
        if not keep_open:
            unit.close(ChangeOutcome.STALE, Reason.EDITED_MEANWHILE)
        for row in unit.rows.values():
            if row.link_id in ended:
                row.link = None
            elif not row.link_id and unit.link is not None and unit.link.pk not in {None, *ended}:
                row.link = unit.link
    store(rows, ROW_COLUMNS)
    if not keep_open:  # Whoever was not paired after all: by the next run that item may be somebody else's.
        work.look_again_at(unit.contact.pk for unit in units if unit.is_left_behind)


def note_no_longer_wanted(work: Work, units: list[Unit]) -> None:
    """Whom their own edit in Outlook, or a word of their user's, has taken out of the filter since the plan: the next
    run sees to the copy."""
    if work.setup.left_filter_rule != LeftFilterRule.REMOVE:
        return
    stays = (unit for unit in units if unit.contact is not None and unit.link is not None and not unit.ended)
    there = {unit.contact.pk: unit.link for unit in stays if unit.link.was_in_filter}
    if there:
        wanted = set(work.in_filter().filter(pk__in=there).values_list("pk", flat=True))
        for pk in there.keys() - wanted:
            there[pk].dirty = True
