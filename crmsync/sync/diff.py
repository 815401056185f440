"""Before and after for reading: a field's caption, both values as people write them, and the part that differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact
from contacts.reading import Marked, mark, shown
from crmsync.sync.choices import Reason
from crmsync.sync.words import Text


@dataclass(frozen=True)
class FieldChange:
    label: Text
    before: Marked
    after: Marked


@dataclass(frozen=True)
class Conflict:
    """A field that both sides changed differently. `kept` is the side whose value won, '' while nobody decided."""

    label: Text
    base: str
    crm: str
    outlook: str
    kept: str
    name: str = ""
    can_change: bool = False  # the contact still holds what won, so the other value can be used instead


STAMPS = {"marker", "link"}  # the engine's own signs on an Outlook item; they mean nothing to a reader
LABELS: dict[str, Text] = {"categories": _("Categories"), "display_name": _("Display name")}


def field_label(name: str) -> Text:
    try:
        return LABELS.get(name) or Contact._meta.get_field(name).verbose_name
    except FieldDoesNotExist:
        return name


def field_change(name: str, before: Any, after: Any) -> FieldChange:
    return FieldChange(field_label(name), *mark(shown(name, before), shown(name, after)))


def conflict(name: str, values: Mapping[str, Any], *, can_change: bool = False) -> Conflict:
    texts = {part: shown(name, values.get(part)) for part in ("base", "crm", "outlook")}
    kept = str(values.get("kept") or "")
    return Conflict(field_label(name), kept=kept, name=name, can_change=can_change, **texts)


def readable_detail(reason: str, detail: str) -> str:
    """What the engine noted beside a reason, with the fields' captions in place of their names."""
    if reason in {Reason.CONFLICT, Reason.CHANGED_SINCE}:
        return ", ".join(str(field_label(name)) for name in detail.split(", ")) if detail else ""
    name, colon, value = detail.partition(": ")
    if reason in {Reason.TOO_LONG, Reason.NOT_UNDERSTOOD} and colon:
        return f"{field_label(name)}: {value[:200]}"
    return detail
