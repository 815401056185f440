"""Contacts that a person picked in the list, by their numbers or all that it shows; and what they were when picked."""

from array import array
from collections.abc import Iterator
from hashlib import blake2b

from django.db.models import Model
from django.http import QueryDict
from django.utils.functional import cached_property

from contacts.listing import Listing
from contacts.models import Contact, ContactQuerySet

READ_AT_ONCE = 5_000
Version = tuple[int, int]


class Selection:
    """What a request's parameters pick: each `contact`, or with `all` whatever the list at address `query` shows."""

    def __init__(self, params: QueryDict, me: Model) -> None:
        self.numbers = params.getlist("contact")
        self.is_all = params.get("all") == "1"
        self.listing = Listing(QueryDict(params.get("query", "")), me)

    @cached_property
    def contacts(self) -> ContactQuerySet:
        if self.is_all:
            return self.listing.contacts
        contacts = Contact.objects.trashed() if self.listing.in_trash else Contact.objects.alive()
        return contacts.numbered(self.numbers).order_by("name", "pk")

    @cached_property
    def versions(self) -> "Versions":
        return Versions(self.contacts)

    @property
    def params(self) -> QueryDict:
        """The parameters that pick the same again."""
        params = QueryDict(mutable=True)
        params["query"] = self.listing.address
        if self.is_all:
            params["all"] = "1"
        else:
            params.setlist("contact", self.numbers)
        return params


class Versions:
    """Keys and versions of many contacts: sixteen bytes each, so that 100,000 fit anywhere."""

    def __init__(self, contacts: ContactQuerySet) -> None:
        self.keys, self.numbers = array("q"), array("q")
        rows = contacts.order_by("pk").values_list("pk", "version")
        for pk, version in rows.iterator(chunk_size=READ_AT_ONCE):
            self.keys.append(pk)
            self.numbers.append(version)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def seal(self) -> str:
        """The same for the same contacts in the same versions, and for nothing else."""
        return blake2b(self.keys.tobytes() + self.numbers.tobytes(), digest_size=16).hexdigest()

    def chunks(self, size: int) -> Iterator[list[Version]]:
        for start in range(0, len(self), size):
            end = start + size
            yield list(zip(self.keys[start:end], self.numbers[start:end], strict=True))
