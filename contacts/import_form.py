"""The forms of the import: the file, and what its columns hold."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.transfer import google
from contacts.transfer.columns import CHOICES, GUESSED
from contacts.transfer.headings import PRIVATE, STREETS, is_caption
from contacts.transfer.report import label
from contacts.uploads import Upload

LARGEST_FILE = 25 << 20
CAPTIONS: dict[str, "str | Promise"] = {
    "name": _("Full name, or a company's name"),
    "company": _("Company: its number or name, which the CRM must have"),
    "company_name": _("Company's name"),
    STREETS[0]: _("Street, first line"),
    STREETS[1]: _("Street, second line"),
    STREETS[2]: _("Street, third line"),
    PRIVATE: _("Private: leaves the row out"),
}


class UploadForm(forms.Form):
    """A file to import."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV: one of ours, what Outlook or Google Contacts exports, or any table with a header."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
        error_messages={"empty": _("The file is empty."), "required": _("Choose a file first.")},
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise ValidationError(_("The file is larger than %(limit)d MB."), params={"limit": LARGEST_FILE >> 20})
        return file


class ColumnsForm(forms.Form):
    """What each column of an upload holds. Those without a value in the file are left as they are."""

    def __init__(self, *args: Any, upload: Upload, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.upload = upload
        self.shown = [place for place, column in enumerate(upload.columns) if column["example"] or column["name"]]
        for place in self.shown:
            column = upload.columns[place]
            field = forms.ChoiceField(choices=choices_for(column["name"]), required=False, initial=column["name"])
            field.label = column["heading"] or gettext("Column %(number)d") % {"number": place + 1}
            self.fields[f"column-{place}"] = field

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each column with its field; the ones to decide about first."""
        rows = [
            {
                "field": self[f"column-{place}"],
                "example": column["example"],
                "is_guess": column["surety"] == GUESSED and not is_caption(column["heading"], column["name"]),
                "is_open": not column["name"],
            }
            for place in self.shown
            for column in [self.upload.columns[place]]
        ]
        return sorted(rows, key=lambda row: not (row["is_guess"] or row["is_open"]))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        taken: set[str] = set()
        for name, value in list(cleaned.items()):
            if value and value in taken:
                self.add_error(name, _("Another column holds that already. Choose one of the two."))
            taken.add(value)
        if not any(cleaned.values()) and not self.errors:
            raise ValidationError(_("Say of at least one column what it holds."))
        return cleaned

    @property
    def names(self) -> list[str]:
        """The field of every column of the file."""
        names = self.upload.fields
        for place in self.shown:
            names[place] = self.cleaned_data[f"column-{place}"]
        return names


def choices_for(name: str) -> list[tuple[str, "str | Promise"]]:
    special = [(name, _("As Google Contacts labels it"))] if google.is_numbered(name) else []
    return [("", _("(not used)")), *special, *((choice, CAPTIONS.get(choice) or label(choice)) for choice in CHOICES)]
