"""Comparing contacts, merging them, and undoing it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from contacts import card, duplicates, merging
from contacts.merge_form import MOST, MergeForm
from contacts.models import Contact, StaleContact
from contacts.views.duplicates import named_contacts

FOUND_SHOWN = 20


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contact_merge(request: HttpRequest) -> HttpResponse:
    """Compare the contacts that the request names, and merge them; with only one of them, look for the other."""
    contacts = list(named_contacts(request).select_related("company", "salesperson", "modified_by"))
    if problem := why_not(request, contacts):
        messages.warning(request, problem)
        return redirect(contacts[0]) if contacts else redirect("contacts:duplicate-list")
    if len(contacts) == 1:
        return look_for_other(request, contacts[0])
    if request.method != "POST":
        return page(request, MergeForm(contacts))
    form = MergeForm(contacts, request.POST)
    if "preview" in request.POST:
        template = "contacts/_merge_result.html" if request.htmx else "contacts/contact_merge.html"
        return page(request, form, template=template)
    if not form.is_valid():
        return page(request, form, status=422)
    if form.is_stale:
        return page(request, MergeForm(contacts, wished=request.POST.dict()), is_stale=True, status=409)
    try:
        survivor = merging.merge(form.chosen_survivor, form.others, form.values(), by=request.user)
    except StaleContact:
        contacts = list(named_contacts(request).select_related("company", "salesperson", "modified_by"))
        return page(request, MergeForm(contacts, wished=request.POST.dict()), is_stale=True, status=409)
    messages.success(request, words_of(survivor, len(form.others)))
    return redirect(survivor)


def why_not(request: HttpRequest, contacts: list[Contact]) -> str:
    """Why these cannot be merged, '' where they can."""
    asked = len(set((request.POST or request.GET).getlist("contact")))
    if len(contacts) < asked or not contacts:
        return _("One of these contacts is in the trash by now, or was merged. Nothing was changed.")
    if len(contacts) > MOST:
        return _("At most %(count)d contacts can be merged at once.") % {"count": MOST}
    if len({contact.type for contact in contacts}) > 1:
        return _("A person and a company cannot be merged.")
    return ""


def words_of(survivor: Contact, others: int) -> str:
    text = ngettext(
        "%(count)d contact was merged into %(contact)s. You can undo that from the history.",
        "%(count)d contacts were merged into %(contact)s. You can undo that from the history.",
        others,
    )
    return text % {"count": others, "contact": survivor}


def look_for_other(request: HttpRequest, contact: Contact) -> HttpResponse:
    """Find the contact that this one is to be merged with."""
    text = request.GET.get("q", "").strip()
    found = Contact.objects.alive().filter(type=contact.type).exclude(pk=contact.pk)
    context = {
        "contact": contact,
        "search": text,
        "found": found.search(text)[:FOUND_SHOWN] if text else [],
        "alike": duplicates.like(contact),
    }
    return render(request, "contacts/contact_merge_choose.html", context)


def page(request: HttpRequest, form: MergeForm, *, template: str = "", status: int = 200, **more: Any) -> HttpResponse:
    result = form.result()
    context = {"form": form, "result": result, "groups": card.groups(result), "left_over": form.left_over(), **more}
    return render(request, template or "contacts/contact_merge.html", context, status=status)


@require_POST
@login_required
def merge_undo(request: HttpRequest, reference: str) -> HttpResponse:
    """Have the contacts of a merge as they were before it."""
    contact = merging.survivor_of(reference)
    try:
        merging.unmerge(reference, by=request.user)
    except merging.NotUndoable as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("The merge is undone: every contact is as it was before."))
    return redirect(contact) if contact else redirect("contacts:contact-list")
