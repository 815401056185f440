"""The page of contacts that are probably the same, and telling them apart."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from contacts import duplicates
from contacts.duplicates import Finder, Group, likeness
from contacts.likeness import Sign
from contacts.models import Contact, ContactQuerySet

PER_PAGE = 20
MOST_AT_ONCE = 50
ICONS = {Sign.EMAIL: "at-sign", Sign.PHONE: "phone", Sign.NAME: "user-round"}


@require_safe
@login_required
def duplicate_list(request: HttpRequest) -> HttpResponse:
    """Groups of contacts that are probably the same, all or of one kind; or the pairs that somebody told apart."""
    finder, sign = Finder(), request.GET.get("sign", "")
    groups = [group for group in finder.groups if not sign or sign in group.signs]
    aside = duplicates.set_aside()
    told_apart = request.GET.get("aside") == "1"
    page = Paginator(aside if told_apart else groups, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "tabs": tabs(finder.groups, "aside" if told_apart else sign, aside.count()),
        "likenesses": pairs_of(page) if told_apart else duplicates.shown(page.object_list),
        "told_apart": told_apart,
        "is_cut": finder.is_cut,
    }
    return render(request, "contacts/duplicate_list.html", context)


def pairs_of(page: Page) -> list[Any]:
    return [likeness([pair.first, pair.second]) for pair in page.object_list]


def tabs(groups: list[Group], chosen: str, aside: int) -> list[dict[str, Any]]:
    """What the list can be narrowed to, with how many there are of each."""
    found = [{"query": "", "label": _("All"), "count": len(groups), "is_here": not chosen}]
    for sign in Sign:
        count = sum(1 for group in groups if sign in group.signs)
        found.append({"query": f"?sign={sign}", "label": sign.label, "count": count, "is_here": chosen == sign})
    found.append({"query": "?aside=1", "label": _("Not duplicates"), "count": aside, "is_here": chosen == "aside"})
    return found


@require_POST
@login_required
def tell_apart(request: HttpRequest) -> HttpResponse:
    """Remember that these contacts are not the same."""
    contacts = named_contacts(request)
    duplicates.tell_apart(contacts, by=request.user)
    if request.htmx:
        return render(request, "contacts/_told_apart.html", {"contacts": contacts})
    messages.success(request, _("They are not listed as duplicates any more."))
    back = next((contact for contact in contacts if contact.number == request.POST.get("back")), None)
    return redirect(back or "contacts:duplicate-list")


@require_POST
@login_required
def consider_again(request: HttpRequest) -> HttpResponse:
    """Forget that these contacts were told apart."""
    duplicates.consider_again(named_contacts(request))
    messages.success(request, _("They are listed again for as long as they are alike."))
    return redirect("contacts:duplicate-list")


def named_contacts(request: HttpRequest) -> ContactQuerySet:
    """Those that a request names by their numbers, oldest first."""
    numbers = (request.POST or request.GET).getlist("contact")[:MOST_AT_ONCE]
    return Contact.objects.alive().numbered(numbers).order_by("created_at", "pk")
