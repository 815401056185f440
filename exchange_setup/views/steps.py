"""Steps 2 to 5, and switching the sync on and off. Each stores one thing and goes back to the page."""

import logging

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from exchange_setup.forms import FolderForm, RulesForm, ScheduleForm
from exchange_setup.graph.client import Folder
from exchange_setup.graph.errors import GraphError
from exchange_setup.mailbox import open_mailbox
from exchange_setup.models import ExchangeSync, MailboxSignIn
from exchange_setup.validation import TIMEOUT, Impatience
from exchange_setup.views.page import (
    CONNECT,
    FILTER,
    FOLDER,
    RULES_STEP,
    SCHEDULE,
    Page,
    filter_form,
    setup_of,
    show,
)
from exchange_setup.words import describe

log = logging.getLogger(__name__)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def folder(request: HttpRequest) -> HttpResponse:
    """GET: the choice with the mailbox's own folders in it. POST: store what was chosen, unless it is locked."""
    setup = setup_of(request)
    if setup.is_locked("folder_name"):
        return next_step(setup, FOLDER) if request.method == "POST" else redirect("exchange_setup:setup")
    if request.method == "POST" and request.POST.get("choice", "new") == "new":
        return store_folder(request, FolderForm(request.POST, setup=setup))
    try:
        folders = folders_of(setup)
    except GraphError as error:
        if request.kept_form:
            return store_nothing(request, FolderForm(request.kept_form.data, setup=setup))
        log.warning("setup %s, folders cannot be listed: %s", setup.pk, error)
        if request.htmx:
            return render(request, "exchange_setup/_folder_trouble.html", {"advice": describe(error)})
        messages.error(request, describe(error))
        return redirect("exchange_setup:setup")
    if request.method == "POST":
        return store_folder(request, FolderForm(request.POST, setup=setup, folders=folders))
    if request.kept_form:
        return store_nothing(request, FolderForm(request.kept_form.data, setup=setup, folders=folders))
    form = FolderForm(setup=setup, folders=folders)
    if request.htmx:
        return render(request, "exchange_setup/_folder_form.html", {"folder_form": form, "setup": setup})
    return show(request, setup, forms={FOLDER: form}, open_step=FOLDER)


def folders_of(setup: ExchangeSync) -> list[Folder]:
    """The folders of the mailbox, asked of Microsoft. Raises RunError."""
    with open_mailbox(setup, wait=Impatience(), timeout=TIMEOUT) as graph:
        return graph.folders()


def store_nothing(request: HttpRequest, form: FolderForm) -> HttpResponse:
    """Only show what was typed before a sign-in."""
    return show(request, form.setup, forms={FOLDER: form}, open_step=FOLDER)


def store_folder(request: HttpRequest, form: FolderForm) -> HttpResponse:
    setup = form.setup
    had_contacts = setup.last_sync_at is not None
    if not form.is_valid():
        return show(request, setup, forms={FOLDER: form}, open_step=FOLDER, status=422)
    if form.save() and had_contacts:
        words = _(
            "“%(folder)s” is synced from now on, once you have applied what the first sync of it would do. The former "
            "folder and the contacts in it stay in Outlook, but are synced no longer."
        )
    else:
        words = _("Saved: “%(folder)s”.")
    messages.success(request, words % {"folder": setup.folder_name})
    if setup.folder_is_main and form.cleaned_data["choice"]:
        messages.warning(request, _("New contacts from this folder wait for your review before they enter the CRM."))
    return next_step(setup, FOLDER)


@login_required
@require_POST
def folder_again(request: HttpRequest) -> HttpResponse:
    """Have the folder that is gone made anew, and filled from the CRM, at the next sync."""
    setup = setup_of(request)
    if setup.trouble == "folder_gone":
        setup.make_folder_again()
        words = _("The next sync makes “%(folder)s” again and fills it from the CRM.")
        messages.success(request, words % {"folder": setup.folder_name})
    return redirect("exchange_setup:setup")


@login_required
@require_POST
def contact_filter(request: HttpRequest) -> HttpResponse:
    setup = setup_of(request)
    if setup.is_locked("contact_filter"):
        return next_step(setup, FILTER)
    form = filter_form(setup, request.POST)
    if not form.is_valid():
        return show(request, setup, forms={FILTER: form}, open_step=FILTER, status=422)
    setup.contact_filter = form.cleaned_filter
    setup.save(update_fields=["contact_filter"])
    messages.success(request, saved(setup))
    return next_step(setup, FILTER)


@login_required
@require_POST
def rules(request: HttpRequest) -> HttpResponse:
    setup = setup_of(request)
    form = RulesForm(request.POST, instance=setup)
    if not form.is_valid():
        setup.refresh_from_db()
        return show(request, setup, forms={RULES_STEP: form}, open_step=RULES_STEP, status=422)
    form.save()
    messages.success(request, saved(setup))
    return next_step(setup, RULES_STEP)


@login_required
@require_POST
def schedule(request: HttpRequest) -> HttpResponse:
    setup = setup_of(request)
    form = ScheduleForm(request.POST, instance=setup)
    if not form.is_valid():
        setup.refresh_from_db()
        return show(request, setup, forms={SCHEDULE: form}, open_step=SCHEDULE, status=422)
    form.save()
    messages.success(request, _("Saved."))
    return next_step(setup, SCHEDULE)


@login_required
@require_POST
def enable(request: HttpRequest) -> HttpResponse:
    """Enable, or resume after a pause."""
    setup = setup_of(request)
    page = Page(setup, MailboxSignIn.objects.filter(setup=setup).first())
    if not setup.user.authentication_email or not page.is_connected:
        messages.error(request, _("Connect the mailbox first; then it can sync."))
    else:
        setup.move_to(setup.user.authentication_email)
        setup.enable()
        waits = setup.waits_for_first_sync
        enabled = _("Enabled. Now see what the first sync would do, and apply it.") if waits else _("Enabled.")
        messages.success(request, enabled)
    return redirect("exchange_setup:setup")


@login_required
@require_POST
def pause(request: HttpRequest) -> HttpResponse:
    setup_of(request).pause()
    messages.success(request, _("Paused. Nothing syncs until you resume."))
    return redirect("exchange_setup:setup")


def saved(setup: ExchangeSync) -> str:
    if setup.is_first_sync:
        return _("Saved.")
    return _("Saved. The next sync compares everything anew and says so.")


def next_step(setup: ExchangeSync, done: int) -> HttpResponse:
    """Back to the page, at the step that comes next."""
    if done == max(setup.steps_done, CONNECT) + 1:
        setup.note_step(done)
    return redirect(f"{reverse('exchange_setup:setup')}#step-{done}")
