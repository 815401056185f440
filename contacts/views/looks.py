"""How the list looks to a person: its columns, its density, and the views that they saved."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from contacts import columns
from contacts.columns import MOST
from contacts.listing import Listing
from contacts.saved_views import Density, ListLayout, SavedView
from contacts.view_form import ColumnChoice, SavedViewForm


def listing_of(request: HttpRequest) -> Listing:
    """The list that the request is about; `query` is its address's query string."""
    params = request.POST or request.GET
    return Listing(QueryDict(params.get("query", "")), request.user)


def list_url(query: dict[str, str]) -> str:
    address = QueryDict(mutable=True)
    address.update(query)
    url = reverse("contacts:contact-list")
    return f"{url}?{address.urlencode(safe='*,')}" if query else url


def dialog(request: HttpRequest, template: str, *, status: int = 200, **context: object) -> HttpResponse:
    """The dialog's content alone for htmx, else the page around it."""
    context["frame"] = "contacts/_dialog.html" if request.htmx else "contacts/_dialog_page.html"
    return render(request, template, context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def list_columns(request: HttpRequest) -> HttpResponse:
    """Choose columns and their order: for the view that is open, or else for me from now on."""
    listing = listing_of(request)
    params = request.POST or request.GET
    if "order" in params:
        choice = ColumnChoice(params.getlist("column"), params.getlist("order"), params.get("move", ""))
    else:
        choice = ColumnChoice([column.name for column in listing.columns], [])
    if request.method != "POST" or "move" in params:
        return dialog(
            request, "contacts/list_columns.html",
            title=_("Columns"), listing=listing, choice=choice, most=MOST, list_url=list_url(listing.query.dict()),
        )  # fmt: skip
    query = listing.query.dict()
    standard = "standard" in params
    chosen = "" if standard else columns.write(choice.names)
    if "columns" in query:
        query = {name: text for name, text in query.items() if name != "columns"}
        query |= {"columns": columns.write(columns.STANDARD) if standard else chosen}
    else:
        ListLayout.objects.update_or_create(user=request.user, defaults={"columns": chosen})
    return redirect(list_url(query))


@require_POST
@login_required
def list_density(request: HttpRequest) -> HttpResponse:
    """Remember how dense I like the list."""
    density = request.POST.get("density")
    if density in Density.values:
        ListLayout.objects.update_or_create(user=request.user, defaults={"density": density})
    return redirect(list_url(listing_of(request).query.dict()))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def view_create(request: HttpRequest) -> HttpResponse:
    """Give the list a name."""
    view = SavedView(owner=request.user)
    return edit(request, view, listing_of(request), title=_("Save this view"))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def view_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a view another name, share it, or delete it."""
    view = get_object_or_404(SavedView.objects.editable_by(request.user), pk=pk)
    return edit(request, view, listing_of(request), title=_("The view “%(view)s”") % {"view": view})


def edit(request: HttpRequest, view: SavedView, listing: Listing, *, title: str) -> HttpResponse:
    form = SavedViewForm(request.POST or None, user=request.user, instance=view)
    if request.method != "POST" or not form.is_valid():
        status = 422 if request.method == "POST" else 200
        back = list_url(listing.query.dict())
        return dialog(
            request, "contacts/view_form.html",
            status=status, form=form, view=view, listing=listing, title=title, list_url=back,
        )  # fmt: skip
    if not view.pk:
        view.query = list_url(listing.saved).partition("?")[2]
    form.save()
    messages.success(request, _("The view “%(view)s” was saved.") % {"view": view})
    url = list_url(listing.query.dict() | listing.saved | {"view": str(view.pk)})
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


@require_POST
@login_required
def view_keep(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a view show from now on what the list shows."""
    view = get_object_or_404(SavedView.objects.editable_by(request.user), pk=pk)
    listing = listing_of(request)
    view.query = list_url(listing.saved).partition("?")[2]
    view.save(update_fields=["query"])
    messages.success(request, _("The view “%(view)s” was saved.") % {"view": view})
    return redirect(list_url(listing.query.dict() | listing.saved))


@require_POST
@login_required
def view_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a view; the list stays as it is."""
    view = get_object_or_404(SavedView.objects.editable_by(request.user), pk=pk)
    view.delete()
    messages.success(request, _("The view “%(view)s” was deleted.") % {"view": view})
    query = listing_of(request).query.dict()
    return redirect(list_url({name: text for name, text in query.items() if name != "view"}))
