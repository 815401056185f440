"""What to do with the contacts that were picked: one form for each act, which says it in words before and after."""

from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from contacts.forms import COMPANY_PICKER, find_company, salespeople
from contacts.models import Contact

LEFT = ("", _("As it is"))


class ActForm(forms.Form):
    """An act on contacts. Its texts are for `counted`."""

    title: ClassVar[Any]
    button: ClassVar[Any]
    done: ClassVar[Any]
    follows: ClassVar[Any] = ""
    icon: ClassVar[str] = "pencil"
    is_dangerous: ClassVar[bool] = False

    @property
    def values(self) -> dict[str, Any]:
        """What to assign. For a valid form."""
        raise NotImplementedError


class AssignForm(ActForm):
    title = ngettext_lazy("Assign %(shown)s contact", "Assign %(shown)s contacts", "count")
    button = ngettext_lazy("Assign %(shown)s contact", "Assign %(shown)s contacts", "count")
    done = ngettext_lazy("%(shown)s contact was assigned.", "%(shown)s contacts were assigned.", "count")
    icon = "user-check"

    NOBODY = "nobody"

    salesperson = forms.ChoiceField(label=_("Salesperson"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(user.pk): user for user in salespeople(None)}
        people = [(key, str(user)) for key, user in self.people.items()]
        self.fields["salesperson"].choices = [("", _("Choose …")), *people, (self.NOBODY, _("Nobody"))]

    @property
    def values(self) -> dict[str, Any]:
        return {"salesperson": self.people.get(self.cleaned_data["salesperson"])}


class EditForm(ActForm):
    """A field that is left blank stays as it is, unless it is ticked to be emptied."""

    title = ngettext_lazy("Edit %(shown)s contact", "Edit %(shown)s contacts", "count")
    button = ngettext_lazy("Change %(shown)s contact", "Change %(shown)s contacts", "count")
    done = ngettext_lazy("%(shown)s contact was changed.", "%(shown)s contacts were changed.", "count")
    follows = _("What you leave blank stays as it is.")

    NAMES = ("company_name", "job_title", "department", "post_code", "city", "county", "country", "territory")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= forms.fields_for_model(Contact, self.NAMES, labels={"company_name": _("Company")})
        self.fields["company_name"].widget.attrs |= COMPANY_PICKER
        self.fields["country"].choices = [LEFT, *list(self.fields["country"].choices)[1:]]
        self.fields["privacy_blocked"] = forms.ChoiceField(
            label=Contact._meta.get_field("privacy_blocked").verbose_name, required=False,
            choices=[LEFT, ("yes", _("Yes")), ("no", _("No"))],
        )  # fmt: skip
        labels = [(name, self.fields[name].label) for name in self.NAMES]
        self.fields["empty"] = forms.MultipleChoiceField(
            label=_("Empty these fields"), required=False, choices=labels, widget=forms.CheckboxSelectMultiple
        )

    def clean_company_name(self) -> str:
        """The company's own name, where the text names one; `company` becomes that company."""
        text = self.cleaned_data["company_name"]
        self.cleaned_data["company"] = company = find_company(text)
        return company.name if company else text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in cleaned.get("empty", ()):
            if cleaned.get(name):
                self.add_error(name, _("Either write something here, or have it emptied."))
        if not self.errors and not self.values:
            self.add_error(None, _("Say what to change: nothing is filled in."))
        return cleaned

    @property
    def values(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        values = {name: cleaned[name] for name in self.NAMES if cleaned[name]}
        values |= dict.fromkeys(cleaned["empty"], "")
        if "company_name" in values:
            values["company"] = cleaned["company"] if values["company_name"] else None
        if cleaned["privacy_blocked"]:
            values["privacy_blocked"] = cleaned["privacy_blocked"] == "yes"
        return values


class TrashForm(ActForm):
    title = ngettext_lazy("Move %(shown)s contact to the trash?", "Move %(shown)s contacts to the trash?", "count")
    button = ngettext_lazy("Move %(shown)s to the trash", "Move %(shown)s to the trash", "count")
    done = ngettext_lazy(
        "%(shown)s contact was moved to the trash, from where you can restore it.",
        "%(shown)s contacts were moved to the trash, from where you can restore them.",
        "count",
    )
    follows = ngettext_lazy(
        "It stays in the trash for 30 days. Whether any copies in Outlook go too depends on each salesperson's rules.",
        "They stay in the trash for 30 days. Whether any copies in Outlook go too depends on each salesperson's rules.",
        "count",
    )
    icon = "trash-2"
    is_dangerous = True

    @property
    def values(self) -> dict[str, Any]:
        return {"deleted_at": timezone.now()}


class RestoreForm(ActForm):
    title = ngettext_lazy("Restore %(shown)s contact?", "Restore %(shown)s contacts?", "count")
    button = ngettext_lazy("Restore %(shown)s contact", "Restore %(shown)s contacts", "count")
    done = ngettext_lazy(
        "%(shown)s contact is back from the trash.", "%(shown)s contacts are back from the trash.", "count"
    )
    icon = "undo-2"

    @property
    def values(self) -> dict[str, Any]:
        return {"deleted_at": None}


ACTS: dict[str, type[ActForm]] = {"assign": AssignForm, "edit": EditForm, "trash": TrashForm, "restore": RestoreForm}
