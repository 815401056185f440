"""Contacts out as files."""

from itertools import chain

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from contacts.listing import Listing
from contacts.selection import Selection
from contacts.transfer.exporting import FORMATS

BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for something else


@require_safe
@login_required
def contact_export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The contacts that the list's address describes, or those picked in it, as a file; `format` is csv or json."""
    name = request.GET.get("format", "csv")
    picked = Selection(request.GET, request.user) if {"contact", "all"} & request.GET.keys() else None
    listing = picked.listing if picked else Listing(request.GET, request.user)
    if name not in FORMATS or not listing.filter_form.is_valid():
        return HttpResponseBadRequest()
    lines, content_type = FORMATS[name]
    start = [BYTE_ORDER_MARK] if name == "csv" else []
    body = chain(start, lines(picked.contacts if picked else listing.contacts))
    named = f'attachment; filename="contacts-{timezone.localdate()}.{name}"'
    return StreamingHttpResponse(body, content_type=content_type, headers={"Content-Disposition": named})
