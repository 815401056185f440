"""One run, from claim to end: begin → recover → mirror → plan → check → apply → finish. See docs/sync.md."""

import logging

from django.db import transaction
from django.utils import timezone

from contacts.filters import FilterError
from crmsync.sync import erasing, leaving, undo
from crmsync.sync.apply import apply
from crmsync.sync.brakes import check, goes_beyond
from crmsync.sync.choices import NO_SYNC, WAITING, ChangeOutcome, Kind, LinkState, Outcome, Side, Step
from crmsync.sync.counting import counts
from crmsync.sync.lease import BUDGET_SECONDS, Cancelled, Lease, LeaseLost, OutOfTime, claim
from crmsync.sync.mirror import read
from crmsync.sync.models import SyncRun
from crmsync.sync.narrowing import keep_to_preview
from crmsync.sync.planning import make_plan
from crmsync.sync.recover import recover
from crmsync.sync.runs import start, take_word_back
from crmsync.sync.salespeople import note_planned
from crmsync.sync.unheard import note_unheard
from crmsync.sync.verify import verify
from crmsync.sync.work import PAGE, SetupChanged, Work
from exchange_setup.folders import ensure_folder, find_folder
from exchange_setup.graph.errors import BadAnswer, GraphError, RunError, Throttled, Unreachable, WrongConfiguration
from exchange_setup.mailbox import open_mailbox
from exchange_setup.models import ExchangeSync, Trouble

logger = logging.getLogger(__name__)

ERROR_CODES: list[tuple[type[RunError], str]] = [
    (Throttled, "throttled"),
    (Unreachable, "unreachable"),
    (BadAnswer, "bad_answer"),
    (WrongConfiguration, "wrong_configuration"),
]
FOLDER_COLUMNS = ["folder_id", "folder_is_main", "delta_link", "delta_next_link", "reading_whole", "last_sync_at"]


class Held(Exception):
    """The plan is above a limit: a person has to decide."""


def perform(run_id: int, *, budget: float = BUDGET_SECONDS) -> str:
    """Carry a run as far as it goes; its outcome. '' when another worker has it or it has ended already."""
    lease = claim(run_id, budget=budget)
    if lease is None:
        return ""
    run = SyncRun.objects.select_related("setup__user").get(pk=run_id)
    run.setup.contact_filter = run.contact_filter  # a preview may be about another one than the setup keeps
    try:
        return carry_through(run, lease)
    except LeaseLost:
        return ""
    except OutOfTime:
        return go_on_later(run, lease)
    except Held:
        return finish(run, lease, Outcome.HELD)
    except Cancelled:
        return finish(run, lease, Outcome.CANCELLED)
    except FilterError as error:
        return finish(run, lease, Outcome.FAILED, error="wrong_filter", detail=str(error))
    except SetupChanged:
        return finish(run, lease, Outcome.FAILED, error="setup_changed")
    except RunError as error:
        return finish(run, lease, Outcome.FAILED, error=code_of(error), detail=str(error))
    except GraphError as error:
        return finish(run, lease, Outcome.FAILED, error="bad_answer", detail=str(error))
    except Exception:
        logger.exception("run %s crashed", run_id)
        finish(run, lease, Outcome.FAILED, error="crashed")
        raise


def carry_through(run: SyncRun, lease: Lease) -> str:
    """Do all of it in the run's mailbox, and end it."""
    if run.kind != Kind.VERIFY:
        make_sure_of_mailbox(run)
    with open_mailbox(run.setup, wait=lease.wait) as graph:
        work = Work(run, run.setup, graph, lease)
        try:
            verify(work) if run.kind == Kind.VERIFY else go_through(work)
        finally:
            run.requests += graph.requests
    with transaction.atomic():
        outcome = finish(run, lease, Outcome.DONE)
        if outcome == Outcome.DONE and run.kind == Kind.REMOVAL:
            leaving.part(run)
    return outcome


def go_through(work: Work) -> None:
    """The phases. A run that a person approved, or that goes on in a fresh task, applies the plan that it has."""
    made = make_sure_of_folder(work)
    recover(work)
    if not work.run.planned_with:
        if not made:  # a folder made just now is empty
            read(work, whole=work.run.whole)
        note_unheard(work)
        plan_and_check(work)
    elif work.run.planned_with != work.setup.settings_fingerprint():
        raise SetupChanged
    elif work.run.decided_at:
        read(work, whole=False)  # what was edited while the run was held is left to the next one
        note_unheard(work)
    if work.is_preview:
        return
    if work.run.kind == Kind.REMOVAL:
        leaving.begin_anew(work)  # before the first goes: half a removal is a reason to look at everything, too
    written = apply(work)
    work.lease.rest(step=Step.FINISHING)
    if work.links.filter(state=LinkState.CREATING).exists():
        work.lease.wait(2)  # Outlook shows what it has just stored a moment later
        recover(work)
    if written > PAGE or made:
        read(work, whole=False)  # our own echo, so that the next run has nothing to read
    erasing.settle(work)
    wait_for_the_parked(work)
    if work.run.kind not in (Kind.REMOVAL, Kind.UNDO):  # an undo carries over no edit of the CRM's
        remember(work)


def plan_and_check(work: Work) -> None:
    """Make the plan. Raises Held where a person has to see it first: a plan is never on record without its check."""
    is_removal = work.run.kind == Kind.REMOVAL
    planner = leaving.make_plan if is_removal else undo.make_plan if work.is_undo else make_plan
    planner(work)
    work.lease.rest(step=Step.CHECKING)
    if work.run.plan_of_id:
        keep_to_preview(work)
    agreed = work.run.brakes
    work.run.brakes = leaving.check(work) if is_removal else check(work.run)
    work.run.planned_with = work.setup.settings_fingerprint()
    asks = goes_beyond(work.run.brakes, agreed) or (work.is_undo and undo.has_plan(work.run))
    if asks and not work.is_preview:
        raise Held
    work.lease.hold(planned_with=work.run.planned_with)


def wait_for_the_parked(work: Work) -> None:
    """What a person parked waits on, and the run with it. Raises Held."""
    if work.run.changes.filter(outcome=ChangeOutcome.PARKED).exists():
        work.note("parked")
        work.run.brakes = check(work.run)
        raise Held


def make_sure_of_mailbox(run: SyncRun) -> None:
    """Another mailbox than the links are of: a person must say yes before they are forgotten. Raises Held."""
    setup = run.setup
    mailbox = setup.user.authentication_email
    if setup.mailbox.lower() == mailbox.lower():
        return
    linked = setup.links.filter(state=LinkState.LINKED).count()
    was_asked = run.decided_at and any(row["brake"] == "mailbox_changed" for row in run.brakes)
    if linked and not was_asked:
        run.brakes = [{"brake": "mailbox_changed", "side": Side.OUTLOOK, "cause": "", "count": linked, "limit": 0}]
        raise Held
    setup.links.all().delete()
    setup.forget_folder()
    setup.mailbox, setup.mirrored_folder_id, run.planned_with = mailbox, "", ""
    setup.save(update_fields=["mailbox", "mirrored_folder_id", *FOLDER_COLUMNS])


def make_sure_of_folder(work: Work) -> bool:
    """Find or make the folder, and see that the links are of this one. Returns whether there is nothing in it to read.

    A preview makes no folder: where there is none yet, it plans as if there were an empty one.
    """
    setup, made = work.setup, False
    if work.is_preview:
        made = not setup.folder_id and find_folder(setup, work.graph) is None
    elif not setup.folder_id or work.run.whole:
        made = ensure_folder(setup, work.graph).created
    if made:
        work.note("folder_created")
    if setup.mirrored_folder_id != setup.folder_id:
        work.links.delete()
        work.save_setup(
            mirrored_folder_id=setup.folder_id,
            delta_link="",
            delta_next_link="",
            reading_whole=False,
            last_sync_at=None,
        )
    return made


def remember(work: Work) -> None:
    """A complete run: the watermark is the moment it began."""
    setup = work.setup
    fresh = work.links.filter(state=LinkState.LINKED, was_in_filter=False)
    if work.run.changes.exists():
        fresh.filter(contact__in=work.in_filter()).update(was_in_filter=True)
    work.save_setup(last_sync_at=work.run.started_at, trouble="", trouble_detail="")
    note_planned(setup, work.run.started_at)


def go_on_later(run: SyncRun, lease: Lease) -> str:
    """Hand the run back to the queue: it has had its share of this worker's time."""
    lease.hold(outcome=Outcome.QUEUED, doing="", requests=run.requests)
    start(run)
    return Outcome.QUEUED


def finish(run: SyncRun, lease: Lease, outcome: Outcome, *, error: str = "", detail: str = "") -> str:
    """End the run (or have it wait for a person), with its counts and what a person should know of the setup."""
    now = timezone.now()
    if error == Trouble.NEEDS_SIGN_IN and SyncRun.objects.filter(pk=run.pk, cancel_requested=True).exists():
        outcome, error, detail = Outcome.CANCELLED, "", ""  # the user disconnected, which takes the sign-in away
    if outcome in (Outcome.FAILED, Outcome.CANCELLED):
        run.changes.filter(outcome__in=WAITING).update(outcome=ChangeOutcome.STALE)
    try:
        lease.hold(
            outcome=outcome,
            doing="",
            error=error,
            error_detail=detail,
            brakes=run.brakes,
            planned_with=run.planned_with,
            requests=run.requests,
            counts=counts(run),
            finished_at=None if outcome == Outcome.HELD else now,
        )
    except LeaseLost:
        return ""
    setup = ExchangeSync.objects.filter(pk=run.setup_id).first()
    if setup is not None:
        if run.kind not in NO_SYNC:
            setup.schedule_next(now)
        trouble = (
            {"trouble": error, "trouble_detail": detail}
            if error in dict(ExchangeSync._meta.get_field("trouble").choices)
            else {}
        )
        ExchangeSync.objects.filter(pk=setup.pk).update(next_sync_at=setup.next_sync_at, **trouble)
    if outcome == Outcome.CANCELLED:
        take_word_back(run)
    logger.info("run %s of setup %s: %s %s", run.pk, run.setup_id, outcome, error)
    return outcome


def code_of(error: RunError) -> str:
    """The code of a run error, which is the lasting trouble where there is one."""
    return error.trouble or next((code for kind, code in ERROR_CODES if isinstance(error, kind)), "unreachable")
