"""The organisation's defaults, for administrators."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from exchange_setup.access import administrators_only
from exchange_setup.defaults import DefaultsForm
from exchange_setup.models import ExchangeSync, OrganisationDefaults


@require_http_methods(["GET", "HEAD", "POST"])
@administrators_only
def defaults(request: HttpRequest) -> HttpResponse:
    """What new setups begin with, and what is the same for everybody."""
    typed = request.kept_form.data if request.kept_form else request.POST or None
    form = DefaultsForm(typed, instance=OrganisationDefaults.current(), me=request.user)
    if request.method == "POST" and form.is_valid():
        messages.success(request, saved(form.save()))
        return redirect("exchange_setup:defaults")
    context = {"form": form, "setups": ExchangeSync.objects.exclude(enabled_at=None).count()}
    return render(request, "exchange_setup/defaults.html", context, status=422 if request.method == "POST" else 200)


def saved(changed: int) -> str:
    if not changed:
        return _("Saved. New setups begin with it.")
    words = ngettext(
        "Saved. %(count)s setup took on what is the same for everybody.",
        "Saved. %(count)s setups took on what is the same for everybody.",
        changed,
    )
    return words % {"count": changed}
