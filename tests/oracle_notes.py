"""What the oracle goes by: the notes that a history keeps of what people did, and both sides as a person sees them."""

from dataclasses import dataclass, field
from typing import Any, Self

from contacts.models import Contact
from crmsync.sync.models import ContactLink
from tests.scene import Salesperson, fax_of

Json = dict[str, Any]
TEXTS = {"first_name": "givenName", "surname": "surname", "initials": "initials", "job_title": "jobTitle"}


@dataclass
class Notes:
    """What people did, as far as it says what may be found at the end. People are told apart by their initials."""

    written: set[str] = field(default_factory=set)  # texts that occur once in the world, as somebody wrote them
    overwritten: set[str] = field(default_factory=set)  # those that somebody saw and wrote over
    own: dict[str, Json] = field(default_factory=dict)  # by item: what only the user has, and we must not touch
    theirs: set[str] = field(default_factory=set)  # items that a user made or has written
    taken_away: set[str] = field(default_factory=set)  # items that a user removed or moved out, or had removed
    brought_back: set[str] = field(default_factory=set)  # people of whom a user put an old or an unseen item there
    trashed: set[str] = field(default_factory=set)
    unwanted: set[str] = field(default_factory=set)  # people set to "never"
    erased: set[str] = field(default_factory=set)  # people erased, of whom no old item had been brought back by then
    undone: set[str] = field(default_factory=set)  # people of whom somebody took a change back
    made_anew: set[str] = field(default_factory=set)  # people of whom a user cut the item, and made another one
    replaced: set[str] = field(default_factory=set)  # the items that were cut, if the other one was made at once
    copied: set[str] = field(default_factory=set)  # people of whom a user made a copy of the item
    merged: set[str] = field(default_factory=set)  # people who were put together with somebody
    stays: set[str] = field(default_factory=set)  # people of the CRM whose like in Outlook became somebody else
    secret: dict[str, str] = field(default_factory=dict)  # by item: what was written in it when it was made private
    unsaid: dict[str, set[str]] = field(default_factory=dict)  # by mailbox: notes that it may not show
    may_trash: bool = False  # a mailbox had the rule that a removal takes the contact to the trash
    may_leave: bool = False  # a mailbox had the rule that what leaves the filter leaves Outlook

    def write(self, old: str, new: str) -> None:
        """Somebody who saw `old` wrote `new` in its place."""
        self.overwritten.add(old)
        if new:
            self.written.add(new)


@dataclass
class Seen:
    """All that a mailbox holds, read once, and what the links say of it."""

    person: Salesperson
    folders: dict[str, dict[str, Json]]  # by the folder's id: its items by theirs
    names: dict[str, str]
    links: list[ContactLink]

    @classmethod
    def of(cls, person: Salesperson) -> Self:
        person.setup.refresh_from_db()
        folders = [folder for folder in person.outlook.folders() if not folder["deleted"]]
        return cls(
            person,
            {folder["id"]: items_of(person, folder) for folder in folders},
            {folder["name"]: folder["id"] for folder in folders},
            list(ContactLink.objects.filter(setup=person.setup).select_related("contact")),
        )

    def __str__(self) -> str:
        return self.person.outlook.email

    def folder(self, name: str) -> dict[str, Json]:
        return self.folders.get(self.names.get(name, ""), {})

    @property
    def items(self) -> dict[str, Json]:
        """Those of the folder that is synced."""
        return self.folder(self.person.setup.folder_name)

    @property
    def everything(self) -> dict[str, Json]:
        return {key: item for items in self.folders.values() for key, item in items.items()}


def items_of(person: Salesperson, folder: Json) -> dict[str, Json]:
    return {item["id"]: item for item in person.outlook.contacts_of(folder["name"])} if folder["count"] else {}


def folder_of(person: Salesperson) -> dict[str, Json]:
    person.setup.refresh_from_db()
    return {item["id"]: item for item in person.outlook.contacts(person.setup.folder_name)}


def everything_in(person: Salesperson) -> dict[str, Json]:
    """Every contact of the mailbox, in whatever folder."""
    return Seen.of(person).everything


def crm_values(contact: Contact) -> Json:
    values = {name: getattr(contact, name) for name in TEXTS}
    values |= {"city": contact.city, "fax": contact.fax, "home_phone": contact.home_phone}
    values["emails"] = [text.lower() for text in (contact.email, contact.email_2, contact.email_3) if text]
    values["phones"] = [text for text in (contact.phone, contact.phone_2) if text]
    values["street"] = [line for line in (contact.address, contact.address_2) if line]
    return values


def outlook_values(item: Json) -> Json:
    """The names of an item that has its name in one piece are its words."""
    values = {name: item[key] or "" for name, key in TEXTS.items()}
    if not (values["first_name"] or values["surname"]):
        values["first_name"], _, values["surname"] = item["displayName"].rpartition(" ")
    address = item["businessAddress"]
    values |= {"city": address.get("city") or "", "fax": fax_of(item)}
    values["home_phone"] = (item["homePhones"] or [""])[0]
    values["emails"] = [entry["address"].lower() for entry in item["emailAddresses"]]
    values["phones"] = list(item["businessPhones"])
    values["street"] = [line for line in (address.get("street") or "").split("\n") if line]
    return values
