"""Undo: asking for one. What it would do is the page of the run that it opens, and is decided there."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crmsync.sync.choices import Outcome
from crmsync.sync.models import SyncRun
from crmsync.sync.paging import key
from crmsync.sync.runs import NotReady
from crmsync.sync.undo import can_be_undone, request_undo


@require_POST
@login_required
def run_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan the undo of my run, or of one change of it, and show that plan. Nothing is changed yet."""
    mine = SyncRun.objects.mine(request.user).select_related("setup__user")
    run = get_object_or_404(mine, pk=pk)
    change = None
    if "change" in request.POST:
        change = get_object_or_404(run.changes, pk=key(request.POST["change"]))
    if not can_be_undone(run):
        messages.info(request, _("This run changed nothing that could be undone."))
        return redirect(run)
    try:
        undo, is_new = request_undo(run, by=request.user, change=change)
    except NotReady as problem:
        messages.error(request, str(problem.message))
        return redirect(run)
    if not is_new and undo.outcome == Outcome.HELD:
        messages.warning(
            request, _("This one waits for your decision, so nothing was planned. Decide about it, then undo.")
        )
    elif not is_new:
        messages.warning(request, _("This one is open already, so nothing was planned. Let it end, then undo."))
    return redirect(undo)
