"""Step 1: to Microsoft's sign-in page and back, and trying the connection."""

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from exchange_setup import connecting, validation
from exchange_setup.connecting import OtherAccount
from exchange_setup.graph.errors import GraphError
from exchange_setup.graph.login import SignInRefused
from exchange_setup.mailbox import uses_application_access
from exchange_setup.models import ExchangeSync, MailboxSignIn
from exchange_setup.views.page import CONNECT, Page, setup_of, show
from exchange_setup.words import REFUSALS, describe

log = logging.getLogger(__name__)

NAMES = list(validation.STEPS)
FIRST = NAMES[0]
SALT = "exchange_setup.validation"
LASTS = 300  # seconds


@login_required
@require_POST
def connect(request: HttpRequest) -> HttpResponse:
    """Send the browser to Microsoft's sign-in page."""
    setup = setup_of(request)
    if uses_application_access() or not setup.user.authentication_email:
        return redirect("exchange_setup:setup")
    try:
        return redirect(connecting.start_sign_in(request.session, setup, redirect_uri(request)))
    except GraphError as error:
        log.warning("setup %s cannot begin a sign-in: %s", setup.pk, error)
        messages.error(request, describe(error))
        return redirect("exchange_setup:setup")


@login_required
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Where Microsoft sends the browser back to."""
    setup = setup_of(request)
    try:
        connecting.complete_sign_in(request.session, setup, request.GET.dict())
    except OtherAccount as error:
        words = _(
            "You signed in as %(account)s, but your mailbox here is %(expected)s. Nothing was connected. Connect again "
            "and choose %(expected)s, or ask an administrator to correct your user card."
        )
        messages.error(request, words % {"account": error.account, "expected": error.expected})
    except SignInRefused as error:
        log.warning("setup %s, sign-in refused: %s", setup.pk, error)
        messages.error(request, REFUSALS[error.refusal])
    except GraphError as error:
        log.warning("setup %s, sign-in failed: %s", setup.pk, error)
        messages.error(request, describe(error))
    else:
        words = _("Connected to %(mailbox)s.")
        messages.success(request, words % {"mailbox": setup.user.authentication_email})
    return redirect("exchange_setup:setup")


@login_required
@require_POST
def validate(request: HttpRequest) -> HttpResponse:
    """Try the connection and show how each step went: one after the other in place, or all on the whole page."""
    setup = setup_of(request)
    if not setup.user.authentication_email:
        return redirect("exchange_setup:setup")
    if not request.htmx:
        return show(request, setup, outcomes=validation.validate(setup), open_step=CONNECT)
    name = read_ticket(setup, request.POST.get("ticket", ""))
    if not name:
        return render(request, "exchange_setup/_validating.html", {"steps": waiting(setup, FIRST)})
    outcome = validation.try_step(setup, name)
    rest = NAMES[NAMES.index(name) + 1 :]
    context: dict[str, Any] = {"outcome": outcome, "is_last": not (outcome.ok and rest)}
    if not outcome.ok:
        context["outcomes"] = [validation.not_tried(other) for other in rest]
    elif rest:
        context["step"] = waiting(setup, rest[0])[0]
    else:
        context["said"] = _("Everything that a sync needs works.")
    page = Page(setup, MailboxSignIn.objects.filter(setup=setup).first())
    return render(request, "exchange_setup/_validated.html", page.context() | context)


@login_required
@require_POST
def move(request: HttpRequest) -> HttpResponse:
    """Belong to the mailbox that the user card names now, and start afresh there."""
    setup = setup_of(request)
    mailbox = setup.user.authentication_email
    if mailbox and not setup.belongs_to(mailbox):
        MailboxSignIn.objects.filter(setup=setup).delete()
        setup.move_to(mailbox)
        words = _("From now on %(mailbox)s is synced. Contacts in the former mailbox stay as they are.")
        messages.success(request, words % {"mailbox": mailbox})
    return redirect("exchange_setup:setup")


@dataclass(frozen=True)
class Waiting:
    """A step that has not been tried yet; the one that is under way has the ticket with which the page asks for it."""

    name: str
    title: str | Promise
    ticket: str = ""


def waiting(setup: ExchangeSync, now: str) -> list[Waiting]:
    """The steps from `now` on, which is the one under way."""
    rest = NAMES[NAMES.index(now) :]
    return [Waiting(name, validation.STEPS[name], ticket(setup, name) if name == now else "") for name in rest]


def ticket(setup: ExchangeSync, name: str) -> str:
    """Proof that the steps before this one went well a moment ago: only then may it be tried by itself."""
    return signing.dumps([setup.pk, name], salt=SALT)


def read_ticket(setup: ExchangeSync, text: str) -> str:
    """The step that a ticket is for; '' for one that is none, too old or somebody else's."""
    try:
        pk, name = signing.loads(text, salt=SALT, max_age=LASTS)
    except signing.BadSignature:
        return ""
    return str(name) if pk == setup.pk else ""


def redirect_uri(request: HttpRequest) -> str:
    """The address that the app registration has to list."""
    path = reverse("exchange_setup:callback")
    return f"{settings.BASE_URL}{path}" if settings.BASE_URL else request.build_absolute_uri(path)
