"""Mailboxes: how every user's sync is doing, for administrators. None of these pages shows anybody's contacts."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from crmsync.sync import advice, words
from crmsync.sync.choices import Kind, Trigger
from crmsync.sync.health import mailboxes
from crmsync.sync.mailboxes import Listing, Mailbox, Picked
from crmsync.sync.reset import StillOpen, reset_links
from crmsync.sync.runs import NotReady, request_run
from exchange_setup.access import administrators_only
from exchange_setup.mailbox import uses_application_access
from exchange_setup.models import ExchangeSync
from exchange_setup.validation import validate


@require_safe
@administrators_only
def mailbox_list(request: HttpRequest) -> HttpResponse:
    """Everybody who has a setup or could have one; narrowed by health and by words, both in the URL."""
    context = {"listing": Listing.of(request.GET), "by_organisation": uses_application_access()}
    return render(request, "sync/mailbox_list.html", context)


@require_safe
@administrators_only
def mailbox_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One user's mailbox: why it is as it is, what was done last, and what can be done now."""
    return show(request, mailbox_of(pk))


@require_POST
@administrators_only
def mailbox_sync(request: HttpRequest, pk: int, kind: Kind) -> HttpResponse:
    """Start a run, unless one is open."""
    setup = setup_of(pk)
    try:
        _run, is_new = request_run(setup, kind=kind, trigger=Trigger.MANUAL, by=request.user)
    except NotReady as problem:
        messages.error(request, advice.refusal(problem, setup.user))
    else:
        started = _("The sync is on its way.") if is_new else _("A sync was open already, so no other was started.")
        messages.success(request, started)
    return redirect("sync:mailbox-detail", pk)


@require_POST
@administrators_only
def mailbox_pause(request: HttpRequest, pk: int) -> HttpResponse:
    setup_of(pk).pause()
    messages.success(request, _("Paused. Nothing syncs until somebody resumes it."))
    return redirect("sync:mailbox-detail", pk)


@require_POST
@administrators_only
def mailbox_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Enable, or enable again after a pause; where only the user can go on, say so.

    To enable what its user never did is the word for the first sync as well; to end a pause is not.
    """
    row = Mailbox.of(mailbox_of(pk)).row
    setup = setup_of(pk)
    if row.can_resume:
        setup.move_to(setup.user.authentication_email)
        if setup.enabled_at is None:
            setup.allow_first_sync()
        setup.enable()
        messages.success(request, _("Enabled."))
    else:
        messages.error(request, advice.refusal(NotReady("not_connected", ""), setup.user))
    return redirect("sync:mailbox-detail", pk)


@require_POST
@administrators_only
def mailbox_reset(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget which items belong together; the next sync pairs them again."""
    try:
        reset_links(setup_of(pk))
    except StillOpen:
        messages.error(request, _("A sync is open. Let it end, or stop it, and reset the links then."))
    else:
        messages.success(request, _("The links are reset. The next sync pairs the contacts again."))
    return redirect("sync:mailbox-detail", pk)


@require_POST
@administrators_only
def mailbox_validate(request: HttpRequest, pk: int) -> HttpResponse:
    """Try the connection and show how each step went: in place, or on the whole page."""
    outcomes = validate(setup_of(pk))
    if request.htmx:
        return render(request, "exchange_setup/_outcomes.html", {"outcomes": outcomes, "in_page": True})
    return show(request, mailbox_of(pk), outcomes=outcomes)


@require_POST
@administrators_only
def mailbox_set_up(request: HttpRequest) -> HttpResponse:
    """Make setups with the organisation's defaults: for the chosen users, or for all in the list who have none."""
    without = Picked.from_params(request.POST).users(timezone.now()).filter(exchange_sync=None)
    chosen = without if request.POST.get("everybody") else without.filter(pk__in=keys(request.POST.getlist("user")))
    users = list(chosen)
    ExchangeSync.objects.set_up(users, enabled=bool(request.POST.get("enable")) and uses_application_access())
    if users:
        made = ngettext("%(shown)s setup was made.", "%(shown)s setups were made.", len(users))
        messages.success(request, made % {"shown": words.number(len(users))})
    else:
        messages.warning(request, _("Nobody was chosen, so nothing was made."))
    return redirect("sync:mailbox-list")


def keys(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 18]


def mailbox_of(pk: int) -> Any:
    return get_object_or_404(mailboxes(timezone.now()).select_related("exchange_sync"), pk=pk)


def setup_of(pk: int) -> ExchangeSync:
    return get_object_or_404(ExchangeSync.objects.select_related("user"), user=pk)


def show(request: HttpRequest, user: Any, **shown: Any) -> HttpResponse:
    return render(request, "sync/mailbox_detail.html", {"mailbox": Mailbox.of(user), **shown})
