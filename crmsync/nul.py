"""Keeps the NUL character out of addresses: no text that people keep has it, and PostgreSQL refuses a query with it."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

NUL = "\0"


class NulMiddleware:
    """A path with NUL in it leads nowhere, parameters lose theirs. What is posted is the forms' to check."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        if NUL in request.path_info:
            raise Http404
        if any(NUL in value for _name, values in request.GET.lists() for value in values):
            request.GET = without_nul(request.GET)
        return self.get_response(request)


def without_nul(params: Any) -> Any:
    params = params.copy()
    for name, values in list(params.lists()):
        params.setlist(name, [value.replace(NUL, "") for value in values])
    return params
