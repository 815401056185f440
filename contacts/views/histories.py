"""What became of one contact over time, and taking a value of it back."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from contacts.history import History, NotRestorable, label, take_back
from contacts.views.cards import find_contact, lock_contact

PER_PAGE = 25


@require_safe
@login_required
def contact_history(request: HttpRequest, number: str) -> HttpResponse:
    contact = find_contact(number)
    page = Paginator(contact.changes.select_related("by"), PER_PAGE).get_page(request.GET.get("page"))
    context = {"contact": contact, "page": page, "history": History(contact, page, request.user)}
    return render(request, "contacts/contact_history.html", context)


@require_POST
@login_required
@transaction.atomic
def value_restore(request: HttpRequest, number: str, pk: int) -> HttpResponse:
    """Give the field that the request names the value again that it had before the change."""
    contact = lock_contact(number)
    change = get_object_or_404(contact.changes, pk=pk)
    name = request.POST.get("field", "")
    try:
        take_back(contact, change, name, by=request.user)
    except NotRestorable as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("%(field)s is back to what it was.") % {"field": label(name)})
    return redirect(contact) if request.POST.get("back") == "card" else redirect("contacts:contact-history", number)
