"""What must be true at the end of any history, and the notes that a history keeps so that it can be told.

The oracle knows the promises, not the engine: it reads both sides by itself and compares them its own way.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from contacts.changes import ContactChange
from contacts.models import Contact
from crmsync.sync.choices import WAITING, Kind, LinkState, Reason
from crmsync.sync.differences import Difference
from crmsync.sync.erasures import CopyOutcome, ErasedCopy
from crmsync.sync.models import ContactLink, SyncChange
from tests.scene import Salesperson, fax_of

Json = dict[str, Any]
TEXTS = {"first_name": "givenName", "surname": "surname", "initials": "initials", "job_title": "jobTitle"}
PASSING_TROUBLE = {Reason.NO_ANSWER, Reason.REFUSED, Reason.BROKEN, Reason.GONE, Reason.EDITED_MEANWHILE}


@dataclass
class Notes:
    """What people did, as far as it says what may be found at the end. People are told apart by their initials."""

    written: set[str] = field(default_factory=set)  # texts that occur once in the world, as somebody wrote them
    overwritten: set[str] = field(default_factory=set)  # those that somebody saw and wrote over
    own: dict[str, Json] = field(default_factory=dict)  # by item: what only the user has, and we must not touch
    theirs: set[str] = field(default_factory=set)  # items that a user made or has written
    taken_away: set[str] = field(default_factory=set)  # items that a user removed or moved out, or had removed
    brought_back: set[str] = field(default_factory=set)  # people of whom a user brought an old item back
    trashed: set[str] = field(default_factory=set)
    unwanted: set[str] = field(default_factory=set)  # people set to "never"
    erased: set[str] = field(default_factory=set)  # people erased, of whom no old item had been brought back by then
    undone: set[str] = field(default_factory=set)  # people of whom somebody took a change back
    may_trash: bool = False  # a mailbox had the rule that a removal takes the contact to the trash
    may_leave: bool = False  # a mailbox had the rule that what leaves the filter leaves Outlook

    def write(self, old: str, new: str) -> None:
        """Somebody who saw `old` wrote `new` in its place."""
        self.overwritten.add(old)
        if new:
            self.written.add(new)


def crm_values(contact: Contact) -> Json:
    values = {name: getattr(contact, name) for name in TEXTS}
    values |= {"city": contact.city, "fax": contact.fax}
    values["emails"] = [text.lower() for text in (contact.email, contact.email_2, contact.email_3) if text]
    values["phones"] = [text for text in (contact.phone, contact.phone_2) if text]
    values["street"] = [line for line in (contact.address, contact.address_2) if line]
    return values


def outlook_values(item: Json) -> Json:
    values = {name: item[key] or "" for name, key in TEXTS.items()}
    address = item["businessAddress"]
    values |= {"city": address.get("city") or "", "fax": fax_of(item)}
    values["emails"] = [entry["address"].lower() for entry in item["emailAddresses"]]
    values["phones"] = list(item["businessPhones"])
    values["street"] = [line for line in (address.get("street") or "").split("\n") if line]
    return values


def folder_of(person: Salesperson) -> dict[str, Json]:
    person.setup.refresh_from_db()
    return {item["id"]: item for item in person.outlook.contacts(person.setup.folder_name)}


def everything_in(person: Salesperson) -> dict[str, Json]:
    """Every contact of the mailbox, in whatever folder."""
    names = [folder["name"] for folder in person.outlook.folders()]
    return {item["id"]: item for name in names for item in person.outlook.contacts(name)}


def flaws(people: list[Salesperson], notes: Notes) -> list[str]:
    """Every broken promise, told for whoever looks for the cause."""
    found = lost_values(people, notes) + twice_in_the_crm(notes) + trashed_unasked(notes) + never_ended()
    found += traces_in_the_crm(notes) + copies_forgotten(people, notes)
    for person in people:
        found += [f"{person.outlook.email}: {flaw}" for flaw in flaws_of_mailbox(person, notes)]
    return found


def flaws_of_mailbox(person: Salesperson, notes: Notes) -> list[str]:
    items = folder_of(person)
    links = list(ContactLink.objects.filter(setup=person.setup).select_related("contact"))
    return (
        disagreements(person, items, links, notes)
        + unaccounted(person, items, links)
        + twice_in_outlook(items, notes)
        + touched(person, notes)
        + removed_unasked(person, notes)
        + erased_in_outlook(items, links, notes)
    )


def disagreements(person: Salesperson, items: dict[str, Json], links: list[ContactLink], notes: Notes) -> list[str]:
    """Pairs whose sides differ in a field that nobody has a say in, and of which nobody took a change back."""
    found = []
    for link in links:
        if link.problem in PASSING_TROUBLE or link.state == LinkState.CREATING:
            found.append(f"{link} was left as {link.problem} {link.problem_detail}")
        contact, item = link.contact, items.get(link.outlook_id)
        if link.state != LinkState.LINKED or contact.is_trashed or contact.privacy_blocked or link.private:
            continue
        if item is None:
            found.append(f"{link} is said to be in Outlook, and is not")
        elif link.problem != Reason.CONFLICT and contact.initials not in notes.undone:
            ours, theirs = crm_values(contact), outlook_values(item)
            differ = [name for name in ours if ours[name] != theirs[name]]
            found += [f"{link}: {name} is {ours[name]!r} and {theirs[name]!r}" for name in differ]
    return found


def unaccounted(person: Salesperson, items: dict[str, Json], links: list[ContactLink]) -> list[str]:
    """Whoever should be on the other side, and is neither there nor left out with a reason."""
    found = []
    by_item = {link.outlook_id: link for link in links if link.outlook_id}
    for identifier, item in items.items():
        link = by_item.get(identifier)
        if link is None or (link.state != LinkState.LINKED and not (link.state == LinkState.SEEN and link.problem)):
            found.append(f"{item['displayName']} {item['initials']} is in Outlook only, without a reason: {link}")
    by_contact = {link.contact_id: link for link in links if link.contact_id}
    for contact in wanted(person):
        link = by_contact.get(contact.pk)
        if link is None or (link.state == LinkState.LEFT_OUT and not link.problem):
            found.append(f"{contact} {contact.initials} is in the CRM only, without a reason: {link}")
    return found


def wanted(person: Salesperson) -> list[Contact]:
    """Who the user wants in Outlook, by the filters that histories use."""
    choices = dict(person.setup.preferences.values_list("contact_id", "choice"))
    reachable = Contact.objects.alive().persons().filter(privacy_blocked=False).exclude(email="")
    return [
        contact
        for contact in reachable
        if choices.get(contact.pk, "always" if passes(contact, person) else "never") == "always"
    ]


def passes(contact: Contact, person: Salesperson) -> bool:
    wanted_values = {"territory": contact.territory, "salesperson": "%me"}
    if contact.salesperson_id != person.setup.user_id:
        wanted_values["salesperson"] = "somebody else"
    return all(wanted_values[name] == value for name, value in person.setup.contact_filter.items())


def twice_in_outlook(items: dict[str, Json], notes: Notes) -> list[str]:
    counted = Counter(item["initials"] for item in items.values() if item["initials"] not in notes.brought_back)
    return [f"{initials} is in Outlook {times} times" for initials, times in counted.items() if times > 1]


def twice_in_the_crm(notes: Notes) -> list[str]:
    counted = Counter(Contact.objects.values_list("initials", flat=True))
    twice = [initials for initials, times in counted.items() if times > 1 and initials not in notes.brought_back]
    return [f"{initials} is in the CRM more than once" for initials in twice]


def touched(person: Salesperson, notes: Notes) -> list[str]:
    """Items in which something changed that only the user has."""
    found = []
    for identifier, item in everything_in(person).items():
        for name, value in notes.own.get(identifier, {}).items():
            now = item[name] if name != "categories" else sorted(set(item[name]) - {"CRM"})
            if now != value:
                found.append(f"{item['initials']}: {name} was {value!r} and is {now!r}")
    return found


def removed_unasked(person: Salesperson, notes: Notes) -> list[str]:
    """Items in Deleted Items that no user removed and no rule did."""
    found = []
    for item in person.outlook.contacts("Deleted Items"):
        allowed = item["id"] in notes.taken_away or item["initials"] in notes.trashed | notes.unwanted | notes.undone
        if not (allowed or notes.may_trash or notes.may_leave):
            found.append(f"{item['initials']} was removed from Outlook")
    return found


def trashed_unasked(notes: Notes) -> list[str]:
    trashed = Contact.objects.trashed().values_list("initials", flat=True)
    return [f"{it} was trashed" for it in trashed if it not in notes.trashed | notes.undone and not notes.may_trash]


def traces_in_the_crm(notes: Notes) -> list[str]:
    """What the CRM still says of somebody who was erased. Of an item brought back it may know that it is there."""
    found = []
    for model in (Contact, ContactChange, SyncChange, Difference, ContactLink):
        rows = [(row, str(row)) for row in model._base_manager.values()]
        for initials in notes.erased - (notes.brought_back if model is ContactLink else set()):
            found += [f"{initials} was erased: {row}" for row, text in rows if initials in text]
    return found


def erased_in_outlook(items: dict[str, Json], links: list[ContactLink], notes: Notes) -> list[str]:
    """Copies of somebody who was erased; one that its user brought back stays, by itself."""
    alone = {link.outlook_id for link in links if link.state == LinkState.SEEN}
    return [
        f"{item['initials']} was erased and is in Outlook"
        for identifier, item in items.items()
        if item["initials"] in notes.erased and not (item["initials"] in notes.brought_back and identifier in alone)
    ]


def copies_forgotten(people: list[Salesperson], notes: Notes) -> list[str]:
    """Receipts that wait for what no sync will do, or say that a copy is gone that is there."""
    found = [f"{copy} waits" for copy in ErasedCopy.objects.all() if copy.is_pending and "next sync" in copy.waits_for]
    for person in people:
        for folder in person.outlook.folders():
            there = {item["id"]: item["initials"] for item in person.outlook.contacts(folder["name"])}
            ended = ErasedCopy.objects.filter(outlook_id__in=there, folder_id=folder["id"])
            for copy in ended.exclude(outcome=CopyOutcome.PENDING):
                if there[copy.outlook_id] not in notes.brought_back:
                    found.append(f"{there[copy.outlook_id]} is said to be {copy.outcome}")
    return found


def never_ended() -> list[str]:
    """Rows of ended runs that are still called planned, as only those of previews are."""
    rows = SyncChange.objects.filter(outcome__in=WAITING).exclude(run__kind=Kind.PREVIEW)
    return [f"{row} of run {row.run_id} was never ended" for row in rows]


def lost_values(people: list[Salesperson], notes: Notes) -> list[str]:
    """Texts that somebody wrote, nobody overwrote knowingly, and that are neither to be seen nor in the journal."""
    names = ["job_title", "city", "fax", "phone", "phone_2", "address", "address_2", "first_name"]
    there = [value for row in Contact.objects.values_list(*names) for value in row]
    there += [json.dumps(list(everything_in(person).values())) for person in people]
    journal = SyncChange.objects.exclude(conflicts={}).values_list("conflicts", flat=True)
    there += [json.dumps(conflicts) for conflicts in journal]
    text = "\n".join(there)
    lost = [value for value in sorted(notes.written - notes.overwritten) if value not in text]
    return [f"{value} is lost\n{story_of(value)}" for value in lost]


def story_of(value: str) -> str:
    """All that the CRM, its history, the journal and the links know of those in whom the value was once."""
    changes = ContactChange.objects.filter(fields__icontains=value)
    links = ContactLink.objects.filter(Q(base_crm__icontains=value) | Q(base_outlook__icontains=value))
    rows = SyncChange.objects.filter(Q(fields__icontains=value) | Q(conflicts__icontains=value))
    contacts = {found.contact_id for found in (*changes, *links, *rows)} - {None}
    about = {"contact__in": contacts}
    found: list[Any] = [
        *Contact.objects.filter(pk__in=contacts).values(), *ContactLink.objects.filter(**about).values(),
        *ContactChange.objects.filter(**about).order_by("pk").values(),
        *SyncChange.objects.filter(**about).order_by("pk").values(),
    ]  # fmt: skip
    return "\n".join(str({name: part for name, part in row.items() if part not in ("", None, {})}) for row in found)
