"""The pages that belong to no side: what is shown when something breaks."""

from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseServerError
from django.template.loader import render_to_string


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBadRequest:
    return HttpResponseBadRequest(render_to_string("400.html", {"rail": True}))


def server_error(request: HttpRequest) -> HttpResponseServerError:
    """The 500 page, inside the shell. It asks neither the database nor the session, which may be what broke."""
    return HttpResponseServerError(render_to_string("500.html", {"rail": True}))
