"""Who hands which contacts over to whom."""

import json
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from contacts.filter_form import ContactFilterForm
from contacts.models import ContactQuerySet
from contacts.reassigning import held_by, reassign
from crmsync.sync.handover import Effect, effects
from crmsync.sync.leaving_form import LeavingForm
from crmsync.sync.models import SyncRun
from exchange_setup.models import ExchangeSync


class HandoverForm(forms.Form):
    """Salespeople hand over their own contacts, administrators anybody's."""

    giver = forms.ModelChoiceField(None, label=_("From"))
    taker = forms.ModelChoiceField(None, label=_("To"))

    def __init__(self, data: Any, *, by: Any) -> None:
        filter_data = data if any(key.startswith("filter-") for key in data) else None
        self.filter_form = ContactFilterForm(
            filter_data, prefix="filter", me=by, ready=["territory", "city", "country"]
        )
        own = "" if by.is_administrator and not held_by(by, {}, None).exists() else by.pk
        initial = {"giver": data.get("giver") or own, "taker": data.get("taker")}
        super().__init__(data if data.get("taker") else None, initial=initial)
        self.by = by
        people = get_user_model().objects.all()
        self.fields["giver"].queryset = people if by.is_administrator else people.filter(pk=by.pk)
        self.fields["taker"].queryset = people.filter(is_active=True)
        self.fields["giver"].empty_label = _("Choose …") if by.is_administrator else None
        self.fields["taker"].empty_label = _("Choose …")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("giver") and cleaned.get("giver") == cleaned.get("taker"):
            self.add_error("taker", _("Choose somebody else: these are their contacts already."))
        if self.filter_form.is_bound and not self.filter_form.is_valid():
            raise forms.ValidationError(_("The filter has a mistake in it."))
        return cleaned

    @property
    def moving(self) -> ContactQuerySet:
        """For a valid form."""
        chosen = self.filter_form.cleaned_filter if self.filter_form.is_bound else {}
        return held_by(self.cleaned_data["giver"], chosen, self.by)

    @property
    def effects(self) -> list[Effect]:
        return effects(self.moving, self.cleaned_data["giver"], self.cleaned_data["taker"])

    @cached_property
    def moves(self) -> int:
        return self.moving.count()

    @property
    def seen(self) -> str:
        """What the person looks at, for the page to give back: another choice or another number is not the same."""
        chosen = self.filter_form.cleaned_filter if self.filter_form.is_bound else {}
        return json.dumps([self.cleaned_data["giver"].pk, self.cleaned_data["taker"].pk, self.moves, chosen])

    def save(self) -> int:
        """Hand them over: how many."""
        return reassign(self.moving, self.cleaned_data["taker"], by=self.by)


class ClosingForm(LeavingForm):
    """A leaver's setup: what becomes of the contacts in their Outlook, and who gets their contacts in the CRM."""

    taker = forms.ModelChoiceField(None, required=False, label=_("Hand their contacts over to"))

    def __init__(self, data: Any = None, *, setup: ExchangeSync, by: Any) -> None:
        super().__init__(data, setup=setup)
        self.by = by
        self.handed_over = 0
        self.fields["taker"].queryset = get_user_model().objects.filter(is_active=True).exclude(pk=setup.user_id)
        self.fields["taker"].empty_label = _("Nobody: they stay with %(user)s") % {"user": setup.user}
        self.moving = held_by(setup.user, {}, None)

    @property
    def chosen_taker(self) -> Any:
        """Whom the person chose, None for nobody."""
        return self.cleaned_data.get("taker") if self.is_bound and self.is_valid() else None

    @cached_property
    def moves(self) -> int:
        return self.moving.count()

    @cached_property
    def effects(self) -> list[Effect]:
        """What the handover does to the other Outlooks."""
        return effects(self.moving, self.setup.user, self.chosen_taker, but=self.setup) if self.chosen_taker else []

    @property
    def seen(self) -> str:
        chosen = self.cleaned_data
        return json.dumps(
            [chosen["contacts"], self.chosen_taker and self.chosen_taker.pk, self.chosen_taker and self.moves]
        )

    def close(self) -> SyncRun | None:
        """Close it; the run that removes the contacts, where they are to go. Raises StillRunning."""
        run = self.save(self.by)
        self.setup.pause()
        if self.chosen_taker:
            self.handed_over = reassign(self.moving, self.chosen_taker, by=self.by)
        return run
