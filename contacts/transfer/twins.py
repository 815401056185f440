"""Rows of a file that are probably a contact of the CRM, or an earlier row of the same file.

What makes two the same is the finder's affair (contacts/likeness.py): e-mail, phone, name and company. A row that
brings a number of its own along is never taken for somebody else.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.duplicates import MOST_SHARING, PHONES, Numbers, filled
from contacts.likeness import DIGITS, EMAILS, ContactKey, Sign, keys_of, phone_number, same_number
from contacts.models import Contact
from contacts.transfer.incoming import Incoming

ADDRESS = ["address", "address_2", "post_code", "city", "county", "country"]
NOT_FILLED = {"type", "name", "number", "company", "company_name", *EMAILS, *PHONES, *ADDRESS}


class Duplicates(models.TextChoices):
    """What to do with a row that looks like somebody."""

    SAME = "same", gettext_lazy("Leave out those with the same name and e-mail")
    SKIP = "skip", gettext_lazy("Leave out")
    FILL = "fill", gettext_lazy("Fill in what is blank in the existing contact")
    ADD = "add", gettext_lazy("Add anyway")


@dataclass(frozen=True)
class Twin:
    """Who a row looks like: a contact that is stored, or one that an earlier row is about to make."""

    contact: Contact
    row: int | None
    signs: tuple[Sign, ...]

    @property
    def words(self) -> str:
        return likeness(self.kept)

    @property
    def kept(self) -> str:
        """What `likeness` reads."""
        return json.dumps([self.row or f"{self.contact.number} {self.contact}", self.signs])


def likeness(kept: str) -> str:
    """'CT000001 Anne Berg: same e-mail, similar name'; plain text as it is."""
    try:
        who, signs = json.loads(kept)
    except ValueError:
        return kept
    shared = ", ".join(str(Sign(sign).label).lower() for sign in signs)
    named = _("Row %(row)d") % {"row": who} if isinstance(who, int) else who
    return f"{named}: {shared}"


class Twins:
    """Looks for the twins of rows, a batch at a time: a constant number of queries for each batch."""

    def __init__(self, rule: Duplicates) -> None:
        self.rule = rule
        self.row_of: dict[int, int] = {}  # of the contacts that this file made so far

    def of(self, found: list[tuple[Incoming, Contact]]) -> dict[int, Twin]:
        """The twins by row, of rows with what they would become."""
        asking = [(incoming, fresh) for incoming, fresh in found if not incoming.number]
        batch = Batch([fresh for _incoming, fresh in asking], self.rule)
        twins: dict[int, Twin] = {}
        for incoming, fresh in asking:
            found_one = batch.best(fresh)
            if found_one:
                contact, row, signs = found_one
                twins[incoming.row] = Twin(contact, row or self.row_of.get(contact.pk), in_order(signs))
            if found_one is None or self.rule == Duplicates.ADD:
                batch.add(fresh, incoming.row)
        return twins


class Batch:
    """Some rows, and whoever is stored under the keys that they have."""

    def __init__(self, fresh: list[Contact], rule: Duplicates) -> None:
        self.rule = rule
        self.earlier: dict[str, tuple[Contact, int]] = {}
        self.keys = {id(contact): self._keys(contact) for contact in fresh}
        keys = {key for its in self.keys.values() for key in its}
        self.stored = self._by_key(keys) if rule != Duplicates.SAME else {}
        self._add_exact(fresh)
        self._add_nameless(keys)
        wanted = {pk for its in self.stored.values() for pk in its}
        self.contacts = Contact.objects.alive().only("number", "type", "name", "email").in_bulk(wanted)
        self.numbers = Numbers(pk for key, its in self.stored.items() if key[1] == Sign.PHONE for pk in its)

    def _keys(self, contact: Contact) -> set[str]:
        exact = set(self.keys_if_exact(contact))
        if self.rule == Duplicates.SAME:
            return exact
        return keys_of(contact) | exact or {f"{contact.type[0]}n={contact.name}"}

    def _by_key(self, keys: set[str]) -> dict[str, list[int]]:
        """Who is stored under each key, without those that more share than tells anything."""
        rows = ContactKey.objects.filter(key__in=keys)
        crowded = rows.values("key").annotate(count=Count("pk")).filter(count__gt=MOST_SHARING)
        found: dict[str, list[int]] = defaultdict(list)
        for key, pk in rows.exclude(key__in=crowded.values("key")).values_list("key", "contact_id"):
            found[key].append(pk)
        return found

    def _add_exact(self, fresh: list[Contact]) -> None:
        """The same name and the same e-mail, however many have that e-mail."""
        names = {contact.name for contact in fresh if contact.email}
        stored = Contact.objects.alive().with_email(contact.email for contact in fresh).filter(name__in=names)
        for contact in stored.only("type", "name", "email").order_by("pk"):
            for key in self.keys_if_exact(contact):
                self.stored.setdefault(key, [contact.pk])

    @staticmethod
    def keys_if_exact(contact: Contact) -> list[str]:
        return [f"{contact.type[0]}e={contact.email.lower()}\n{contact.name}"] if contact.email else []

    def _add_nameless(self, keys: set[str]) -> None:
        """Those of whom nothing but a name is known, and that is the same."""
        names = {key.partition("=")[2] for key in keys if key[1:3] == "n="}
        if names:
            for contact in Contact.objects.alive().filter(name__in=names, keys=None).only("type", "name"):
                self.stored.setdefault(f"{contact.type[0]}n={contact.name}", [contact.pk])

    def best(self, fresh: Contact) -> tuple[Contact, int | None, set[Sign]] | None:
        """Who it most surely is: stored or not, by e-mail, by its whole name, by how much is the same, the oldest."""
        shared: dict[int, set[Sign]] = defaultdict(set)
        for key in self.keys[id(fresh)]:
            for pk in self.stored.get(key, ()):
                shared[pk].add(Sign(key[1]))
        found = []
        for pk, signs in shared.items():
            signs -= set() if self.has_number_of(fresh, pk) else {Sign.PHONE}
            if signs and pk in self.contacts:
                rank = Sign.EMAIL not in signs, self.contacts[pk].name != fresh.name, -len(signs), pk
                found.append((rank, pk))
        if not found:
            return self.best_earlier(fresh)
        _rank, pk = min(found)
        return self.contacts[pk], None, shared[pk]

    def has_number_of(self, fresh: Contact, pk: int) -> bool:
        mine = [number for text in filled(fresh, PHONES) if len(number := phone_number(text)) >= DIGITS]
        theirs = self.numbers.of.get(pk, ())
        return any(same_number(one, other) for one in mine for other in theirs if len(other) >= DIGITS)

    def best_earlier(self, fresh: Contact) -> tuple[Contact, int, set[Sign]] | None:
        """The row of the same batch that has most in common with it."""
        shared: dict[int, set[Sign]] = defaultdict(set)
        rows: dict[int, Contact] = {}
        for key in self.keys[id(fresh)] & self.earlier.keys():
            contact, row = self.earlier[key]
            shared[row].add(Sign(key[1]))
            rows[row] = contact
        if not shared:
            return None
        row = min(shared, key=lambda row: (Sign.EMAIL not in shared[row], -len(shared[row]), row))
        return rows[row], row, shared[row]

    def add(self, fresh: Contact, row: int) -> None:
        for key in self.keys[id(fresh)]:
            self.earlier.setdefault(key, (fresh, row))


def in_order(signs: Iterable[Sign]) -> tuple[Sign, ...]:
    return tuple(sign for sign in Sign if sign in signs)


def blanks(contact: Contact, changes: dict[str, Any]) -> dict[str, Any]:
    """What of `changes` fills in blank fields of `contact`: an e-mail or a phone that it has already does not."""
    found = {
        name: value
        for name, value in changes.items()
        if value and name not in NOT_FILLED and not getattr(contact, name)
    }
    found |= in_free_fields(contact, changes, EMAILS, str.lower)
    found |= in_free_fields(contact, changes, PHONES, lambda text: phone_number(text) or text)
    if not any(getattr(contact, name) for name in ADDRESS):  # two halves of two addresses are none
        found |= {name: changes[name] for name in ADDRESS if changes.get(name)}
    if contact.is_person and not contact.company_name and changes.get("company_name"):
        found |= {name: changes[name] for name in ("company", "company_name") if name in changes}
    return found


def in_free_fields(contact: Contact, changes: dict[str, Any], names: Iterable[str], as_compared: Any) -> dict[str, Any]:
    """New values of a kind, each in its own field where that is blank, or else in none."""
    known = {as_compared(text) for text in filled(contact, names)}
    return {
        name: changes[name]
        for name in names
        if changes.get(name) and not getattr(contact, name) and as_compared(changes[name]) not in known
    }
