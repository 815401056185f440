"""The activity log, one run, and the decisions about it."""

from collections.abc import Callable
from contextlib import suppress

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Case, Exists, OuterRef, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh, trigger_client_event

from crmsync.sync import reasons, run_titles, runs, tables, undo, words
from crmsync.sync.choices import BOTH_WAYS, Action, Kind, Outcome
from crmsync.sync.forms import VerdictForm
from crmsync.sync.leave import Verdict
from crmsync.sync.models import SyncRun
from crmsync.sync.paging import Page
from crmsync.sync.plan_groups import causes_of, erased_in, kept, question, waiting_for
from crmsync.sync.verdicts import said_of
from exchange_setup.models import ExchangeSync

RUN_CHANGED = "sync-changed"  # the event by which the top bar hears that the state of my mailbox is another one


@require_safe
@login_required
def run_list(request: HttpRequest) -> HttpResponse:
    """My runs, or for administrators everybody's: newest first, with their counts but without anybody's contacts."""
    picked = tables.PickedRuns.from_params(request.GET, request.user)
    page = Page.of(picked.runs, request.GET, newest_first=True)
    rows = [tables.run_row(run) for run in page.rows]
    has_setup = ExchangeSync.objects.filter(user=request.user, enabled_at__isnull=False).exists()
    context = {"picked": picked, "page": page, "rows": rows, "choices": tables.SHOWN_RUNS, "has_setup": has_setup}
    if page.before or page.after:
        context["total"] = picked.runs.count()
    return render(request, "sync/run_list.html", context)


@require_safe
@never_cache
@login_required
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One run. An administrator sees of another's run what it did and how many, but no contact of theirs."""
    seen = SyncRun.objects.visible_to(request.user).select_related("setup__user", "requested_by", "undoes")
    held = SyncRun.objects.filter(setup=OuterRef("setup"), outcome=Outcome.HELD)
    run = get_object_or_404(undo.with_undo(seen).annotate(another_is_held=Exists(held)), pk=pk)
    if run.kind == Kind.VERIFY:
        return redirect(run)
    mine = run.setup.user_id == request.user.pk
    if mine and runs.is_ready_preview(run):
        return redirect("sync:preview", pk=run.pk)
    picked = tables.Picked.from_params(request.GET if mine else {})
    changes = picked.among(run.changes.all())
    tabs = tables.counted_tabs(changes, run)
    undoable = mine and run.wrote and not run.is_open and run.kind != Kind.PREVIEW
    waits = undoable and run.another_is_held
    context = run_context(run) | {
        "mine": mine,
        "rulings": said_of(run) if run.decided_at or run.outcome == Outcome.HELD else [],
        "picked": picked,
        "tabs": tabs,
        "can_undo": undoable and not waits,
        "undo_waits": undoable and waits,
        "tab": next(tab for tab in tabs if tab.slug == picked.tab.slug),
        "has_rows": picked.narrows or tabs[0].count,
    }
    if mine:
        page = Page.of(undo.with_undone(changes.filter(picked.tab.where)).select_related("contact"), request.GET)
        context |= {"page": page, "rows": [tables.change_row(change) for change in page.rows]}
    return render(request, "sync/run_detail.html", context)


@require_safe
@login_required
def run_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of a run's page or dialog that changes while it runs; asked for each second until the run rests."""
    run = my_run(request, pk)
    on_page = request.GET.get("on") == "page"
    if on_page and not is_moving(run):
        return HttpResponseClientRefresh()
    if runs.is_ready_preview(run):
        return HttpResponseClientRedirect(reverse("sync:preview", args=[run.pk]))
    context = run_context(run) | {"on_page": on_page, "said": request.GET.get("said", "")}
    response = render(request, "sync/_progress_answer.html", context)
    return response if is_moving(run) else trigger_client_event(response, RUN_CHANGED)


@require_safe
@login_required
def run_cause(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    """The names behind one cause of a held run of mine, some at a time; that there are none once it is decided."""
    run = my_run(request, pk)
    page = Page.of(waiting_for(run, slug).select_related("contact"), request.GET)
    return render(request, "sync/_cause_names.html", {"run": run, "slug": slug, "page": page})


@require_POST
@login_required
def run_approve(request: HttpRequest, pk: int) -> HttpResponse:
    return decide(
        request, pk, lambda run: runs.approve(run, request.user), _("Approved. The changes are on their way.")
    )


@require_POST
@login_required
def run_reject(request: HttpRequest, pk: int) -> HttpResponse:
    run = my_run(request, pk)
    rejected = _("Rejected. Nothing more is changed.")
    if erased_in(run):
        rejected = _("Rejected. Nothing more is changed, but whoever was erased on request is removed from Outlook.")
    return decide(request, pk, lambda run: runs.reject(run, request.user), rejected)


@require_POST
@login_required
def run_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide about a held run of mine cause by cause."""
    form = VerdictForm(request.POST, run=my_run(request, pk))
    if form.is_valid() or form.run.outcome != Outcome.HELD:
        return decide(request, pk, lambda _run: form.save(request.user), _("Noted."))
    messages.warning(request, _("Say of each cause what is to become of it. Nothing was decided yet."))
    return redirect(form.run)


@require_POST
@login_required
def run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a run. From the dialog (htmx) the answer is the progress again."""
    if not request.htmx:
        return decide(request, pk, runs.cancel, _("It stops after the batch that is under way."))
    run = my_run(request, pk)
    with suppress(runs.AlreadyDecided):  # it ended by itself meanwhile, which the progress shows
        runs.cancel(run)
    return run_progress_of(request, my_run(request, pk))


def decide(request: HttpRequest, pk: int, verb: Callable[[SyncRun], None], done: str) -> HttpResponse:
    """Carry out a decision about my run, and show the run with what came of it."""
    run = my_run(request, pk)
    try:
        verb(run)
    except runs.AlreadyDecided:
        messages.info(request, _("This was decided already."))
    else:
        messages.success(request, done)
    return redirect(run)


def run_progress_of(request: HttpRequest, run: SyncRun, *, already: str | Promise = "") -> HttpResponse:
    """The dialog with the progress of `run`; `already` says that it was open before, and so what did not happen."""
    response = render(request, "sync/_run_dialog.html", run_context(run) | {"already": already})
    return trigger_client_event(response, RUN_CHANGED)


def my_run(request: HttpRequest, pk: int) -> SyncRun:
    return get_object_or_404(SyncRun.objects.mine(request.user).select_related("setup"), pk=pk)


def is_moving(run: SyncRun) -> bool:
    """Whether looking again in a second may show something else."""
    return run.outcome in {Outcome.QUEUED, Outcome.RUNNING}


def run_context(run: SyncRun) -> dict[str, object]:
    """What the page and the progress both show of a run."""
    is_told = run.outcome == Outcome.DONE or run.kind == Kind.UNDO
    left_out = tables.left_out_by_reason(run) if is_told and run.counts.get("skipped") else {}
    is_held = run.outcome == Outcome.HELD
    brakes, causes = (words.brakes(run), causes_of(run)) if is_held else ([], [])
    return {
        "run": run,
        "moving": is_moving(run),
        "title": run_titles.title(run),
        "is_sync": run_titles.is_sync(run),
        "is_preview": run.kind == Kind.PREVIEW,
        "is_undo_plan": run.kind == Kind.UNDO and run.outcome == Outcome.HELD and run.planned_with,
        "headline": words.headline(run, left_out),
        "announcement": words.announcement(run, left_out),
        "milestone": words.milestone(run),
        "stages": words.stages(run),
        "notes": words.notes(run),
        "brakes": brakes,
        "causes": causes,
        "folder_is_empty": any(brake.name == "folder_empty" for brake in brakes),
        "question": question(causes),
        "kept": kept(causes) if run.kind == Kind.UNDO else [],
        "ends_pairs": any(cause.action == Action.UNLINK for cause in causes),
        "erased": erased_in(run) if is_held else 0,
        "verdicts": Verdict.choices,
        "trouble": reasons.trouble(run.error) if run.outcome == Outcome.FAILED else None,
        "passed": passed_by(run) if run.outcome == Outcome.FAILED else None,
        "so_far": words.so_far(run),
        "is_quiet": words.is_quiet(run),
    }


def passed_by(run: SyncRun) -> SyncRun | None:
    """The sync, or run of the same kind, that reached Microsoft 365 after this one: carried out rather than held."""
    later = run.setup.runs.filter(pk__gt=run.pk, kind__in=(*BOTH_WAYS, run.kind))
    reached = later.filter(outcome__in=(Outcome.DONE, Outcome.HELD))
    return reached.order_by(Case(When(outcome=Outcome.DONE, then=0), default=1), "pk").first()
