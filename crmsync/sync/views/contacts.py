"""The fact box on the contact card, and the top bar's chip."""

from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from contacts.models import Contact
from crmsync.sync import explain
from crmsync.sync.forms import PreferenceForm
from crmsync.sync.standing import standing
from exchange_setup.models import ExchangeSync

SAY_IT_THEMSELVES = ("home", *(f"exchange_setup:{step}" for step in ("setup", "folder", "filter", "rules", "schedule")))


@require_safe
@login_required
def chip(request: HttpRequest) -> HttpResponse:
    """Where my mailbox stands, for the top bar; and the banner while a run is held, where the page does not say it."""
    found = standing(request.user)
    here = urlsplit(request.htmx.current_url or "").path
    says_it_itself = here in (found.url, *map(reverse, SAY_IT_THEMSELVES))
    return render(request, "sync/_chip.html", {"standing": found, "held": found.held and not says_it_itself})


@require_safe
@login_required
def contact_panel(request: HttpRequest, number: str) -> HttpResponse:
    """The fact box "Outlook" of one contact."""
    contact = get_object_or_404(Contact, number=number)
    return render(request, "sync/_contact_panel.html", {"panel": explain.panel(contact, request.user)})


@require_POST
@login_required
def contact_preference(request: HttpRequest, number: str) -> HttpResponse:
    """Set my word on one contact: by filter, always or never. The next sync heeds it."""
    contact = get_object_or_404(Contact, number=number)
    setup = get_object_or_404(ExchangeSync, user=request.user)
    form = PreferenceForm(request.POST)
    if not explain.may_choose(contact):
        if not request.htmx:
            messages.info(request, _("Nothing was changed: only people outside the trash are synced."))
    elif form.is_valid():
        form.save(setup, contact)
    if request.POST.get("back") == "why":
        return redirect("sync:contact-why", contact.number)
    return contact_panel_of(request, contact) if request.htmx else redirect(contact)


def contact_panel_of(request: HttpRequest, contact: Contact) -> HttpResponse:
    return render(request, "sync/_contact_panel.html", {"panel": explain.panel(contact, request.user)})
