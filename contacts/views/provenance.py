"""Who set what on a contact's card."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from contacts.provenance import origins
from contacts.views.cards import find_contact


@require_safe
@login_required
def contact_provenance(request: HttpRequest, number: str) -> HttpResponse:
    """For each field who set it, when and from where: a part of the card for htmx, else a page."""
    contact = find_contact(number)
    template = "contacts/_provenance.html" if request.htmx else "contacts/contact_provenance.html"
    found = origins(contact, request.user)
    context = {"contact": contact, "origins": found, "some_unknown": not all(origin.who for origin in found)}
    return render(request, template, context)
