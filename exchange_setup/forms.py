"""The forms of the setup page, one for each step that asks for something."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.forms.boundfield import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from exchange_setup.graph.client import Folder
from exchange_setup.models import LAST_STEP, RULES, ExchangeSync, RemovedRule
from exchange_setup.rules import ConflictRule

NEW_FOLDER = "new"
SHORTEST, LONGEST = 5, 1440  # minutes

Text = str | Promise


def keep_locked(form: forms.BaseForm, setup: ExchangeSync) -> None:
    """Whatever is posted, what the organisation has locked stays as it is."""
    for name, field in form.fields.items():
        field.disabled = setup.is_locked(name)


class FolderForm(forms.Form):
    """A new folder by name, or (once the mailbox's folders are known) one that exists, by id."""

    choice = forms.ChoiceField(label=_("Folder to sync"), widget=forms.RadioSelect, required=False)
    name = forms.CharField(
        label=_("Name of the new folder"),
        max_length=255,
        required=False,
        validators=[
            RegexValidator(r"^[^\x00-\x1f\x7f]*$", _("A folder name has no line breaks or control characters."))
        ],
        help_text=_("It is made inside your Outlook contacts. If a folder has that name already, that one is used."),
    )

    def __init__(self, *args: Any, setup: ExchangeSync, folders: Sequence[Folder] | None = None, **kwargs: Any) -> None:
        self.setup = setup
        self.folders = {folder.id: folder for folder in folders or ()}
        present = setup.folder_id if setup.folder_id in self.folders else NEW_FOLDER
        initial = {"choice": present, "name": "" if setup.folder_is_main else setup.folder_name}
        super().__init__(*args, initial=initial, **kwargs)
        self.fields["choice"].choices = [
            (NEW_FOLDER, _("A new folder")),
            *((folder.id, label_of(folder)) for folder in self.folders.values()),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        wants_new = cleaned.get("choice") in {"", NEW_FOLDER}
        if wants_new and "name" in cleaned and not cleaned["name"]:
            self.add_error("name", _("Give the folder a name."))
        return cleaned

    def save(self) -> bool:
        """Store the choice; whether that is another folder than before."""
        chosen = self.folders.get(self.cleaned_data["choice"])
        if chosen:
            return self.setup.use_folder(chosen.name, chosen.id, is_main=chosen.is_main)
        return self.setup.use_folder(self.cleaned_data["name"])


def label_of(folder: Folder) -> Text:
    if folder.is_main:
        return _("%(folder)s: Outlook's main contacts, private ones among them") % {"folder": folder.name}
    return folder.name


@dataclass(frozen=True)
class Rule:
    """A sentence whose end is chosen: '{lead} {choice}.', and what it means for somebody."""

    field: str
    lead: Text
    example: Text


SENTENCES = [
    Rule(
        "conflict_rule",
        _("When the same field was changed differently on both sides,"),
        _("You give Anne a new mobile number in Outlook, a colleague another in the CRM. The activity log keeps both."),
    ),
    Rule(
        "removed_rule",
        _("When I delete a contact in Outlook,"),
        _("You tidy up your phone. A full sync puts back what was removed."),
    ),
    Rule(
        "trashed_rule",
        _("When a contact goes to the CRM's trash,"),
        _("Bo leaves Fabrikam. A removed copy lies in Outlook's Deleted Items, and comes back when Bo is restored."),
    ),
    Rule(
        "left_filter_rule",
        _("When a contact no longer passes my filter,"),
        _("Your filter says city Aarhus, and Bo moves to Odense."),
    ),
    Rule(
        "new_contact_rule",
        _("When I add a contact to the folder in Outlook,"),
        _("You save Carla's card after a fair. It needs a name and an e-mail; you become the salesperson."),
    ),
    Rule(
        "shared_email_rule",
        _("When several CRM contacts have the same e‑mail,"),
        _("Two people share info@fabrikam.example. The other one is listed with a way to merge them."),
    ),
    Rule(
        "sync_notes",
        _("When a contact has notes in the CRM,"),
        _("“Pays late, calls after nine”: not for every phone."),
    ),
]  # fmt: skip

IN_SHORT: dict[str, dict[Any, Text]] = {  # what most people ask of the rules, in the words of each choice
    "conflict_rule": {
        ConflictRule.CRM: pgettext_lazy("the rules in one line", "the CRM wins"),
        ConflictRule.OUTLOOK: pgettext_lazy("the rules in one line", "Outlook wins"),
        ConflictRule.ASK: _("you are asked"),
    },
    "removed_rule": {
        RemovedRule.STAY_OUT: _("deleted contacts stay out"),
        RemovedRule.PUT_BACK: _("deleted contacts are put back"),
        RemovedRule.TRASH: _("deleted contacts go to the trash"),
    },
    "sync_notes": {False: _("notes stay in the CRM"), True: _("notes are copied to Outlook")},
}

ALWAYS = [
    _("An Outlook contact with the e-mail of a CRM contact is paired with it; the CRM's values win, gaps are filled."),
    _("Contacts that you mark Private in Outlook never enter the CRM."),
    _("An edit is worth more than a deletion: what was edited on one side is kept on both."),
    _("Before very many contacts would be deleted or overwritten, the sync stops and asks you."),
]


class RulesForm(forms.ModelForm):
    """What happens when both sides differ, as sentences with a choice at the end."""

    sync_notes = forms.TypedChoiceField(
        choices=[("", _("they stay in the CRM")), ("1", _("they are copied to Outlook too"))],
        coerce=bool,
        empty_value=False,
        required=False,
    )

    class Meta:
        model = ExchangeSync
        fields = RULES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["sync_notes"] = "1" if self.instance.sync_notes else ""
        for rule in SENTENCES:
            self.fields[rule.field].label = rule.lead
            self.fields[rule.field].help_text = rule.example
        keep_locked(self, self.instance)

    def save(self, commit: bool = True) -> ExchangeSync:
        self.instance.save(update_fields=RULES)
        return self.instance

    def sentences(self) -> list[BoundField]:
        return [self[rule.field] for rule in SENTENCES]


def awaits_schedule(setup: ExchangeSync) -> bool:
    """Whether it syncs by hand only because the user has not come to the schedule, nor the organisation set one."""
    return not setup.auto_sync and setup.steps_done < LAST_STEP and not setup.organisation.is_stored


def suggests_schedule(setup: ExchangeSync) -> bool:
    """Whether the box for an automatic sync is ticked though nobody has said so: at the step that comes next."""
    return awaits_schedule(setup) and setup.steps_done == LAST_STEP - 1


class ScheduleForm(forms.ModelForm):
    interval_minutes = forms.IntegerField(
        label=_("Minutes between two syncs"),
        validators=[
            MinValueValidator(SHORTEST, _("Five minutes is the shortest.")),
            MaxValueValidator(LONGEST, _("A day, 1,440 minutes, is the longest.")),
        ],
        widget=forms.NumberInput(attrs={"min": SHORTEST, "max": LONGEST, "inputmode": "numeric"}),
        help_text=_("From 5 to 1,440, which is a day. A sync with nothing to do is one small request."),
    )

    class Meta:
        model = ExchangeSync
        fields = ["auto_sync", "interval_minutes", "daily_digest"]
        labels = {"auto_sync": _("Sync automatically"), "daily_digest": _("Send me an e-mail every morning")}
        help_texts = {
            "daily_digest": _(
                "What was synced the day before, and what waits for you. When the sync breaks we write in any case, "
                "once, and once more when it works again."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if suggests_schedule(self.instance):
            self.initial["auto_sync"] = True  # what most people want, and nothing is stored before they say so
            self.fields["auto_sync"].help_text = _("What we suggest. It counts once you have saved the schedule.")
        if not settings.EMAIL_IS_SENT:
            del self.fields["daily_digest"]
        keep_locked(self, self.instance)

    def save(self, commit: bool = True) -> ExchangeSync:
        self.instance.schedule_next()
        self.instance.save(update_fields=["auto_sync", "interval_minutes", "daily_digest", "next_sync_at"])
        return self.instance
