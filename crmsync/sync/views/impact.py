"""What a filter that is being written would do: fragments for the setup page and the sync dialog."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_safe

from contacts.filter_form import ContactFilterForm
from contacts.filters import FilterError
from contacts.views.lists import filter_form_of
from crmsync.sync.impact import OUT, Impact, impact_of
from crmsync.sync.paging import Page
from exchange_setup.models import ExchangeSync

NAMES = 20  # at a time


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def filter_impact(request: HttpRequest) -> HttpResponse:
    """How many come in, leave or stay out; nothing while the filter has a mistake in it."""
    form = filter_form_of(request)
    return render(request, "sync/_impact.html", {"impact": impact_for(request, form), "prefix": form.prefix})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def filter_impact_names(request: HttpRequest) -> HttpResponse:
    """The names behind one of the numbers, some at a time."""
    form, params = filter_form_of(request), request.POST or request.GET
    impact = impact_for(request, form)
    if impact is None:
        raise Http404
    slug = params.get("group", "")
    page = Page.of(impact.contacts(slug), params, size=NAMES)
    return render(request, "sync/_impact_names.html", {"page": page, "slug": slug, "prefix": form.prefix})


@require_safe
@login_required
def filter_warning(request: HttpRequest) -> HttpResponse:
    """That the next sync will stop and ask, where the saved filter makes too many leave; 204 otherwise."""
    setup = get_object_or_404(ExchangeSync.objects.select_related("user"), user=request.user)
    impact = impact_of(setup, setup.contact_filter)
    try:
        leaving = [group for group in impact.groups if group.slug == OUT] if impact.removes else []
    except FilterError:
        leaving = []
    if not (leaving and impact.brake):
        return HttpResponse(status=204)
    return render(request, "partials/_banner.html", {"tone": "warn", "title": leaving[0].text, "text": impact.brake})


def impact_for(request: HttpRequest, form: ContactFilterForm) -> Impact | None:
    """The impact of the filter in `form` on my setup; None where the filter, or the stored one, has a mistake."""
    setup = get_object_or_404(ExchangeSync.objects.select_related("user"), user=request.user)
    if not form.is_valid():
        return None
    impact = impact_of(setup, form.cleaned_filter)
    try:
        impact.groups  # noqa: B018  # a stored filter may have become wrong
    except FilterError:
        return None
    return impact
