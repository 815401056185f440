"""The contact card's form."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db.models import Model, Q
from django.urls import reverse_lazy
from django.utils.formats import date_format, get_format
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from contacts import pasting
from contacts.models import Contact, ContactType
from contacts.reading import shown

GROUPS: list[tuple["str | Promise", list[str]]] = [
    (
        _("General"),
        [
            "type",
            "title",
            "initials",
            "first_name",
            "middle_name",
            "surname",
            "name",
            "company_name",
            "job_title",
            "department",
            "birthday",
        ],
    ),
    (
        _("Communication"),
        ["email", "email_2", "email_3", "home_page", "phone", "phone_2", "mobile_phone", "home_phone", "fax"],
    ),
    (_("Address"), ["address", "address_2", "post_code", "city", "county", "country"]),
    (_("Sales"), ["salesperson", "territory", "privacy_blocked"]),
    (_("Notes"), ["notes"]),
]
WIDE = {"type", "name", "address", "address_2", "notes", "privacy_blocked"}
PERSON_ONLY = {
    "first_name", "middle_name", "surname", "initials", "title", "job_title", "department", "company_name", "birthday",
}  # fmt: skip
COMPANY_ONLY = {"name"}
PHONES = ("phone", "phone_2", "mobile_phone", "home_phone", "fax")
EMAILS = ("email", "email_2", "email_3")
SEVERAL_LINES = ("address_2", "notes")
TYPED = [name for _caption, names in GROUPS for name in names if name not in ("type", "country", "salesperson")]
DATES = ["%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y"]
WHOLE_FORM = "whole-form"  # the code of a mistake that is about several fields
LONGEST_COMPANY_NAME = Contact._meta.get_field("company_name").max_length


# Without JavaScript the picker is a text field: a name or a number does.
COMPANY_PICKER = {
    "list": "companies",
    "autocomplete": "off",
    "hx-get": reverse_lazy("contacts:company-options"),
    "hx-trigger": "input changed delay:250ms",
    "hx-target": "#companies",
}


@dataclass(frozen=True)
class CardField:
    """A field as the card's form shows it; with what somebody else made of it meanwhile, where that matters."""

    bound: forms.BoundField
    theirs: str | None = None
    taken: bool = False

    @property
    def wide(self) -> bool:
        return self.bound.name in WIDE

    @property
    def is_checked(self) -> bool:
        """Whether it is looked at when one leaves it: what is picked cannot be wrong."""
        return self.bound.name in TYPED and self.bound.name != "privacy_blocked"

    @property
    def only_for(self) -> str:
        return (
            "for-person" if self.bound.name in PERSON_ONLY else "for-company" if self.bound.name in COMPANY_ONLY else ""
        )

    @property
    def side(self) -> str:
        """Where it stands when there are two columns; "" is where it comes to stand."""
        name = self.bound.name
        return "is-left" if name in (*EMAILS, "home_page") else "is-right" if name in PHONES else ""


class ContactForm(forms.ModelForm):
    """A contact card. `version` and `base` remember what the person saw, so that nobody overwrites an edit unseen."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    base = forms.CharField(widget=forms.HiddenInput, required=False)
    created_with = forms.UUIDField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Contact
        fields = [name for _caption, names in GROUPS for name in names]
        widgets = {
            "type": forms.RadioSelect,
            "birthday": forms.DateInput,
            "address_2": forms.Textarea(attrs={"rows": 2}),
            "notes": forms.Textarea(attrs={"rows": 6}),
            "email": forms.TextInput(attrs={"inputmode": "email"}),
            "email_2": forms.TextInput(attrs={"inputmode": "email"}),
            "email_3": forms.TextInput(attrs={"inputmode": "email"}),
            "home_page": forms.TextInput(attrs={"inputmode": "url"}),
        } | {name: forms.TextInput(attrs={"type": "tel"}) for name in PHONES}
        labels = {"company_name": _("Company")}
        help_texts = {"company_name": _("Type a name or a number. If the CRM has it, the two are linked.")}

    def __init__(
        self, *args: Any, theirs: Mapping[str, str] | None = None, taken: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.theirs = theirs or {}
        self.taken = taken or {}
        self.fields["salesperson"].queryset = salespeople(self.instance.salesperson_id)
        self.fields["salesperson"].empty_label = "–"
        self.fields["country"].choices = [("", "–"), *list(self.fields["country"].choices)[1:]]
        self.fields["company_name"].widget.attrs |= COMPANY_PICKER
        self._prepare_birthday()
        self._prepare_lengths()
        if not self.instance._state.adding:
            self.initial |= {"version": self.instance.version, "base": json.dumps(snapshot(self.instance))}
        if self.is_bound:
            self.data = self._without_pasted()

    def _prepare_birthday(self) -> None:
        """As text, in the reader's own order: a date picker would drop a wrong date without a word."""
        field, example = self.fields["birthday"], date_format(date(1980, 5, 31), "SHORT_DATE_FORMAT")
        field.input_formats = DATES
        field.widget.format = "".join(f"%{part}" if part in "dmY" else part for part in get_format("SHORT_DATE_FORMAT"))
        field.widget.attrs["autocomplete"] = "off"
        field.help_text = gettext("Such as %(example)s.") % {"example": example}
        field.error_messages["invalid"] = gettext("This is no date. Write it like %(example)s.") % {"example": example}

    def _prepare_lengths(self) -> None:
        """Too long a text is told about; a browser would cut off what is pasted without a word."""
        for name in TYPED:
            self.fields[name].widget.attrs.pop("maxlength", None)
            for validator in self.fields[name].validators:
                if isinstance(validator, MaxLengthValidator):
                    validator.message = _("Write at most %(limit_value)d characters; these are %(show_value)d.")

    def _without_pasted(self) -> Mapping[str, Any]:
        """What was typed, without invisible characters and the like. What is stored already stays as it is."""
        data = self.data.copy()
        for name in TYPED:
            typed = data.get(name)
            if isinstance(typed, str) and text_of(typed) != text_of(self.initial.get(name)):
                data[name] = CLEANERS.get(name, pasting.line)(typed)
        return data

    def own_errors(self, name: str) -> list[str]:
        """What is wrong with this field by itself, whatever the others hold."""
        found = self.errors.as_data().get(name, [])
        return [message for error in found if error.code != WHOLE_FORM for message in error.messages]

    @property
    def groups(self) -> list[tuple["str | Promise", list[CardField]]]:
        return [(caption, [self._card_field(name) for name in names]) for caption, names in GROUPS]

    def _card_field(self, name: str) -> CardField:
        return CardField(self[name], self.theirs.get(name), name in self.taken)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if len(name) > LONGEST_COMPANY_NAME:
            raise ValidationError(
                _("A company's name has at most %(count)d characters."), params={"count": LONGEST_COMPANY_NAME}
            )
        return name

    def clean_company_name(self) -> str:
        """The company's own name, where the text names one; `company` becomes that company."""
        text = self.cleaned_data["company_name"]
        if self.instance.company and text == self.instance.company_name:
            self.cleaned_data["company"] = self.instance.company
            return text
        company = find_company(text)
        self.cleaned_data["company"] = company
        return company.name if company else text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("type") == ContactType.COMPANY:
            self._clean_company(cleaned)
        elif cleaned.get("type") == ContactType.PERSON:
            self._clean_person(cleaned)
        return cleaned

    def _clean_company(self, cleaned: dict[str, Any]) -> None:
        if not cleaned.get("name") and "name" not in self.errors:
            self.add_error("name", _("A company needs a name."))
        for name in PERSON_ONLY:
            cleaned[name] = None if name == "birthday" else ""
            self.errors.pop(name, None)
        cleaned["company"] = None

    def _clean_person(self, cleaned: dict[str, Any]) -> None:
        cleaned["name"] = ""
        self.errors.pop("name", None)
        if not any(cleaned.get(name) for name in ("first_name", "middle_name", "surname", "email")):
            self.add_error("first_name", ValidationError(_("A person needs a name or an e-mail."), code=WHOLE_FORM))
        if not self.instance._state.adding and (count := self.instance.people.count()):
            message = ngettext(
                "%(count)d person belongs to this company. Move them first.",
                "%(count)d people belong to this company. Move them first.",
                count,
            )
            self.add_error("type", message % {"count": count})

    def save_by(self, user: Model) -> Contact:
        """The contact as stored. Raises StaleContact where somebody saved since this form was opened."""
        changes = {name: self.cleaned_data[name] for name in [*self.Meta.fields, "company"]}
        if self.instance._state.adding:
            changes["created_with"] = self.cleaned_data["created_with"]
        else:
            self.instance.version = self.cleaned_data["version"] or 0
        return self.instance.write(changes, by=user)

    def merged_with(self, stored: Contact) -> "ContactForm":
        """This form on top of what somebody else stored meanwhile: nothing of either is lost.

        A field that only they changed takes their value; one that both changed keeps mine, with theirs beside it.
        """
        now, base = snapshot(stored), self._base()
        mine = {name: text_of(self.data.get(name, "")) for name in now}
        mine["birthday"] = text_of(self.cleaned_data["birthday"])
        taken = {name: now[name] for name in now if now[name] != base.get(name) and mine[name] == base.get(name)}
        both = [name for name in now if now[name] not in (base.get(name), mine[name]) and name not in taken]
        theirs = {name: self._words(name, now[name]) for name in both}
        data = mine | taken | {"version": stored.version, "base": json.dumps(now)}
        return ContactForm(data, instance=stored, theirs=theirs, taken=taken)

    def _words(self, name: str, text: str) -> str:
        """`text`, an input's value, as a person reads it."""
        field = self.fields[name]
        if isinstance(field, forms.BooleanField):
            return gettext("Yes") if text else gettext("No")
        if isinstance(field, forms.ChoiceField):
            return next((str(label) for value, label in field.choices if str(value) == text), text)
        return shown(name, text)

    def _base(self) -> dict[str, Any]:
        try:
            base = json.loads(self.data.get("base", ""))
        except ValueError:
            return {}
        return base if isinstance(base, dict) else {}


def snapshot(contact: Contact) -> dict[str, str]:
    """The card's fields as the form's inputs hold them."""
    values = forms.model_to_dict(contact, ContactForm.Meta.fields)
    return {name: text_of(value) for name, value in values.items()}


def text_of(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "on" if value is True else str(value).replace("\r\n", "\n").strip()


def salespeople(current: int | None) -> Any:
    """Who may be made salesperson: those who may sign in, and the one who is it already."""
    return get_user_model().objects.filter(Q(is_active=True) | Q(pk=current))


def find_company(text: str) -> Contact | None:
    """The one company with this number or name; None where there is none. ValidationError where there are several."""
    if not text:
        return None
    companies = Contact.objects.alive().companies().order_by("pk")
    found = list(companies.filter(Q(number=text.upper()) | Q(name=text))[:6])
    found = found or list(companies.filter(name__folded=text.lower())[:6])
    if len(found) > 1:
        choices = ", ".join(
            f"{company.number} ({company.city})" if company.city else company.number for company in found
        )
        raise ValidationError(
            gettext("Several companies are called that: %(choices)s. Write the number.") % {"choices": choices}
        )
    return found[0] if found else None


CLEANERS: dict[str, Callable[[str], str]] = (
    dict.fromkeys(SEVERAL_LINES, pasting.lines)
    | dict.fromkeys(EMAILS, pasting.email)
    | dict.fromkeys(PHONES, pasting.phone)
    | {"home_page": pasting.web}
)
