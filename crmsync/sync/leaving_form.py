"""What becomes of the contacts in Outlook when a mailbox is disconnected."""

from typing import Any

from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.translation import gettext_lazy as _

from crmsync.sync.leaving import Estate, can_remove, leave
from crmsync.sync.models import SyncRun
from exchange_setup.models import ExchangeSync

KEEP, REMOVE = "keep", "remove"


class LeavingForm(forms.Form):
    """Keep them, or remove so many: as many as the person saw, or else they are asked again."""

    contacts = forms.ChoiceField(choices=[(KEEP, KEEP), (REMOVE, REMOVE)])
    count = forms.IntegerField(min_value=0, required=False)

    def __init__(self, data: Any = None, *, setup: ExchangeSync) -> None:
        super().__init__(data)
        self.setup = setup
        self.estate = Estate.of(setup)
        self.can_remove = can_remove(setup)

    @property
    def offers_removal(self) -> bool:
        return self.can_remove and self.estate.removable > 0

    @property
    def chosen(self) -> str:
        return self.data.get("contacts") or KEEP

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("contacts") != REMOVE:
            return cleaned
        if not self.can_remove:
            raise forms.ValidationError(_("The mailbox cannot be reached now, so nothing can be removed from it."))
        if cleaned.get("count") != self.estate.removable:
            raise forms.ValidationError(_("The numbers have changed meanwhile. Have another look, then confirm."))
        return cleaned

    def save(self, by: AbstractBaseUser) -> SyncRun | None:
        """Disconnect. Raises StillRunning."""
        removes = self.cleaned_data["contacts"] == REMOVE
        return leave(self.setup, by=by, agreed=self.estate.removable if removes else 0)
