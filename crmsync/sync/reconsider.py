"""Another word on a conflict that a rule has settled: "use the other value instead". An edit of the contact like any
other, which the next sync carries to Outlook and journals."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from contacts.models import Contact
from crmsync.sync.choices import ChangeOutcome, LinkState, Side
from crmsync.sync.fields import BY_NAME, complete, same
from crmsync.sync.mapping import contact_fields, contact_values
from crmsync.sync.models import ContactLink, SyncChange


class NoLongerSo(Exception):
    """What the rule kept is no longer what both sides hold: nothing was written."""


def losers(change: SyncChange, contact: Contact | None) -> dict[str, str]:
    """The fields that a rule settled and of which the contact still holds the value that won: {name: the other one}."""
    if contact is None or contact.is_trashed or change.outcome != ChangeOutcome.DONE:
        return {}
    now = contact_fields(contact)
    settled = {name: values for name, values in change.conflicts.items() if name in BY_NAME and name != "notes"}
    return {
        name: loser(values)
        for name, values in settled.items()
        if values.get("kept") in Side.values and same(name, now[name], values[values["kept"]])
    }


def loser(values: Mapping[str, Any]) -> str:
    return values[Side.OUTLOOK if values["kept"] == Side.CRM else Side.CRM]


@transaction.atomic
def use_other(change: SyncChange, name: str, *, by: AbstractBaseUser) -> Contact:
    """Give the contact the value of the field that lost; the contact. Raises NoLongerSo."""
    contact = Contact.objects.select_for_update(of=["self"]).filter(pk=change.contact_id).first()
    other = losers(change, contact)
    if contact is None or name not in other or waits_in_outlook(change, name):
        raise NoLongerSo
    values: dict[str, Any] = contact_values({name: other[name]})
    if name == "company_name":
        companies = list(Contact.objects.alive().companies().filter(name=other[name])[:2]) if other[name] else []
        values["company"] = companies[0] if len(companies) == 1 else None
    return contact.write(values, by=by)


def waits_in_outlook(change: SyncChange, name: str) -> bool:
    """Whether Outlook holds an edit of the field that no sync has carried over yet."""
    link = ContactLink.objects.filter(setup=change.run.setup_id, contact=change.contact_id).first()
    if link is None or link.state != LinkState.LINKED or link.outlook is None:
        return False
    return not same(name, complete(link.outlook)[name], complete(link.base_outlook)[name])
