"""One contact: its card, and making, editing, trashing and restoring it."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contacts import card
from contacts.changes import Source
from contacts.duplicates import like
from contacts.forms import ContactForm
from contacts.history import History
from contacts.models import Contact, StaleContact

PEOPLE_SHOWN = 50
CHANGES_SHOWN = 5
COMPANIES_OFFERED = 20


def find_contact(number: str) -> Contact:
    """The contact with this number, in the trash or not, or 404."""
    return get_object_or_404(
        Contact.objects.select_related("company", "salesperson", "modified_by", "merged_into"), number=number
    )


def lock_contact(number: str) -> Contact:
    """The same, locked until the transaction ends."""
    return get_object_or_404(Contact.objects.select_for_update(of=["self"]), number=number)


@require_safe
@login_required
def contact_detail(request: HttpRequest, number: str) -> HttpResponse:
    contact = find_contact(number)
    people = [] if contact.is_person else list(contact.people.alive()[: PEOPLE_SHOWN + 1])
    context = {
        "contact": contact,
        "groups": card.groups(contact),
        "mail_link": card.mail_link(contact.email) if contact.email else "",
        "phone_link": card.phone_link(contact.phone or contact.mobile_phone),
        "people": people[:PEOPLE_SHOWN],
        "more_people": len(people) > PEOPLE_SHOWN,
        "alike": [] if contact.is_trashed else like(contact),
        "merge": contact.changes.filter(source=Source.MERGE).first() if contact.merged_into else None,
        "history": History(contact, contact.changes.select_related("by")[:CHANGES_SHOWN], request.user),
    }
    return render(request, "contacts/contact_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contact_create(request: HttpRequest) -> HttpResponse:
    if request.kept_form:
        return render(request, "contacts/contact_form.html", {"form": ContactForm(request.kept_form.data)})
    if request.method != "POST":
        initial = {"type": request.GET.get("type", "person"), "salesperson": request.user, "created_with": uuid.uuid4()}
        if company := Contact.objects.alive().companies().filter(number=request.GET.get("company", "")).first():
            initial["company_name"] = company.name
        return render(request, "contacts/contact_form.html", {"form": ContactForm(initial=initial)})
    form = ContactForm(request.POST)
    if not form.is_valid():
        return render(request, "contacts/contact_form.html", {"form": form}, status=422)
    try:
        contact = form.save_by(request.user)
    except IntegrityError:
        contact = get_object_or_404(Contact, created_with=form.cleaned_data["created_with"])
    else:
        messages.success(
            request, _("%(contact)s was added as %(number)s.") % {"contact": contact, "number": contact.number}
        )
    return redirect(contact)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def contact_update(request: HttpRequest, number: str) -> HttpResponse:
    contact = find_contact(number)
    if contact.is_trashed:
        return redirect(contact)
    if request.kept_form:
        context = {"form": ContactForm(request.kept_form.data, instance=contact), "contact": find_contact(number)}
        return render(request, "contacts/contact_form.html", context)
    if request.method != "POST":
        return render(
            request, "contacts/contact_form.html", {"form": ContactForm(instance=contact), "contact": contact}
        )
    form = ContactForm(request.POST, instance=contact)
    if not form.is_valid():
        shown = find_contact(number)
        return render(request, "contacts/contact_form.html", {"form": form, "contact": shown}, status=422)
    if not form.has_changed() and form.cleaned_data["version"] == contact.version:
        return redirect(contact)
    try:
        form.save_by(request.user)
    except StaleContact as stale:
        context = {"form": form.merged_with(stale.contact), "contact": find_contact(number), "is_stale": True}
        return render(request, "contacts/contact_form.html", context, status=409)
    messages.success(request, _("%(contact)s was saved.") % {"contact": contact})
    return redirect(contact)


@require_POST
@login_required
def contact_check(request: HttpRequest) -> HttpResponse:
    """What is wrong with the field that was just left, and how it reads without what was pasted along. A fragment."""
    name = request.GET.get("field", "")
    number = request.GET.get("number", "")
    contact = get_object_or_404(Contact.objects.select_related("company"), number=number) if number else None
    form = ContactForm(request.POST, instance=contact)
    if name not in form.fields:
        raise Http404
    return render(request, "contacts/_field_check.html", {"field": form[name], "errors": form.own_errors(name)})


@require_POST
@login_required
@transaction.atomic
def contact_trash(request: HttpRequest, number: str) -> HttpResponse:
    contact = lock_contact(number)
    if not contact.is_trashed:
        contact.trash(by=request.user)
        messages.success(
            request, _("%(contact)s was moved to the trash, from where you can restore it.") % {"contact": contact}
        )
    return redirect("contacts:contact-list")


@require_POST
@login_required
@transaction.atomic
def contact_restore(request: HttpRequest, number: str) -> HttpResponse:
    contact = lock_contact(number)
    if contact.is_trashed:
        contact.restore(by=request.user)
        messages.success(request, _("%(contact)s is back from the trash.") % {"contact": contact})
    return redirect(contact)


@require_safe
@login_required
def company_options(request: HttpRequest) -> HttpResponse:
    """The companies that begin with, or hold, what is being typed: options for a datalist. A fragment."""
    text = request.GET.get("company_name", "").strip()
    companies = Contact.objects.alive().companies().search(text)[:COMPANIES_OFFERED] if text else []
    return render(request, "contacts/_company_options.html", {"companies": companies})
