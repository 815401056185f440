"""Disconnecting my mailbox, with or without the contacts that the CRM put there."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crmsync.sync.leaving import StillRunning
from crmsync.sync.leaving_form import LeavingForm
from exchange_setup.models import ExchangeSync


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def disconnect(request: HttpRequest) -> HttpResponse:
    """Ask what becomes of the contacts in Outlook, with their numbers; then do it."""
    setup = get_object_or_404(ExchangeSync.objects.select_related("user"), user=request.user)
    form = LeavingForm(request.POST if request.method == "POST" else None, setup=setup)
    if request.method != "POST" or not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "sync/disconnect.html", {"form": form, "setup": setup}, status=status)
    try:
        run = form.save(request.user)
    except StillRunning:
        messages.warning(request, _("A sync was at work and is being stopped. Try again in a moment."))
        return redirect("sync:disconnect")
    if run is not None:
        messages.success(request, _("The removal is on its way. When all is out, the mailbox is disconnected."))
        return redirect(run)
    messages.success(request, _("Disconnected. Outlook and the CRM stay as they are; nothing syncs any more."))
    return redirect("exchange_setup:setup")
