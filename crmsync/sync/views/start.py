"""The dialog behind "Sync with Microsoft 365" and "Full sync with Microsoft 365"."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from contacts.filter_form import ContactFilterForm
from crmsync.sync import reasons
from crmsync.sync.choices import Kind, Trigger
from crmsync.sync.lease import is_dead
from crmsync.sync.models import SyncRun
from crmsync.sync.run_titles import FILTER_NOT_SAVED, OPEN_ALREADY, TITLES
from crmsync.sync.runs import NotReady, check_ready, request_run
from crmsync.sync.verify import last_verification
from crmsync.sync.views.runs import run_progress_of
from exchange_setup.models import ExchangeSync

Text = str | Promise

PREFIX = "sync"  # not the setup page's: the dialog may be open over it
NO_SETUP = NotReady("no_setup", _("You have not set up contact sync yet. It takes a few minutes, once."))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def start(request: HttpRequest) -> HttpResponse:
    """Ask for the filter, then start a run; or show the run that is open, or what is missing before any can start."""
    params = request.POST or request.GET
    kind = Kind.FULL if params.get("kind") == "full" else Kind.SYNC
    setup = ExchangeSync.objects.filter(user=request.user).select_related("user").first()
    if setup is None:
        return answer(request, "sync/start_missing.html", kind, problem=NO_SETUP)
    at_once = request.POST.get("go") == "at_once"
    if (run := SyncRun.objects.open().filter(setup=setup).first()) and not is_dead(run):
        return show(request, run, already=already(setup) if request.method == "POST" and not at_once else "")
    try:
        check_ready(setup, preview="preview" in (params.get("only"), params.get("go")))
    except NotReady as problem:
        return answer(request, "sync/start_missing.html", kind, problem=problem)
    if at_once:
        return begin(request, setup, kind, setup.contact_filter)
    form = ContactFilterForm(request.POST or None, prefix=PREFIX, me=request.user, stored=setup.contact_filter)
    go = request.POST.get("go")  # without it, the widget's own buttons asked for another row of the filter
    if go and form.is_valid():
        return begin(request, setup, kind, form.cleaned_filter, preview_only=go == "preview")
    trouble = reasons.trouble(setup.trouble) if setup.trouble else None
    locked = setup.is_locked("contact_filter")
    shown = {"setup": setup, "filter_form": form, "trouble": trouble, "filter_is_locked": locked}
    shown["begins_by_itself"] = setup.is_first_sync and setup.next_sync_at is not None
    shown["only_preview"] = params.get("only") == "preview" or not setup.enabled
    if kind == Kind.FULL:
        shown["verification"] = last_verification(setup)
    return answer(request, "sync/start.html", kind, **shown)


def begin(
    request: HttpRequest,
    setup: ExchangeSync,
    kind: Kind,
    contact_filter: Mapping[str, str],
    *,
    preview_only: bool = False,
) -> HttpResponse:
    """Start a run with `contact_filter`, unless the organisation has set it. The setup keeps the filter of a sync.

    A first sync begins with its preview: the person applies it from there.
    """
    if not setup.is_locked("contact_filter"):
        setup.contact_filter = dict(contact_filter)
    whole = kind == Kind.FULL
    with transaction.atomic():
        run, is_new = request_run(
            setup,
            kind=Kind.PREVIEW if preview_only or setup.is_first_sync else kind,
            trigger=Trigger.MANUAL,
            by=request.user,
            whole=whole,
        )
        if is_new and not preview_only:
            setup.save(update_fields=["contact_filter"])
    return show(request, run, already="" if is_new else already(setup))


def already(setup: ExchangeSync) -> Text:
    """That another run is open instead of the one that was asked for, with what became of the filter."""
    return OPEN_ALREADY if setup.is_locked("contact_filter") else FILTER_NOT_SAVED


def show(request: HttpRequest, run: SyncRun, *, already: Text) -> HttpResponse:
    """The progress of `run`: in the dialog, or without JavaScript on its own page."""
    return run_progress_of(request, run, already=already) if request.htmx else redirect(run)


def answer(request: HttpRequest, template: str, kind: Kind, **context: Any) -> HttpResponse:
    """The dialog's content alone for htmx, else the page around it."""
    context |= {
        "kind": kind,
        "title": TITLES[kind],
        "frame": "sync/_dialog.html" if request.htmx else "sync/_page.html",
    }
    return render(request, template, context)
