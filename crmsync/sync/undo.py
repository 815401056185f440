"""Undo: takes back what a run did, or one change of it, on both sides and from the journal, as a run of its own.

Its plan stands in place of an ordinary one and waits for a person; then it is checked and applied like any other. What
one change needs is `takeback`'s decision; here is only where to look, and what to write down.
"""

from collections.abc import Iterator
from itertools import chain, groupby, islice

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from contacts.models import Contact
from crmsync.sync.choices import Action, Cause, ChangeOutcome, Kind, Outcome, Reason, Side, Step, Trigger
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.runs import request_run, start
from crmsync.sync.sheet import Sheet
from crmsync.sync.takeback import FOR_GOOD, Back, Facts, Known, take_back
from crmsync.sync.twins import look_for_twins
from crmsync.sync.units import whose
from crmsync.sync.work import PAGE, Work, chunks

DONE = Q(outcome=ChangeOutcome.DONE) & ~Q(action=Action.SKIP)
REMOVED = (Side.OUTLOOK, Action.DELETE)
WROTE = DONE & ~Q(action=Action.UNLINK) & ~Q(cause__in=FOR_GOOD)


def with_undo(runs: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
    """`runs`, each with `wrote`, whether it changed anything on record, and `undone_in`, the undo that ended well."""
    wrote = Exists(SyncChange.objects.filter(WROTE, run=OuterRef("pk")))
    return with_undone_in(runs).annotate(wrote=wrote)


def with_undone_in(runs: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
    """`runs`, each with `undone_in`, the undo of the whole of it that ended well."""
    undos = SyncRun.objects.filter(undoes=OuterRef("pk"), undoes_only=None, outcome=Outcome.DONE)
    return runs.annotate(undone_in=Subquery(undos.values("pk")[:1]))


def with_undone(changes: QuerySet[SyncChange]) -> QuerySet[SyncChange]:
    """`changes`, each with `undone`, whether it has been taken back, and `can_be_undone`."""
    undone = Exists(SyncChange.objects.filter(undoes=OuterRef("pk"), outcome=ChangeOutcome.DONE))
    return changes.annotate(undone=undone, can_be_undone=WROTE)


def can_be_undone(run: SyncRun) -> bool:
    """Whether the run has ended and wrote anything that the journal still knows of. One query."""
    return run.kind != Kind.PREVIEW and not run.is_open and run.changes.filter(WROTE).exists()


def request_undo(
    run: SyncRun,
    *,
    by: AbstractBaseUser | None,
    change: SyncChange | None = None,
    trigger: Trigger = Trigger.MANUAL,
    enqueue: bool = True,
) -> tuple[SyncRun, bool]:
    """Open the run that takes back `run`, or only `change` of it; (the run that is open already, False) where there is
    one. Raises NotReady."""
    with transaction.atomic():
        undo, is_new = request_run(run.setup, kind=Kind.UNDO, trigger=trigger, by=by, enqueue=False)
        if is_new:
            undo.undoes, undo.undoes_only = run, change.pk if change else None
            undo.save(update_fields=["undoes", "undoes_only"])
            if enqueue:
                start(undo)
    return undo, is_new


def has_plan(run: SyncRun) -> bool:
    """Whether the undo would write anything."""
    return run.changes.filter(outcome=ChangeOutcome.PLANNED).exists()


def make_plan(work: Work) -> None:
    """Write the undo's plan, in place of one that was begun before."""
    work.run.changes.all().delete()
    sheet, looked_at = Sheet(work), 0
    for groups in pages(work.run):
        known = look_up(work, [change for group in groups for change in group])
        for group in groups:
            plan_group(sheet, group, known)
        sheet.flush()
        looked_at += sum(len(group) for group in groups)
        work.lease.rest(step=Step.PLANNING, done=looked_at)


def pages(run: SyncRun) -> Iterator[list[list[SyncChange]]]:
    """What the undone run did, the rows of one contact together, a page of contacts at a time."""
    rows = SyncChange.objects.filter(DONE, run=run.undoes_id)
    if run.undoes_only is not None:
        rows = rows.filter(pk=run.undoes_only)
    groups = (list(group) for _, group in groupby(chain.from_iterable(chunks(rows)), key=whose))
    while page := list(islice(groups, PAGE)):
        yield page


def look_up(work: Work, changes: list[SyncChange]) -> Known:
    """Both sides of the changes' contacts, as they are now, in a constant number of queries."""
    ids = {change.contact_id for change in changes if change.contact_id}
    items = {change.outlook_id for change in changes if change.outlook_id}
    links = list(work.links.filter(Q(outlook_id__in=items) | Q(contact__in=ids)))
    contacts = Contact.objects.in_bulk(ids)
    made_again = [change.contact_id for change in changes if (change.side, change.action) == REMOVED]
    twins = look_for_twins(work, [contacts[pk] for pk in made_again if pk in contacts])
    paired = SyncChange.objects.filter(contact__in=ids, action=Action.LINK, outcome=ChangeOutcome.DONE)
    undone = SyncChange.objects.filter(undoes__in=changes, outcome=ChangeOutcome.DONE)
    return Known(
        contacts=contacts,
        items={link.outlook_id: link for link in links if link.outlook_id},
        own={link.contact_id: link for link in links if link.contact_id},
        never=set(work.never().filter(contact__in=ids).values_list("contact_id", flat=True)),
        twins={pk: twins.why_not(contacts[pk]) for pk in made_again if pk in contacts},
        elsewhere=set(paired.exclude(run__setup=work.setup).values_list("contact_id", flat=True)),
        survivors=set(Contact.objects.filter(merged_into__in=ids).values_list("merged_into_id", flat=True)),
        undone=set(undone.values_list("undoes_id", flat=True)),
        user=work.setup.user_id,
        sync_notes=work.setup.sync_notes,
    )


def plan_group(sheet: Sheet, group: list[SyncChange], known: Known) -> None:
    """Write down what takes back the rows of one contact, and what of it is left alone, with the reason."""
    has_crm = any(change.side == Side.CRM for change in group)
    found = [(change, step) for change in group for step in take_back(Facts.of(change, known, has_crm=has_crm))]
    backs: dict[str, tuple[SyncChange, Back]] = {}
    for change, step in found:
        if isinstance(step, Back) and change.side not in backs:
            backs[change.side] = change, step
        else:
            reason, detail = (Reason.CHANGED_SINCE, "") if isinstance(step, Back) else (step.reason, step.detail)
            sheet.add(Side(change.side), Action.SKIP, "", {}, contact=known.contacts.get(change.contact_id))
            row = sheet.rows[-1]
            row.outcome, row.reason, row.detail, row.undoes = ChangeOutcome.SKIPPED, reason, detail, change
            row.name = row.name or change.name
    for change, back in backs.values():
        contact = known.contacts.get(change.contact_id)
        with_outlook = Side.OUTLOOK in backs
        sheet.add(
            Side(change.side), back.action, Cause.UNDONE, back.fields,
            contact=contact, link=back.link, with_outlook=with_outlook,
        )  # fmt: skip
        sheet.rows[-1].undoes = change
