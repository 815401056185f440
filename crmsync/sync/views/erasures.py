"""Erasing a person on request, and the receipts of it. For administrators."""

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contacts.models import Contact
from crmsync.sync import erasing
from crmsync.sync.erasing import Reach, StillRunning
from crmsync.sync.erasures import CopyOutcome, ErasedCopy, Erasure
from exchange_setup.access import administrators_only

SHOWN = 200


@require_safe
@administrators_only
def erasure_list(request: HttpRequest) -> HttpResponse:
    """The latest receipts, those with something still to remove first."""
    waits = Count("copies", filter=Q(copies__outcome=CopyOutcome.PENDING))
    found = Erasure.objects.annotate(waits=waits).select_related("requested_by").order_by("-waits", "-pk")
    return render(request, "sync/erasure_list.html", {"erasures": found[:SHOWN]})


@require_http_methods(["GET", "HEAD", "POST"])
@administrators_only
def erase(request: HttpRequest, number: str) -> HttpResponse:
    """Show all that would go, then erase it. A merged contact leads to the one that stands for it."""
    contact = get_object_or_404(Contact.objects.select_related("merged_into"), number=number)
    if contact.merged_into:
        return redirect("sync:erase", contact.merged_into.number)
    if not contact.is_person:
        raise Http404
    reach = Reach(contact)
    if request.method != "POST":
        return render(request, "sync/erase.html", {"contact": contact, "reach": reach})
    if request.POST.get("number", "").strip().upper() != contact.number:
        context = {"contact": contact, "reach": reach, "wrong": True}
        return render(request, "sync/erase.html", context, status=422)
    try:
        erasure = erasing.erase(contact, by=request.user)
    except StillRunning:
        messages.warning(request, _("A sync has this person in hand just now. Nothing was erased; try again shortly."))
        return redirect("sync:erase", number)
    messages.success(request, _("Erased. This is the receipt."))
    return redirect(erasure)


@require_safe
@administrators_only
def erasure_detail(request: HttpRequest, pk: int) -> HttpResponse:
    erasure = get_object_or_404(Erasure.objects.select_related("requested_by"), pk=pk)
    context = {"erasure": erasure, "copies": erasing.copies_of(erasure)}
    return render(request, "sync/erasure_detail.html", context)


@require_safe
@administrators_only
def receipt(request: HttpRequest, pk: int) -> HttpResponse:
    """The receipt as a text to keep."""
    erasure = get_object_or_404(Erasure.objects.select_related("requested_by"), pk=pk)
    context = {"erasure": erasure, "copies": erasure.copies.select_related("setup"), "now": timezone.now()}
    answer = render(request, "sync/erasure_receipt.txt", context, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="erasure-{erasure.number}.txt"'
    return answer


@require_POST
@administrators_only
def by_hand(request: HttpRequest, pk: int, copy: int) -> HttpResponse:
    """Note that somebody has seen to a copy that no run can reach."""
    pending = ErasedCopy.objects.filter(pk=copy, erasure=pk, outcome=CopyOutcome.PENDING)
    if pending.update(outcome=CopyOutcome.BY_HAND, settled_at=timezone.now()):
        messages.success(request, _("Noted on the receipt."))
    return redirect("sync:erasure-detail", pk)
