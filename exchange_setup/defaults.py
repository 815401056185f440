"""The form of the organisation's defaults: each setting with its value for new setups, and a tick that locks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from contacts.filter_form import ContactFilterForm
from exchange_setup.forms import SENTENCES, FolderForm, RulesForm, ScheduleForm
from exchange_setup.models import RULES, SETTINGS, OrganisationDefaults

LOCK = "lock_"
FIRST_ROWS = ("salesperson", "territory", "city", "country")  # of the filter: what many people's filters have in common


@dataclass(frozen=True)
class Setting:
    """One line of the form: the control (none for the filter, which has a form of its own) and its lock."""

    control: BoundField | None
    lock: BoundField


class DefaultsForm(forms.ModelForm):
    """What a new setup begins with. `filter_form` is the part of it that asks for the filter."""

    sync_notes = RulesForm.base_fields["sync_notes"]
    interval_minutes = ScheduleForm.base_fields["interval_minutes"]

    class Meta:
        model = OrganisationDefaults
        fields = ["folder_name", *RULES, "auto_sync", "interval_minutes"]
        labels = {"folder_name": _("Name of the folder"), "auto_sync": _("Sync automatically")}
        help_texts = {"folder_name": _("It is made inside the user's Outlook contacts, or used if it is there.")}

    def __init__(self, data: Mapping[str, Any] | None = None, *, instance: OrganisationDefaults, me: Any) -> None:
        super().__init__(data, instance=instance)
        stored = instance.contact_filter
        self.filter_form = ContactFilterForm(data, prefix="filter", me=me, stored=stored, ready=FIRST_ROWS)
        self.fields["folder_name"].validators += FolderForm.base_fields["name"].validators
        self.initial["sync_notes"] = "1" if instance.sync_notes else ""
        for rule in SENTENCES:
            self.fields[rule.field].label = rule.lead
            self.fields[rule.field].help_text = rule.example
        for name in SETTINGS:
            locked = name in instance.locked
            self.fields[LOCK + name] = forms.BooleanField(label=_("Same for everybody"), required=False, initial=locked)

    def is_valid(self) -> bool:
        return super().is_valid() & self.filter_form.is_valid()

    @transaction.atomic
    def save(self, commit: bool = True) -> int:
        """Store the defaults, and give every setup what is locked. Returns how many setups that changed."""
        defaults = self.instance
        defaults.contact_filter = self.filter_form.cleaned_filter
        defaults.locked = [name for name in SETTINGS if self.cleaned_data[LOCK + name]]
        defaults.save()
        return defaults.apply_locks()

    def setting(self, name: str) -> Setting:
        return Setting(self[name] if name in self.fields else None, self[LOCK + name])

    @property
    def folder(self) -> Setting:
        return self.setting("folder_name")

    @property
    def contact_filter(self) -> Setting:
        return self.setting("contact_filter")

    @property
    def rules(self) -> list[Setting]:
        return [self.setting(rule.field) for rule in SENTENCES]

    @property
    def schedule(self) -> list[Setting]:
        return [self.setting(name) for name in ("auto_sync", "interval_minutes")]
