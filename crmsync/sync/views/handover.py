"""Handing contacts over to another salesperson, by itself or with the closing of a leaver's setup."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy
from django.views.decorators.http import require_http_methods

from crmsync.sync import words
from crmsync.sync.handover_form import ClosingForm, HandoverForm
from crmsync.sync.leaving import StillRunning
from crmsync.sync.views.mailboxes import setup_of
from exchange_setup.access import administrators_only

HANDED_OVER = ngettext_lazy(
    "%(shown)s contact was handed over to %(taker)s.", "%(shown)s contacts were handed over to %(taker)s.", "count"
)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def reassign(request: HttpRequest) -> HttpResponse:
    """Choose from whom to whom, and which; look at what each Outlook gains and loses; then do it."""
    is_post = request.method == "POST"
    form = HandoverForm(request.POST if is_post else request.GET, by=request.user)
    if is_post and "seen" in request.POST and form.is_valid():
        if request.POST["seen"] == form.seen:
            say_handed_over(request, form.save(), form.cleaned_data["taker"])
            return redirect("contacts:contact-list")
        messages.warning(request, _("The numbers have changed meanwhile. Have another look, then confirm."))
    status = 422 if is_post and not form.is_valid() else 200
    return render(request, "sync/reassign.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@administrators_only
def mailbox_close(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a leaver's setup in one action: disconnect, remove or keep their copies, hand their contacts over."""
    setup = setup_of(pk)
    is_post = request.method == "POST"
    form = ClosingForm(request.POST if is_post else None, setup=setup, by=request.user)
    if is_post and "seen" in request.POST and form.is_valid():
        if request.POST["seen"] != form.seen:
            messages.warning(request, _("The numbers have changed meanwhile. Have another look, then confirm."))
            return render(request, "sync/mailbox_close.html", {"form": form, "setup": setup})
        try:
            run = form.close()
        except StillRunning:
            messages.warning(request, _("A sync was at work and is being stopped. Try again in a moment."))
            return redirect("sync:mailbox-close", pk)
        if form.chosen_taker:
            say_handed_over(request, form.handed_over, form.chosen_taker)
        removing = _("Closed. The removal is on its way; when all is out, the mailbox is disconnected.")
        messages.success(request, removing if run else _("Closed. Nothing syncs there any more."))
        return redirect("sync:mailbox-detail", pk)
    status = 422 if is_post and not form.is_valid() else 200
    return render(request, "sync/mailbox_close.html", {"form": form, "setup": setup}, status=status)


def say_handed_over(request: HttpRequest, count: int, taker: Any) -> None:
    phrase = HANDED_OVER % {"count": count, "shown": words.number(count), "taker": taker}
    messages.success(request, str(phrase))
