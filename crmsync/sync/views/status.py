"""Whether the product works: for a load balancer, for monitoring, and on a page for administrators."""

import secrets

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crmsync.sync.metrics import exposition
from crmsync.sync.status import Status
from crmsync.sync.vitals import Vitals
from exchange_setup.access import administrators_only

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the parts that every sync needs work, else 503; which of them do. Nothing in it is about anybody."""
    vitals = Vitals.take()
    return JsonResponse(vitals.as_json(), status=200 if vitals.well else 503)


@require_safe
@never_cache
def healthz_web(request: HttpRequest) -> JsonResponse:
    """200 while this web server answers and its database does: what a load balancer wants to know of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"web": "ok", "database": "ok"})


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' numbers, for whoever has the token or is an administrator."""
    if not (has_token(request) or getattr(request.user, "is_administrator", False)):
        raise PermissionDenied
    return HttpResponse(exposition(), content_type=PROMETHEUS)


def has_token(request: HttpRequest) -> bool:
    """Whether the request brings CRMSYNC_METRICS_TOKEN; nobody has it where none is set."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    expected = settings.METRICS_TOKEN.encode()
    is_right = secrets.compare_digest(token.strip().encode(), expected)
    return bool(expected) and scheme.lower() == "bearer" and is_right


@require_safe
@administrators_only
def status(request: HttpRequest) -> HttpResponse:
    return render(request, "sync/status.html", {"status": Status.now()})
