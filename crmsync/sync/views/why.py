"""Why a contact is, or isn't, in somebody's Outlook."""

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from contacts.models import Contact
from crmsync.sync.paging import key
from crmsync.sync.remedies import remedy
from crmsync.sync.why import Answer


@require_safe
@login_required
def contact_why(request: HttpRequest, number: str) -> HttpResponse:
    """Every check about one contact and my Outlook; for an administrator also about anybody else's."""
    contact = get_object_or_404(Contact.objects.select_related("company", "salesperson", "merged_into"), number=number)
    owner = owner_of(request)
    answer = Answer(contact, owner, mine=owner.pk == request.user.pk)
    context = {"contact": contact, "answer": answer, "remedy": remedy(answer)}
    if getattr(request.user, "is_administrator", False):
        owners = get_user_model().objects.filter(exchange_sync__isnull=False).exclude(pk=request.user.pk)
        context["owners"] = owners.order_by("name").only("name", "email")
    return render(request, "sync/why.html", context)


def owner_of(request: HttpRequest) -> AbstractBaseUser:
    """Whose Outlook it is about: mine, unless an administrator names somebody else."""
    named = request.GET.get("user")
    if not named or named == str(request.user.pk):
        return request.user
    if not getattr(request.user, "is_administrator", False):
        raise Http404
    return get_object_or_404(get_user_model(), pk=key(named))
