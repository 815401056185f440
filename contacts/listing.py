"""The Contacts list as its address describes it: search, filter, order, columns and page. The export reads it too."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.core.paginator import Page
from django.db.models import Model
from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import cached_property

from contacts import columns
from contacts.columns import COLUMNS, STANDARD, Column
from contacts.extra_column import ExtraColumn, extra_column
from contacts.filter_form import ContactFilterForm
from contacts.models import Contact, ContactQuerySet
from contacts.paging import Pages
from contacts.saved_views import Density, ListLayout, SavedView

PREFIX = "f"
PER_PAGE = 50
ALWAYS_READ = ["type", "number", "name", "email", "privacy_blocked", "deleted_at", "version"]
READ_WITH = {
    "phone": ["mobile_phone"],
    "salesperson": ["salesperson__code", "salesperson__name", "salesperson__email"],
}
LIST_ONLY = ("page", "view")  # of an address: where one is in a list, not which list it is


@dataclass(frozen=True)
class Heading:
    """A column's head: its link sorts by it, or the other way round."""

    column: Column
    sort: str
    direction: str  # "ascending", "descending", or "" where the list is in another order


@dataclass(frozen=True)
class Tab:
    """A view to pick. `is_changed`: it was picked, and the list has been changed since."""

    view: SavedView
    is_here: bool
    is_changed: bool
    is_editable: bool

    @property
    def address(self) -> str:
        return f"?view={self.view.pk}&{self.view.query}"


class Listing:
    """What an address such as `?q=anne&f-city=A*&sort=-modified&page=3` shows."""

    def __init__(self, params: QueryDict, me: Model) -> None:
        self.params = params
        self.me = me
        self.search = params.get("q", "").strip()
        self.in_trash = params.get("trash") == "1"
        self.filter_form = ContactFilterForm(params, prefix=PREFIX, me=me, ready=())
        self.page_number = number(params.get("page", "")) or 1
        self.view_key = number(params.get("view", ""))
        name = params.get("sort", "").removeprefix("-")
        self.column = COLUMNS.get(name, COLUMNS["name"])
        self.descending = name in COLUMNS and params["sort"].startswith("-")
        self.named_columns = columns.read(params.get("columns", ""))

    # --- Which contacts ---

    @cached_property
    def contacts(self) -> ContactQuerySet:
        """All that is listed, in order, on whatever page. None while the filter is wrong."""
        if not self.filter_form.is_valid():
            return Contact.objects.none()
        contacts = self._everybody().filter(self.filter_form.q).search(self.search)
        sign = "-" if self.descending else ""
        return contacts.order_by(f"{sign}{self.column.order}", f"{sign}pk")

    def _everybody(self) -> ContactQuerySet:
        if self.in_trash:
            return Contact.objects.trashed()
        if not self.search and self.filter_form.is_by_salesperson:
            return Contact.objects.alive()
        if self.is_narrowed or not self.column.indexed:
            return Contact.objects.alive_in_one_pass()
        return Contact.objects.alive()

    @cached_property
    def page(self) -> Page:
        pages = Pages(self.contacts, PER_PAGE, self._rows())
        if not self.is_narrowed and not self.in_trash:
            pages.count = Contact.objects.alive().count()
        return pages.get_page(self.page_number)

    def _rows(self) -> ContactQuerySet:
        """Contacts with what the columns show, and no more."""
        shown = [field for column in self.columns for field in (column.field, *READ_WITH.get(column.name, ()))]
        rows = Contact.objects.only(*ALWAYS_READ, *shown)
        return rows.select_related("salesperson") if "salesperson" in shown else rows

    @property
    def is_narrowed(self) -> bool:
        return bool(self.search) or self.filter_form.is_used

    # --- Its address ---

    @property
    def query(self) -> QueryDict:
        """The address's parameters without what says nothing: the same list, written the one way."""
        query = QueryDict(mutable=True)
        if self.view_key:
            query["view"] = str(self.view_key)
        if self.search:
            query["q"] = self.search
        for row in self.filter_form.rows:
            if expression := (row.bound.value() or "").strip():
                query[row.bound.html_name] = expression
        if self.descending or self.column.name != "name":
            query["sort"] = f"{'-' if self.descending else ''}{self.column.name}"
        if self.named_columns:
            query["columns"] = columns.write(self.named_columns)
        if self.in_trash:
            query["trash"] = "1"
        if self.page_number > 1:
            query["page"] = str(self.page_number)
        return query

    @property
    def address(self) -> str:
        return as_address(self.query)

    @property
    def kept(self) -> dict[str, str]:
        """What of the address neither the search nor the filter says: they carry it along."""
        query = self.query
        return {name: query[name] for name in ("view", "sort", "columns", "trash") if name in query}

    @property
    def cleared(self) -> str:
        """Its address without search, filter and view."""
        kept = {name: text for name, text in self.kept.items() if name != "view"}
        return f"{reverse('contacts:contact-list')}{'?' if kept else ''}{urlencode(kept, safe='*,')}"

    @cached_property
    def saved(self) -> dict[str, str]:
        """What a view keeps of this list; the columns by name, so that everybody sees the same."""
        named = {"columns": columns.write(column.name for column in self.columns)}
        return {name: text for name, text in self.query.dict().items() if name not in LIST_ONLY} | named

    # --- How it looks ---

    @cached_property
    def layout(self) -> ListLayout:
        return ListLayout.of(self.me)

    @property
    def is_compact(self) -> bool:
        return self.layout.density == Density.COMPACT

    @cached_property
    def columns(self) -> list[Column]:
        """Those of the address, else those that I like, else the standard ones."""
        names = self.named_columns or columns.read(self.layout.columns) or STANDARD
        return [
            replace(COLUMNS[name], beside_mobile=True) if name == "phone" and "mobile" in names else COLUMNS[name]
            for name in names
        ]

    @property
    def has_standard_columns(self) -> bool:
        return tuple(column.name for column in self.columns) == STANDARD

    @cached_property
    def extra_column(self) -> ExtraColumn | None:
        return None if self.in_trash else extra_column(self.page.object_list, self.me)

    @property
    def headings(self) -> list[Heading]:
        return [self._heading(column) for column in self.columns]

    def _heading(self, column: Column) -> Heading:
        if column.name != self.column.name:
            return Heading(column, column.name, "")
        if self.descending:
            return Heading(column, column.name, "descending")
        return Heading(column, f"-{column.name}", "ascending")

    @cached_property
    def tabs(self) -> list[Tab]:
        """The views that I can pick. One query."""
        is_administrator = getattr(self.me, "is_administrator", False)
        return [self._tab(view, is_administrator) for view in SavedView.objects.visible_to(self.me)]

    def _tab(self, view: SavedView, is_administrator: bool) -> Tab:
        is_here = view.pk == self.view_key
        is_changed = is_here and QueryDict(view.query).dict() != self.saved
        return Tab(view, is_here, is_changed, is_administrator if view.is_shared else True)

    @property
    def can_keep_view(self) -> bool:
        """Whether the view that is picked can be made what the list is now."""
        return any(tab.is_changed and tab.is_editable for tab in self.tabs)

    @property
    def is_everybody(self) -> bool:
        """Whether no view is picked, and nothing narrows the list."""
        return not self.is_narrowed and not any(tab.is_here for tab in self.tabs)


def number(text: str) -> int:
    """The number that an address names; 0 for none, and for what no key or page can be."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def as_address(query: QueryDict) -> str:
    return query.urlencode(safe="*,")
