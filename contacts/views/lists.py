"""The Contacts list, and the fragments of its filter."""

import re
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from contacts.filter_form import ContactFilterForm
from contacts.listing import Listing
from contacts.models import Contact

SAMPLE = 4


@require_safe
@login_required
def contact_list(request: HttpRequest) -> HttpResponse:
    """The list that the address describes. Every list has one address: blank parameters lead to the same without."""
    listing = Listing(request.GET, request.user)
    query = listing.query
    if not listing.filter_form.goes_on_at and request.GET.dict() != query.dict():
        return redirect(f"{request.path}?{listing.address}" if query else request.path)
    return render(request, "contacts/contact_list.html", {"listing": listing, "page": listing.page})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def filter_count(request: HttpRequest) -> HttpResponse:
    """How many contacts the filter being written selects, or what is wrong with it. A fragment.

    Where the widget asks for a sample, the first few by name of those that may be written to come with it.
    """
    form = filter_form_of(request)
    theirs = held_by_giver(request)
    shown: dict[str, Any] = {"waits": theirs is None}
    if form.is_valid() and theirs is not None:
        total = Contact.objects.alive().filter(theirs).count()
        selected = Contact.objects.alive_in_one_pass().filter(form.q, theirs)
        shown |= {"total": total, "selected": selected.count(), "reachable": selected.reachable().count()}
        if wants_sample(request) and shown["reachable"]:
            names = selected.reachable().order_by("name", "pk").values_list("name", flat=True)
            shown |= {"sample": list(names[:SAMPLE]), "more": max(0, shown["reachable"] - SAMPLE)}
    return render(request, "contacts/_filter_count.html", {"filter_form": form, **shown})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def filter_widget(request: HttpRequest) -> HttpResponse:
    """The filter's rows, with the one added or without the one removed that the parameters name. A fragment."""
    context = {"filter_form": filter_form_of(request), "sample": wants_sample(request)}
    return render(request, "contacts/_filter_widget.html", context)


def wants_sample(request: HttpRequest) -> bool:
    return (request.POST or request.GET).get("filter-sample") == "1"


def held_by_giver(request: HttpRequest) -> Q | None:
    """Only the giver's contacts, where somebody hands theirs over on the widget's page; None while nobody is chosen."""
    giver = (request.POST or request.GET).get("giver")
    if giver == "":
        return None
    return Q(salesperson=giver) if re.fullmatch(r"[0-9]{1,9}", giver or "") else Q()


def filter_form_of(request: HttpRequest) -> ContactFilterForm:
    """The form that a widget anywhere posted, or 404 where the request names none."""
    params = request.POST or request.GET
    prefix = params.get("prefix", "filter")
    if not (prefix.isascii() and prefix.isalpha()):
        raise Http404
    return ContactFilterForm(params, prefix=prefix, me=request.user)


@require_safe
@login_required
def keys(request: HttpRequest) -> HttpResponse:
    """What the keyboard does in the list. A fragment."""
    return render(request, "contacts/_keys.html")
