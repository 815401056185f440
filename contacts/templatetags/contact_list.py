"""What a cell of the Contacts list holds."""

from collections.abc import Mapping
from typing import Any

from django import template

from contacts.columns import Column
from contacts.extra_column import Mark
from contacts.models import Contact

register = template.Library()


@register.filter
def cell(contact: Contact, column: Column) -> Any:
    """The contact's value in a column, as it is shown; a moment as it is."""
    return column.value(contact)


@register.filter
def label(contact: Contact, column: Column) -> Any:
    """What has to stand before the value where the table has no heads."""
    return column.says(contact)


@register.filter
def of(marks: Mapping[int, Mark], contact: Contact) -> Mark | None:
    """The mark of one contact."""
    return marks.get(contact.pk)
