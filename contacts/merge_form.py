"""Which of several contacts survives a merge, and with which values."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundWidget
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.duplicates import filled
from contacts.history import label
from contacts.likeness import EMAILS, phone_digits
from contacts.models import Contact

Text = str | Promise
MOST = 5
BOTH = "both"
LOOK = {"class": "form-check-input"}
PHONES = ("phone", "phone_2", "mobile_phone", "home_phone", "fax")
LONGEST_NOTES = Contact._meta.get_field("notes").max_length


@dataclass(frozen=True)
class Unit:
    """Fields that only make sense together, and so are taken from one contact together."""

    name: str
    fields: tuple[str, ...]
    label: Text = ""


@dataclass(frozen=True)
class Slots:
    """Fields that hold values of one kind: whatever the contacts have is spread over them."""

    caption: Text
    names: tuple[str, ...]
    alike: Callable[[str], str]
    apart: tuple[str, ...] = ()  # takes none of the other fields' values, nor they its

    def spread(self, contacts: Sequence[Contact]) -> dict[str, str]:
        """Each different value of the contacts in a field: its own if that is free, else another, else none."""
        first, *others = contacts
        placed = {name: text for name in self.names if (text := getattr(first, name))}
        for contact in others:
            for name in self.names:
                text = getattr(contact, name)
                if text and self.alike(text) not in map(self.alike, placed.values()):
                    also = [] if name in self.apart else [other for other in self.names if other not in self.apart]
                    free = [field for field in (name, *also) if field not in placed]
                    placed |= {free[0]: text} if free else {}
        return placed

    def everything(self, contacts: Iterable[Contact]) -> list[str]:
        """The different values, in the order of the contacts."""
        found: dict[str, str] = {}
        for contact in contacts:
            for text in filled(contact, self.names):
                found.setdefault(self.alike(text), text)
        return list(found.values())


@dataclass(frozen=True)
class Cell:
    """One contact's part of a row: the option to pick its value, or a word where there is nothing to pick."""

    option: BoundWidget | None
    text: str = ""


@dataclass(frozen=True)
class Row:
    """A unit in which the contacts differ: a cell for each of them, and perhaps an option that takes all."""

    field: forms.BoundField
    cells: list[Cell]
    both: BoundWidget | None


class MergeForm(forms.Form):
    """One choice for everything in which the contacts differ; the rest follows. The oldest contact comes first."""

    survivor = forms.ChoiceField(label=_("Stays"), widget=forms.RadioSelect(attrs=LOOK))
    versions = forms.CharField(widget=forms.HiddenInput)

    def __init__(
        self, contacts: Sequence[Contact], data: Any = None, *, wished: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(data)
        self.contacts = list(contacts)
        self.by_pk = {str(contact.pk): contact for contact in contacts}
        self.settled: list[tuple[Text, str]] = []
        self.taken: dict[str, Contact] = {}
        self.placed: dict[str, str] = {}
        self.fields["survivor"].choices = [(pk, str(contact)) for pk, contact in self.by_pk.items()]
        self.initial = {"survivor": str(self.contacts[0].pk), "versions": self.seen}
        for unit in self.units:
            self._add_unit(unit)
        for slots in SLOTS:
            self._add_slots(slots)
        for name, value in (wished or {}).items():
            field = self.fields.get(name)
            if isinstance(field, forms.ChoiceField) and field.valid_value(value):
                self.initial[name] = value

    @property
    def units(self) -> list[Unit]:
        return PERSON_UNITS if self.contacts[0].is_person else COMPANY_UNITS

    @property
    def seen(self) -> str:
        return ",".join(f"{contact.pk}:{contact.version}" for contact in self.contacts)

    def _add_unit(self, unit: Unit) -> None:
        texts: dict[str, str] = {}
        for contact in self.contacts:
            text = text_of(contact, unit)
            if text and text not in texts.values():
                texts[str(contact.pk)] = text
        if not texts:
            return
        first = next(iter(texts))
        self.taken[unit.name] = self.by_pk[first]
        if len(texts) == 1:
            self.settled.append((unit.label or label(unit.name), texts[first]))
            return
        self.initial[unit.name] = first
        choices = list(texts.items())
        if unit.name == "notes" and sum(len(text) + 2 for text in texts.values()) <= LONGEST_NOTES:
            choices.append((BOTH, gettext("All of it, one below the other")))
            self.initial["notes"] = BOTH
        self.fields[unit.name] = forms.ChoiceField(
            label=unit.label or label(unit.name), choices=choices, widget=forms.RadioSelect(attrs=LOOK)
        )

    def _add_slots(self, slots: Slots) -> None:
        everything = slots.everything(self.contacts)
        placed = slots.spread(self.contacts)
        if len({tuple(found) for contact in self.contacts if (found := filled(contact, slots.names))}) <= 1:
            self.placed |= placed
            self.settled += [(label(name), text) for name, text in placed.items()]
            return
        for name in slots.names:
            self.fields[name] = forms.ChoiceField(
                label=label(name), choices=[("", "–"), *((text, text) for text in everything)], required=False
            )
            self.initial[name] = placed.get(name, "")

    def clean_versions(self) -> dict[int, int]:
        try:
            pairs = (pair.split(":") for pair in self.cleaned_data["versions"].split(","))
            return {int(pk): int(version) for pk, version in pairs}
        except ValueError as error:
            raise ValidationError(_("This page is broken. Open it again.")) from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for slots in SLOTS:
            used: set[str] = set()
            for name in (name for name in slots.names if name not in slots.apart):
                text = cleaned.get(name, "")
                if text and text in used:
                    self.add_error(name, _("This is chosen twice."))
                used.add(text)
        return cleaned

    @property
    def is_stale(self) -> bool:
        """Whether somebody has saved one of the contacts since the page was made. Only for a valid form."""
        return self.cleaned_data["versions"] != {contact.pk: contact.version for contact in self.contacts}

    @property
    def choices(self) -> dict[str, str]:
        """What is chosen now: by the person, or else by the form itself."""
        return {name: str(self[name].value() or "") for name in self.fields}

    @property
    def chosen_survivor(self) -> Contact:
        return self.by_pk.get(self.choices["survivor"], self.contacts[0])

    @property
    def others(self) -> list[Contact]:
        return [contact for contact in self.contacts if contact is not self.chosen_survivor]

    @property
    def others_named(self) -> str:
        return ", ".join(f"{contact} ({contact.number})" for contact in self.others)

    def values(self) -> dict[str, Any]:
        """What to assign to the survivor."""
        chosen, values = self.choices, {}
        for unit in self.units:
            source = self.by_pk.get(chosen.get(unit.name, ""), self.taken.get(unit.name))
            if source is not None:
                values |= {name: getattr(source, name) for name in unit.fields}
        if chosen.get("notes") == BOTH:
            values["notes"] = "\n\n".join(dict.fromkeys(filled_notes(self.contacts)))
        for slots in SLOTS:
            values |= {name: chosen[name] for name in slots.names if name in self.fields}
        return values | self.placed

    def result(self) -> Contact:
        """The survivor as it would be (unsaved)."""
        result = copy.copy(self.chosen_survivor)
        return result.assign(self.values(), by=None)

    def left_over(self) -> list[str]:
        """The e-mails and phones for which no field is chosen."""
        result = self.result()
        found = []
        for slots in SLOTS:
            kept = {slots.alike(text) for text in filled(result, slots.names)}
            found += [text for text in slots.everything(self.contacts) if slots.alike(text) not in kept]
        return found

    # --- For the page ---

    def survivors(self) -> list[tuple[BoundWidget, Contact]]:
        return list(zip(self["survivor"].subwidgets, self.contacts, strict=True))

    def rows(self) -> Iterator[Row]:
        for unit in self.units:
            if unit.name in self.fields:
                field = self[unit.name]
                options = {str(option.data["value"]): option for option in field.subwidgets}
                cells = [self._cell(unit, pk, options) for pk in self.by_pk]
                yield Row(field, cells, options.get(BOTH))

    def _cell(self, unit: Unit, pk: str, options: Mapping[str, BoundWidget]) -> Cell:
        if pk in options:
            return Cell(options[pk])
        return Cell(None, gettext("the same") if text_of(self.by_pk[pk], unit) else gettext("empty"))

    def slot_groups(self) -> list[tuple[Text, list[forms.BoundField]]]:
        groups = [(slots.caption, [self[name] for name in slots.names if name in self.fields]) for slots in SLOTS]
        return [group for group in groups if group[1]]


def text_of(contact: Contact, unit: Unit) -> str:
    """What the contact has in a unit, as people write it; '' for nothing."""
    if unit.name == "privacy_blocked":
        return gettext("Yes") if contact.privacy_blocked else ""
    if unit.name == "birthday":
        return formats.date_format(contact.birthday) if contact.birthday else ""
    if unit.name == "company":
        linked = f" · {contact.company.number}" if contact.company else ""
        return f"{contact.company_name}{linked}"
    parts = [getattr(contact, name) for name in unit.fields]
    if unit.name == "address":
        parts = [*parts[:2], " ".join(filter(None, parts[2:4])), parts[4], str(parts[5].name or parts[5].code or "")]
    return ("\n" if unit.name == "address" else " ").join(str(part) for part in parts if part)


def filled_notes(contacts: Iterable[Contact]) -> list[str]:
    return [contact.notes.strip() for contact in contacts if contact.notes.strip()]


COMMON = [
    Unit("home_page", ("home_page",)),
    Unit("address", ("address", "address_2", "post_code", "city", "county", "country"), _("Address")),
    Unit("salesperson", ("salesperson",)),
    Unit("territory", ("territory",)),
]
PERSON_UNITS = [
    Unit("name", ("first_name", "middle_name", "surname"), _("Name")),
    Unit("initials", ("initials",)),
    Unit("title", ("title",)),
    Unit("job_title", ("job_title",)),
    Unit("department", ("department",)),
    Unit("company", ("company", "company_name"), _("Company")),
    *COMMON,
    Unit("birthday", ("birthday",)),
    Unit("privacy_blocked", ("privacy_blocked",)),
    Unit("notes", ("notes",)),
]
COMPANY_UNITS = [
    Unit("name", ("name",), _("Name")),
    *COMMON,
    Unit("privacy_blocked", ("privacy_blocked",)),
    Unit("notes", ("notes",)),
]
SLOTS = [
    Slots(_("E-mails"), EMAILS, str.lower),
    Slots(_("Phones"), PHONES, lambda text: phone_digits(text) or text, apart=("fax",)),
]
