"""A form that was sent after the session had ended survives the sign-in: it comes back filled in, and waits for Save.

What was typed is kept in the session, for half an hour and for nobody but whom the form was made for: each of these
forms carries its owner, signed. Nothing is ever done with it by itself, and no password is kept.
The same goes for a form whose page is older than the last sign-in, which its token gives away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.csrf import csrf_failure as django_csrf_failure

OWNER = "form_owner"
SESSION_KEY = "kept_form"
SALT = "crmsync.users.kept_forms"
LONGEST_OPEN = 14 * 86_400  # seconds that a page may have been open
KEPT = 30 * 60  # seconds
MOST_CHARACTERS = 200_000
LEFT_OUT = ("csrfmiddlewaretoken", OWNER)

# What a form is sent to → the page that shows it.
PAGES = {
    "contacts:contact-create": "contacts:contact-create",
    "contacts:contact-update": "contacts:contact-update",
    "exchange_setup:folder": "exchange_setup:folder",
    "exchange_setup:filter": "exchange_setup:setup",
    "exchange_setup:rules": "exchange_setup:setup",
    "exchange_setup:schedule": "exchange_setup:setup",
    "exchange_setup:defaults": "exchange_setup:defaults",
    "users:user-create": "users:user-create",
    "users:user-update": "users:user-update",
}


@dataclass(frozen=True)
class KeptForm:
    """What was typed, and the name of the view that it was sent to."""

    view: str
    data: QueryDict


class KeptFormMiddleware:
    """Keeps such forms, and gives the page that shows them `request.kept_form`, which is None on every other."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        request.kept_form = None
        return self.get_response(request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        name = request.resolver_match.view_name
        if request.method == "GET" and name in PAGES.values() and request.user.is_authenticated:
            request.kept_form = taken_back(request)
        if request.method != "POST" or name not in PAGES or request.htmx or request.user.is_authenticated:
            return None
        if keep(request):
            messages.warning(request, _("You were signed out. Sign in, and what you typed is back."))
        return redirect_to_login(page_of(request))


def csrf_failure(request: Any, reason: str = "") -> HttpResponse:
    """A form of this user's whose page was too old comes back filled in; everything else is refused."""
    match = request.resolver_match
    if request.method == "POST" and match and match.view_name in PAGES and not request.htmx:
        owner = owner_of(request)
        if owner and request.user.pk in (owner, None) and keep(request):
            return redirect(page_of(request)) if request.user.pk else redirect_to_login(page_of(request))
    return django_csrf_failure(request, reason)


def signed(user: Any) -> str:
    """The mark of whose form it is."""
    return signing.dumps(user.pk, salt=SALT)


def owner_of(request: HttpRequest) -> int | None:
    """Whose form it is that was sent; None where nobody knows."""
    try:
        return signing.loads(request.POST.get(OWNER, ""), salt=SALT, max_age=LONGEST_OPEN)
    except signing.BadSignature:
        return None


def page_of(request: Any) -> str:
    match = request.resolver_match
    return reverse(PAGES[match.view_name], kwargs=match.kwargs)


def keep(request: Any) -> bool:
    """Put what was typed aside; whether that was possible."""
    owner, data = owner_of(request), request.POST.copy()
    for name in [name for name in data if name in LEFT_OUT or "password" in name.lower()]:
        del data[name]
    typed = data.urlencode()
    if owner is None or len(typed) > MOST_CHARACTERS:
        return False
    view = request.resolver_match.view_name
    kept = {"owner": owner, "view": view, "page": page_of(request), "data": typed, "until": time() + KEPT}
    request.session[SESSION_KEY] = kept
    return True


def taken_back(request: Any) -> KeptForm | None:
    """What was kept for this page and this user, once. What somebody else typed is thrown away."""
    kept = request.session.get(SESSION_KEY)
    if kept is None:
        return None
    is_theirs = kept["owner"] == request.user.pk and time() < kept["until"]
    if is_theirs and kept["page"] != request.path:
        return None
    del request.session[SESSION_KEY]
    return KeptForm(kept["view"], QueryDict(kept["data"])) if is_theirs else None
