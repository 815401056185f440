"""A saved view as people name it, and the columns as they choose them."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _

from contacts import columns
from contacts.columns import COLUMNS, FIRST, Column
from contacts.saved_views import SavedView

MOST_VIEWS = 20


class SavedViewForm(forms.ModelForm):
    """A view's name; and for administrators whether everybody sees it."""

    class Meta:
        model = SavedView
        fields = ("name", "is_shared")

    def __init__(self, data: Any = None, *, user: Model, instance: SavedView) -> None:
        super().__init__(data, instance=instance)
        self.fields["name"].widget.attrs |= {"autocomplete": "off", "autofocus": True}
        if not getattr(user, "is_administrator", False):
            del self.fields["is_shared"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        others = SavedView.objects.filter(owner_id=self.instance.owner_id).exclude(pk=self.instance.pk)
        if self.instance._state.adding and others.count() >= MOST_VIEWS:
            raise ValidationError(_("You have %(count)d views already. Delete one first.") % {"count": MOST_VIEWS})
        if others.filter(name=cleaned.get("name")).exists():
            self.add_error("name", _("You have a view of this name already."))
        return cleaned


class ColumnChoice:
    """The columns in an order, each shown or not. `move` is such as 'city:up'."""

    def __init__(self, shown: list[str], order: list[str], move: str = "") -> None:
        names = dict.fromkeys(name for name in [*order, *shown, *COLUMNS] if name in COLUMNS and name != FIRST)
        self.order = moved(list(names), move)
        self.shown = {FIRST, *shown}

    @property
    def names(self) -> tuple[str, ...]:
        """What is chosen, in order; the name alone where nothing else is."""
        return columns.tidy(name for name in self.order if name in self.shown) or (FIRST,)

    @property
    def rows(self) -> list[tuple[Column, bool]]:
        return [(COLUMNS[name], name in self.shown) for name in self.order]


def moved(names: list[str], move: str) -> list[str]:
    name, _colon, way = move.partition(":")
    if name not in names:
        return names
    at = names.index(name)
    to = max(0, at - 1) if way == "up" else min(len(names) - 1, at + 1)
    names.insert(to, names.pop(at))
    return names
