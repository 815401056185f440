"""Finding contacts that are probably the same, by the keys that they share. See contacts/likeness.py."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from django.db.models import Count, Model, Q, QuerySet

from contacts.likeness import (
    DIGITS,
    EMAILS,
    OWN_PHONES,
    SHARED_PHONES,
    ContactKey,
    NotDuplicates,
    Sign,
    phone_digits,
    phone_number,
    same_number,
)
from contacts.models import Contact

MOST_SHARING = 20  # a key that more contacts share tells nothing about any two of them
MOST_ROWS = 20_000
CAUTION = 5

Pair = tuple[int, int]


@dataclass(frozen=True)
class Group:
    """Contacts, by their primary keys, of whom each shares something with another; the oldest comes first."""

    members: tuple[int, ...]
    signs: tuple[Sign, ...]


class Finder:
    """Everybody who is probably somebody else, in groups, the surest first.

    One query reads the keys that several contacts share, at most `MOST_ROWS` of them; the rest comes up when these are
    done with. So what is looked at grows with the duplicates that there are, not with the contacts.
    """

    @cached_property
    def rows(self) -> list[tuple[str, int]]:
        shared = ContactKey.objects.values("key").annotate(count=Count("pk")).filter(count__range=(2, MOST_SHARING))
        rows = ContactKey.objects.filter(key__in=shared.values("key")).order_by("key")
        return list(rows.values_list("key", "contact_id")[:MOST_ROWS])

    @property
    def is_cut(self) -> bool:
        """Whether there are more than were looked at."""
        return len(self.rows) == MOST_ROWS

    @cached_property
    def groups(self) -> list[Group]:
        linked = Linked()
        told_apart = set(NotDuplicates.objects.values_list("first_id", "second_id"))
        for pair, signs in self._pairs().items():
            if pair not in told_apart:
                linked.join(pair, signs)
        return sorted(linked.groups(), key=strength)

    def _pairs(self) -> dict[Pair, set[Sign]]:
        """What any two have in common."""
        sharing: dict[str, list[int]] = defaultdict(list)
        for key, contact_id in self.rows:
            sharing[key].append(contact_id)
        numbers = Numbers(contact_id for key, contact_id in self.rows if key[1] == Sign.PHONE)
        pairs: dict[Pair, set[Sign]] = defaultdict(set)
        for key, members in sharing.items():
            sign = Sign(key[1])
            for pair in combinations(sorted(members), 2):
                if sign != Sign.PHONE or numbers.are_shared(*pair):
                    pairs[pair].add(sign)
        return pairs


class Numbers:
    """The phone numbers of contacts, in full: those that end alike may still be of different places."""

    def __init__(self, contacts: Iterable[int]) -> None:
        rows = Contact.objects.filter(pk__in=set(contacts)).values_list("pk", *PHONES)
        self.of = {pk: [number for phone in phones if (number := phone_number(phone))] for pk, *phones in rows}

    def are_shared(self, one: int, other: int) -> bool:
        mine, theirs = ([number for number in self.of.get(pk, ()) if len(number) >= DIGITS] for pk in (one, other))
        return any(same_number(number, their) for number in mine for their in theirs)


class Linked:
    """Pairs grown together into groups."""

    def __init__(self) -> None:
        self.group_of: dict[int, set[int]] = {}
        self.signs_of: dict[int, set[Sign]] = defaultdict(set)

    def join(self, pair: Pair, signs: set[Sign]) -> None:
        one, other = (self.group_of.setdefault(member, {member}) for member in pair)
        if one is not other:
            one |= other
            for member in other:
                self.group_of[member] = one
        self.signs_of[pair[0]] |= signs

    def groups(self) -> Iterable[Group]:
        for members in {id(group): group for group in self.group_of.values()}.values():
            found = set().union(*(self.signs_of.get(member, ()) for member in members))
            yield Group(tuple(sorted(members)), tuple(sign for sign in Sign if sign in found))


def strength(group: Group) -> tuple[Any, ...]:
    """Sorts the surest first: by e-mail, then by how much is the same, then the oldest contact."""
    return Sign.EMAIL not in group.signs, -len(group.signs), group.members


@dataclass(frozen=True)
class Likeness:
    """A group as it is shown: its contacts, and which of their e-mails and phones they share."""

    contacts: list[Contact]
    signs: tuple[Sign, ...]
    shared: frozenset[str]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "contact": contact,
                "emails": [(text, text.lower() in self.shared) for text in filled(contact, EMAILS)],
                "phones": [(text, phone_digits(text) in self.shared) for text in filled(contact, PHONES)],
            }
            for contact in self.contacts
        ]


def shown(groups: Sequence[Group]) -> list[Likeness]:
    """These groups with their contacts, in two queries."""
    members = [member for group in groups for member in group.members]
    contacts = Contact.objects.alive().select_related("salesperson").in_bulk(members)
    return [likeness([contacts[pk] for pk in group.members if pk in contacts], group.signs) for group in groups]


def likeness(contacts: list[Contact], signs: tuple[Sign, ...] = ()) -> Likeness:
    seen: dict[str, int] = defaultdict(int)
    for contact in contacts:
        values = {text.lower() for text in filled(contact, EMAILS)}
        values |= {digits for text in filled(contact, PHONES) if (digits := phone_digits(text))}
        for value in values:
            seen[value] += 1
    return Likeness(contacts, signs, frozenset(value for value, count in seen.items() if count > 1))


def filled(contact: Contact, names: Iterable[str]) -> list[str]:
    return [text for name in names if (text := getattr(contact, name))]


@dataclass(frozen=True)
class Alike:
    """A contact that is probably the same as another one, with what they share."""

    contact: Contact
    signs: tuple[Sign, ...]

    @property
    def shared(self) -> str:
        """'same e-mail, similar name'."""
        return ", ".join(str(sign.label).lower() for sign in self.signs)


def like(contact: Contact) -> list[Alike]:
    """The contacts that are probably the same as this one. At most four queries."""
    keys = contact.keys.values("key")
    crowded = ContactKey.objects.filter(key__in=keys).values("key").annotate(count=Count("pk"))
    rows = ContactKey.objects.filter(key__in=keys).exclude(contact=contact)
    rows = rows.exclude(key__in=crowded.filter(count__gt=MOST_SHARING).values("key")).values_list("contact_id", "key")
    signs: dict[int, set[Sign]] = defaultdict(set)
    for pk, key in rows[: CAUTION * MOST_SHARING]:
        signs[pk].add(Sign(key[1]))
    if any(Sign.PHONE in found for found in signs.values()):
        numbers = Numbers([contact.pk, *signs])
        for pk in signs:
            signs[pk] -= set() if numbers.are_shared(contact.pk, pk) else {Sign.PHONE}
    apart = told_apart_from(contact) if signs else set()
    signs = {pk: found for pk, found in signs.items() if found and pk not in apart}
    found = Contact.objects.alive().in_bulk(sorted(signs)[:CAUTION])
    return [Alike(other, tuple(sign for sign in Sign if sign in signs[pk])) for pk, other in sorted(found.items())]


def told_apart_from(contact: Contact) -> set[int]:
    pairs = NotDuplicates.objects.filter(Q(first=contact) | Q(second=contact)).values_list("first_id", "second_id")
    return {pk for pair in pairs for pk in pair} - {contact.pk}


def tell_apart(contacts: Iterable[Contact], *, by: Model) -> None:
    """Remember that no two of these are the same."""
    pairs = combinations(sorted(contact.pk for contact in contacts), 2)
    rows = [NotDuplicates(first_id=first, second_id=second, by=by) for first, second in pairs]
    NotDuplicates.objects.bulk_create(rows, ignore_conflicts=True)


def consider_again(contacts: Iterable[Contact]) -> None:
    """Forget that any two of these were told apart."""
    keys = [contact.pk for contact in contacts]
    NotDuplicates.objects.filter(first__in=keys, second__in=keys).delete()


def set_aside() -> QuerySet[NotDuplicates]:
    """The pairs that were told apart, newest first, unless one of them is in the trash."""
    pairs = NotDuplicates.objects.filter(first__deleted_at=None, second__deleted_at=None)
    return pairs.select_related("first__salesperson", "second__salesperson", "by")


PHONES = (*SHARED_PHONES, *OWN_PHONES)
