"""What is done with the contacts that were picked in the list: each act asks first, with their number."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from contacts.bulk import NAMED, Named, change_all
from contacts.bulk_forms import ACTS, ActForm
from contacts.bulk_words import EXPORT, counted, listed, sentences
from contacts.merge_form import MOST
from contacts.selection import Selection
from contacts.transfer.exporting import FORMATS


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contact_bulk(request: HttpRequest, act: str) -> HttpResponse:
    """Ask what to do with the contacts that the request picks; then, on a POST that confirms them, do it."""
    selection = Selection(request.POST or request.GET, request.user)
    if act not in ACTS or (act == "restore") != selection.listing.in_trash:
        raise Http404
    if not len(selection.versions):
        return nobody(request, selection)
    if request.method != "POST":
        return ask(request, selection, act, ACTS[act]())
    form = ACTS[act](request.POST)
    if request.POST.get("seal") != selection.versions.seal:
        return ask(request, selection, act, form, changes=since_asked(request, selection), status=409)
    if not form.is_valid():
        return ask(request, selection, act, form, status=422)
    outcome = change_all(selection.versions, form.values, by=request.user)
    for level, text in sentences(outcome, form.done):
        messages.add_message(request, level, text)
    return redirect(list_url(selection))


def ask(
    request: HttpRequest, selection: Selection, act: str, form: ActForm, *, status: int = 200, **context: Any
) -> HttpResponse:
    """The question, with the number and the first names of those whom it is about."""
    count = len(selection.versions)
    asked_for = 0 if selection.is_all else len(set(selection.numbers))
    context |= {
        "act": act,
        "form": form,
        "title": counted(form.title, count),
        "button": counted(form.button, count),
        "follows": counted(form.follows, count),
        "missing": max(asked_for - count, 0),
        "now": timezone.now(),
    }
    return dialog(request, "contacts/bulk.html", selection, status=status, **context)


def dialog(
    request: HttpRequest, template: str, selection: Selection, *, status: int = 200, **context: Any
) -> HttpResponse:
    """The dialog's content alone for htmx, else the page around it."""
    count = len(selection.versions)
    who = Named(count, [str(contact) for contact in selection.contacts[:NAMED]])
    context |= {
        "frame": "contacts/_dialog.html" if request.htmx else "contacts/_dialog_page.html",
        "selection": selection,
        "who": listed(who),
        "list_url": list_url(selection),
    }
    return render(request, template, context, status=status)


def since_asked(request: HttpRequest, selection: Selection) -> dict[str, Any]:
    """What has changed in the selection since the question that the request answers."""
    asked_at = as_moment(request.POST.get("asked", ""))
    edited = selection.contacts.filter(modified_at__gte=asked_at) if asked_at else selection.contacts.none()
    names = [str(contact) for contact in edited[: NAMED + 1]]
    return {"names": listed(Named(edited.count(), names[:NAMED])) if names else ""}


def as_moment(text: str) -> Any:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None


@require_safe
@login_required
def export_chosen(request: HttpRequest) -> HttpResponse:
    """Ask for the format of a file with the contacts that the request picks."""
    selection = Selection(request.GET, request.user)
    if not len(selection.versions):
        return nobody(request, selection)
    title = counted(EXPORT, len(selection.versions))
    return dialog(request, "contacts/bulk_export.html", selection, title=title, formats=list(FORMATS))


@require_safe
@login_required
def merge_chosen(request: HttpRequest) -> HttpResponse:
    """Lead to the page that compares the contacts that the request picks, where they can be merged."""
    selection = Selection(request.GET, request.user)
    numbers = list(selection.contacts.values_list("number", flat=True)[: MOST + 1])
    if not 2 <= len(numbers) <= MOST:
        messages.warning(request, _("To merge, select two to %(most)d contacts.") % {"most": MOST})
        return redirect(list_url(selection))
    query = QueryDict(mutable=True)
    query.setlist("contact", numbers)
    return redirect(f"{reverse('contacts:contact-merge')}?{query.urlencode()}")


def nobody(request: HttpRequest, selection: Selection) -> HttpResponse:
    """There is nobody to ask about."""
    text = _("Select contacts first: tick the box in front of each.")
    if selection.is_all or selection.numbers:
        text = _("None of these contacts is in the list any more. Nothing was changed.")
    if request.htmx:
        return render(request, "contacts/bulk_nobody.html", {"frame": "contacts/_dialog.html", "text": text})
    messages.warning(request, text)
    return redirect(list_url(selection))


def list_url(selection: Selection) -> str:
    """The list that the contacts were picked in."""
    address = selection.listing.address
    return f"{reverse('contacts:contact-list')}?{address}" if address else reverse("contacts:contact-list")
