"""What people choose about contacts. (The filter in the start dialog is `contacts.filter_form`.)"""

from typing import Any

from django import forms
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from contacts.merging import merged_ones_of
from contacts.models import Contact
from crmsync.sync import verdicts
from crmsync.sync.choices import LinkState, Preference, Side
from crmsync.sync.decisions import CHOICES, Choice, always, decide_all, decide_one
from crmsync.sync.fields import NAMES
from crmsync.sync.leave import Leave, Verdict
from crmsync.sync.models import ContactLink, ContactPreference, SyncRun
from crmsync.sync.paging import LONGEST_KEY
from crmsync.sync.plan_groups import groups_of
from crmsync.sync.previewing import leave, to_do
from crmsync.sync.work import still_there
from exchange_setup.models import ExchangeSync

BY_FILTER = "filter"


class PreferenceForm(forms.Form):
    """My word on one contact, above the filter."""

    CHOICES = [(BY_FILTER, _("by filter")), *Preference.choices]

    choice = forms.ChoiceField(choices=CHOICES)

    @transaction.atomic
    def save(self, setup: ExchangeSync, contact: Contact) -> None:
        """Store the choice, and have the next sync look at the contact whatever its dates say."""
        choice = self.cleaned_data["choice"]
        still_there([contact.pk])  # a sync that is just storing what it makes of the contact comes first
        rows = ContactPreference.objects.filter(setup=setup, contact=contact)
        if choice == BY_FILTER:
            rows.delete()
            ContactPreference.objects.filter(setup=setup, contact__in=merged_ones_of(contact)).delete()  # or it follows
        else:
            rows.update_or_create(setup=setup, contact=contact, defaults={"choice": choice, "moved_from": None})
        ContactLink.objects.update_or_create(
            setup=setup,
            contact=contact,
            defaults={"dirty": True},
            create_defaults={"state": LinkState.LEFT_OUT, "dirty": True},
        )


class DecisionForm(forms.Form):
    """What is to become of one contact that was left out; of a pair, perhaps of one field only."""

    choice = forms.ChoiceField(choices=Choice)
    field = forms.ChoiceField(choices=[(name, name) for name in NAMES], required=False)
    seen = forms.CharField(required=False)

    def save(self, link: ContactLink) -> None:
        """Note the decision. Raises RunAtWork and Outdated."""
        values = self.cleaned_data
        decide_one(link, Choice(values["choice"]), name=values["field"], seen=values["seen"])


class LeaveForm(forms.Form):
    """Whom to leave out of a preview: the contact of one row, or a group of `count` as the person saw it."""

    leave = forms.ChoiceField(choices=[("", ""), *Leave.choices], required=False)
    change = forms.IntegerField(min_value=1, max_value=10**LONGEST_KEY, required=False)
    group = forms.CharField(required=False)

    def __init__(self, *args: Any, preview: SyncRun, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preview = preview

    def clean(self) -> dict[str, Any]:
        """Find the rows, all of them of this preview."""
        values = super().clean()
        leading = to_do(self.preview)
        group = next((group for group in groups_of(leading) if group.slug == values.get("group")), None)
        rows = leading.filter(group.rows) if group else leading.filter(pk=values.get("change") or 0)
        if not (group or rows.exists()):
            raise forms.ValidationError("There is nobody to leave out.")
        return {**values, "rows": rows}

    def save(self) -> int:
        """Note it; how many contacts it is about. Raises CarriedOut."""
        return leave(self.preview, self.cleaned_data["rows"], self.cleaned_data["leave"])


class VerdictForm(forms.Form):
    """A person's word on each cause of a held run. The causes are those that the person saw."""

    def __init__(self, *args: Any, run: SyncRun, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.run = run
        self.groups = verdicts.causes_of(run)
        for group in self.groups:
            self.fields[group.slug] = forms.ChoiceField(choices=Verdict.choices)

    def save(self, by: AbstractBaseUser) -> None:
        """Carry it out. Raises AlreadyDecided."""
        said = {group: Verdict(self.cleaned_data[group.slug]) for group in self.groups if self.is_valid()}
        verdicts.decide(self.run, said, by)


class GroupDecisionForm(forms.Form):
    """What is to become of all contacts that were left out for one reason, `count` as the person saw it."""

    choice = forms.ChoiceField(choices=Choice)
    reason = forms.ChoiceField(choices=[(reason, reason) for reason in CHOICES])
    count = forms.IntegerField(min_value=1)

    def save(self, setup: ExchangeSync) -> None:
        """Note the decision. Raises RunAtWork and Outdated."""
        values = self.cleaned_data
        decide_all(setup, values["reason"], Choice(values["choice"]), values["count"])


class ConflictRuleForm(forms.Form):
    """Which side wins every conflict from now on."""

    side = forms.ChoiceField(choices=Side)

    def save(self, setup: ExchangeSync) -> None:
        """Make it the setup's rule. Raises RunAtWork and Locked."""
        always(setup, Side(self.cleaned_data["side"]))
