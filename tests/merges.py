"""Contacts that are merged and parted again, and what their owner wrote on an item meanwhile."""

from typing import Any

from contacts import merging
from contacts.models import Contact
from tests.factories import PersonFactory
from tests.scene import Salesperson


def person(first_name: str = "Anne", **fields: Any) -> Contact:
    return PersonFactory(first_name=first_name, surname="Holm", **fields)


def fresh(contact: Contact) -> Contact:
    return Contact.objects.get(pk=contact.pk)


def merge(survivor: Contact, *others: Contact, **values: Any) -> Contact:
    return merging.merge(fresh(survivor), [fresh(other) for other in others], values, by=None)


def undo(survivor: Contact) -> Contact:
    return merging.unmerge(survivor.changes.filter(source="merge").first().reference, by=None)


def touched_by_its_owner(salesperson: Salesperson, name: str) -> str:
    """The id of the item of that name, which has something on it now that the CRM knows nothing of."""
    item = salesperson.card(name)
    return salesperson.outlook.edit(item["id"], nickName="Our own", spouseName="Kim")["id"]


def is_as_its_owner_left_it(item: dict[str, Any]) -> bool:
    return (item["nickName"], item["spouseName"]) == ("Our own", "Kim")
