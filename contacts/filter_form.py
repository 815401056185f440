"""The filter as people fill it in: a row for each field with its expression. Other pages' forms embed it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from django import forms
from django.db.models import Model, Q
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.filters import FIELDS, READY_FIELDS, FilterError, FilterField, Kind, as_q

EXAMPLES = {
    Kind.TEXT: "A*|B*",
    Kind.CODE: "CT000100..",
    Kind.LOOSE_CODE: "2100..2999",
    Kind.DATE: "..2000-12-31",
    Kind.MOMENT: "today-30d..",
    Kind.COUNTRY: _("DK|Germany"),
    Kind.USER: "%me",
}
TERRITORIES = "DENMARK|GERMANY"


HELP = [
    ("Aarhus", _("exactly this text")),
    ("A*", _("begins with A; *A ends with it, *A* holds it")),
    ("Hans?n", _("? is any one letter")),
    ("@aarhus", _("upper and lower case are the same")),
    ("A..C", _("from A to C; ..C up to it, A.. from it on")),
    ("A*|B*", _("one or the other")),
    ("<>A*", _("anything else")),
    (">=2026-01-01", _("also >, < and <=")),
    (">A&<C", _("both at once; ( ) group")),
    ("''", _("empty; <>'' is not empty")),
    ("'J & V'", _("needed around & | ( ) = < >")),
    ("%me", _("you, as salesperson")),
    ("today-30d..", _("the last 30 days")),
]


@dataclass(frozen=True)
class Row:
    """One line of the widget."""

    field: FilterField
    bound: forms.BoundField
    error: FilterError | None
    focused: bool

    @property
    def example(self) -> str:
        """What might be written there, in words that nobody takes for what is."""
        if self.field.choices:
            example = "|".join(spellings[0] for _stored, spellings in self.field.choices)
        else:
            example = TERRITORIES if self.field.name == "territory" else str(EXAMPLES[self.field.kind])
        return gettext("such as %(example)s") % {"example": example}

    @property
    def is_added(self) -> bool:
        """Whether somebody put it there; the others are offered, and filter nothing while they are blank."""
        return self.focused or self.field.name not in READY_FIELDS

    @property
    def error_id(self) -> str:
        return f"{self.bound.auto_id}_error"


class ContactFilterForm(forms.Form):
    """A filter on contacts.

    Its inputs are named `<prefix>-<field>`, so several forms fit one page. `stored` is the filter to begin with and
    `ready` the fields that stand there at first. `<prefix>-add` adds a row (with `<prefix>-add-expression`, for people
    without JavaScript) and `<prefix>-remove` takes one away. A blank row filters nothing.
    """

    help = HELP

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        prefix: str = "filter",
        me: Model | None = None,
        stored: Mapping[str, str] | None = None,
        ready: Iterable[str] = READY_FIELDS,
    ) -> None:
        super().__init__(data, prefix=prefix)
        self.me = me
        self.mistakes: dict[str, FilterError] = {}
        self.goes_on_at = ""  # the row that was added, or follows the one that was removed
        self.adds_next = False  # the one that was removed was the last
        if data is None:
            self.initial_from(dict.fromkeys(ready, "") | dict(stored or {}))
        else:
            self._read_rows(data)

    def initial_from(self, contact_filter: Mapping[str, str]) -> Self:
        """Begin with `contact_filter`, on top of the rows that are there."""
        for name, expression in contact_filter.items():
            if name in FIELDS:
                self._add_row(name)
                self.initial[name] = expression
        return self

    def _read_rows(self, data: Mapping[str, Any]) -> None:
        names = [key.removeprefix(f"{self.prefix}-") for key in data if key.startswith(f"{self.prefix}-")]
        added = data.get(f"{self.prefix}-add", "")
        removed = data.get(f"{self.prefix}-remove", "")
        if added in FIELDS and added not in names:
            self.goes_on_at = added
            names.append(added)
            self.data = {
                **{key: data[key] for key in data},
                self.add_prefix(added): data.get(f"{self.prefix}-add-expression", ""),
            }
        known = [name for name in names if name in FIELDS]
        if removed in known:
            self.goes_on_at = next(iter(known[known.index(removed) + 1 :]), "")
            self.adds_next = not self.goes_on_at
            known.remove(removed)
        for name in known:
            self._add_row(name)

    def _add_row(self, name: str) -> None:
        self.fields[name] = forms.CharField(
            label=FIELDS[name].label,
            required=False,
            widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, expression in list(self.cleaned_data.items()):
            try:
                as_q({name: expression}, self.me)
            except FilterError as error:
                self.mistakes[name] = error
                self.add_error(name, error.message)
        return cleaned

    @property
    def cleaned_filter(self) -> dict[str, str]:
        """Field name → expression, without the blank rows, in the order of the rows. For a valid form."""
        return {name: expression for name, expression in self.cleaned_data.items() if expression}

    @property
    def q(self) -> Q:
        """The condition on `Contact`. For a valid form."""
        return as_q(self.cleaned_filter, self.me)

    @property
    def is_by_salesperson(self) -> bool:
        """Whether it says whose the contacts are and nothing else: an index has them by name. For a valid form."""
        return list(self.cleaned_filter) == ["salesperson"]

    @cached_property
    def rows(self) -> list[Row]:
        self.errors  # noqa: B018  # finds the mistakes
        focused = self.goes_on_at or ("" if self.adds_next else next(iter(self.mistakes), ""))
        return [Row(FIELDS[name], self[name], self.mistakes.get(name), name == focused) for name in self.fields]

    @property
    def addable(self) -> list[FilterField]:
        """The fields that have no row yet, by label."""
        return sorted((field for name, field in FIELDS.items() if name not in self.fields), key=lambda f: str(f.label))

    @property
    def is_used(self) -> bool:
        """Whether any row holds an expression."""
        return any(self[name].value() for name in self.fields)
