"""What a contact holds in a field that a filter may be set on, as people write it."""

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.reading import shown

LONGEST = 80


def value_of(contact: Contact, name: str) -> str:
    """The value beside which the filter's expression is read; '' for nothing."""
    value: Any = getattr(contact, name)
    if name == "type":
        return contact.get_type_display()
    if name == "privacy_blocked":
        return _("Yes") if value else _("No")
    if name == "company":
        return value.number if value else ""
    if name in ("salesperson", "modified_by"):
        return (value.code or value.email) if value else ""
    if name in ("created_at", "modified_at"):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if name == "country":
        return f"{value.code} ({value.name})" if value else ""
    text = shown(name, value.isoformat() if name == "birthday" and value else str(value or ""))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
