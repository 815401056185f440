"""Home: the first page after the sign-in."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from crmsync.sync.home import Home


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Where my sync stands, what needs me, and what has changed lately; for a new user, the way to the first sync."""
    return render(request, "home.html", {"home": Home.of(request.user)})


@require_safe
@login_required
def home_state(request: HttpRequest) -> HttpResponse:
    """The sentence on top, asked for again and again, and all below it where that is news; 204 for no news."""
    home = Home.of(request.user)
    if not home.standing.busy and request.GET.get("seen") == home.state:
        return HttpResponse(status=204)
    return render(request, "sync/_home_answer.html", {"home": home})
