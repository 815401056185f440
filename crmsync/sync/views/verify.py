"""Comparing both sides: starting it, its page, and the few words about the last one that other pages show."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from crmsync.sync import verifications
from crmsync.sync.choices import Kind, Trigger
from crmsync.sync.models import SyncRun
from crmsync.sync.run_titles import NO_COMPARISON, OPEN_ALREADY
from crmsync.sync.runs import NotReady
from crmsync.sync.verify import last_verification, request_verify, with_later
from crmsync.sync.views.runs import run_context, run_progress_of
from exchange_setup.models import ExchangeSync


@require_POST
@login_required
def verify_start(request: HttpRequest) -> HttpResponse:
    """Compare both sides of my sync, unless a run is open."""
    setup = get_object_or_404(ExchangeSync.objects.select_related("user"), user=request.user)
    try:
        run, is_new = request_verify(setup, trigger=Trigger.MANUAL, by=request.user)
    except NotReady as problem:
        if request.htmx:
            answer = HttpResponse(status=204)
            return trigger_client_event(answer, "toast", {"text": str(problem.message), "tone": "warn"})
        messages.warning(request, problem.message)
        return redirect(problem.url_name)
    already = "" if is_new else OPEN_ALREADY if run.kind == Kind.VERIFY else NO_COMPARISON
    if request.htmx:
        return run_progress_of(request, run, already=already)
    if already:
        messages.info(request, already)
    return redirect(run)


@require_safe
@login_required
def verification_box(request: HttpRequest) -> HttpResponse:
    """What the last comparison of my sync said, with the button for a new one; nothing before the first sync."""
    setup = ExchangeSync.objects.filter(user=request.user).first()
    if setup is None or setup.last_sync_at is None:
        return HttpResponse(status=204)
    return render(request, "sync/_verification_box.html", {"verification": last_verification(setup)})


@require_safe
@login_required
def verification(request: HttpRequest, pk: int) -> HttpResponse:
    """One comparison: how much is the same, and each difference with its cause. Administrators see the numbers."""
    seen = SyncRun.objects.visible_to(request.user).select_related("setup__user", "requested_by")
    run = get_object_or_404(with_later(seen), pk=pk, kind=Kind.VERIFY)
    mine = run.setup.user_id == request.user.pk
    shown = verifications.Shown(run, request.GET if mine else {})
    return render(request, "sync/verification.html", run_context(run) | {"mine": mine, "shown": shown})
