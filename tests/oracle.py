"""What must be true at the end of any history.

The oracle knows the promises, not the engine: it reads both sides by itself and compares them its own way. What is
promised about people who are on a side more than once, or under several names, is told in `tests.oracle_people`.
"""

import json
from typing import Any

from django.db.models import Q

from contacts.changes import ContactChange
from contacts.models import Contact
from crmsync.sync.choices import WAITING, Kind, LinkState, Reason
from crmsync.sync.differences import Difference
from crmsync.sync.erasures import CopyOutcome, ErasedCopy
from crmsync.sync.models import ContactLink, SyncChange
from tests.oracle_notes import Notes, Seen, crm_values, outlook_values
from tests.oracle_people import flaws_about_people, twice_in_outlook, twice_in_the_crm
from tests.scene import Salesperson

PASSING_TROUBLE = {Reason.NO_ANSWER, Reason.REFUSED, Reason.BROKEN, Reason.GONE, Reason.EDITED_MEANWHILE}
LONGEST = {"job_title": 150}


def flaws(people: list[Salesperson], notes: Notes) -> list[str]:
    """Every broken promise, told for whoever looks for the cause."""
    everywhere = [Seen.of(person) for person in people]
    found = (
        lost_values(everywhere, notes) + twice_in_the_crm(notes) + trashed_unasked(everywhere, notes) + never_ended()
    )
    found += traces_in_the_crm(notes) + copies_forgotten(everywhere, notes) + flaws_about_people(everywhere, notes)
    for seen in everywhere:
        found += [f"{seen}: {flaw}" for flaw in flaws_of_mailbox(seen, notes)]
    return found


def flaws_of_mailbox(seen: Seen, notes: Notes) -> list[str]:
    return (
        disagreements(seen, notes)
        + unaccounted(seen)
        + twice_in_outlook(seen, notes)
        + touched(seen, notes)
        + removed_unasked(seen, notes)
        + erased_in_outlook(seen, notes)
    )


def disagreements(seen: Seen, notes: Notes) -> list[str]:
    """Pairs whose sides differ in a field that nobody has a say in, and of which nobody took a change back."""
    found, items = [], seen.items
    for link in seen.links:
        if link.problem in PASSING_TROUBLE or link.state == LinkState.CREATING:
            found.append(f"{link} was left as {link.problem} {link.problem_detail}")
        contact, item = link.contact, items.get(link.outlook_id)
        if link.state != LinkState.LINKED or contact.is_trashed or contact.privacy_blocked or link.private:
            continue
        if item is None:
            found.append(f"{link} is said to be in Outlook, and is not")
        elif link.problem != Reason.CONFLICT and contact.initials not in notes.undone:
            ours, theirs = crm_values(contact), outlook_values(item)
            differ = [name for name in ours if ours[name] != theirs[name] and fits(name, theirs[name])]
            found += [f"{link}: {name} is {ours[name]!r} and {theirs[name]!r}" for name in differ]
    return found


def fits(name: str, value: Any) -> bool:
    """Whether the CRM can take it. What it cannot take is left alone."""
    return len(value) <= LONGEST.get(name, len(value))


def unaccounted(seen: Seen) -> list[str]:
    """Whoever should be on the other side, and is neither there nor left out with a reason."""
    found = []
    by_item = {link.outlook_id: link for link in seen.links if link.outlook_id}
    for identifier, item in seen.items.items():
        link = by_item.get(identifier)
        if link is None or (link.state != LinkState.LINKED and not (link.state == LinkState.SEEN and link.problem)):
            found.append(f"{item['displayName']} {item['initials']} is in Outlook only, without a reason: {link}")
    by_contact = {link.contact_id: link for link in seen.links if link.contact_id}
    for contact in wanted(seen.person):
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
    wanted_values = {"territory": contact.territory, "salesperson": "%me", "city": "<>''" if contact.city else ""}
    if contact.salesperson_id != person.setup.user_id:
        wanted_values["salesperson"] = "somebody else"
    return all(wanted_values[name] == value for name, value in person.setup.contact_filter.items())


def touched(seen: Seen, notes: Notes) -> list[str]:
    """Items in which something changed that only the user has."""
    found = []
    for identifier, item in seen.everything.items():
        for name, value in notes.own.get(identifier, {}).items():
            now = item[name] if name != "categories" else sorted(set(item[name]) - {"CRM"})
            if now != value:
                found.append(f"{item['initials']}: {name} was {value!r} and is {now!r}")
    return found


def removed_unasked(seen: Seen, notes: Notes) -> list[str]:
    """Items in Deleted Items that no user removed and no rule did."""
    found = []
    for item in seen.folder("Deleted Items").values():
        allowed = item["id"] in notes.taken_away or item["initials"] in notes.trashed | notes.unwanted | notes.undone
        if not (allowed or notes.may_trash or notes.may_leave):
            found.append(f"{item['initials']} was removed from Outlook")
    return found


def trashed_unasked(everywhere: list[Seen], notes: Notes) -> list[str]:
    """People in the trash whom nobody put there. Who cut an item and made another of the same person did not."""
    items = {key: item for seen in everywhere for key, item in seen.everything.items()}
    removed = {items[key]["initials"] for key in notes.taken_away - notes.replaced if key in items}
    trashed = set(Contact.objects.trashed().values_list("initials", flat=True)) - notes.trashed - notes.undone
    unasked = notes.made_anew - removed if notes.may_trash else trashed
    return [f"{initials} was trashed" for initials in trashed & unasked]


def traces_in_the_crm(notes: Notes) -> list[str]:
    """What the CRM still says of somebody who was erased. Of an item brought back it may know all."""
    found = []
    for model in (Contact, ContactChange, SyncChange, Difference, ContactLink):
        rows = [(row, str(row)) for row in model._base_manager.values()]
        for initials in notes.erased - (notes.brought_back if model in (ContactLink, SyncChange) else set()):
            found += [f"{initials} was erased: {row}" for row, text in rows if initials in text]
    return found


def erased_in_outlook(seen: Seen, notes: Notes) -> list[str]:
    """Copies of somebody who was erased; what its user brought back, or had just made by hand, stays by itself."""
    alone = {link.outlook_id for link in seen.links if link.state == LinkState.SEEN}
    return [
        f"{item['initials']} was erased and is in Outlook"
        for identifier, item in seen.items.items()
        if item["initials"] in notes.erased and not (item["initials"] in notes.brought_back and identifier in alone)
    ]


def copies_forgotten(everywhere: list[Seen], notes: Notes) -> list[str]:
    """Receipts that wait for what no sync will do, or say that a copy is gone that is there."""
    found = [f"{copy} waits" for copy in ErasedCopy.objects.all() if copy.is_pending and "next sync" in copy.waits_for]
    for copy in ErasedCopy.objects.exclude(outcome=CopyOutcome.PENDING):
        for item in filter(None, (seen.folders.get(copy.folder_id, {}).get(copy.outlook_id) for seen in everywhere)):
            if item["initials"] not in notes.brought_back:
                found.append(f"{item['initials']} is said to be {copy.outcome}")
    return found


def never_ended() -> list[str]:
    """Rows of ended runs that are still called planned, as only those of previews are."""
    rows = SyncChange.objects.filter(outcome__in=WAITING).exclude(run__kind=Kind.PREVIEW)
    return [f"{row} of run {row.run_id} was never ended" for row in rows]


def lost_values(everywhere: list[Seen], notes: Notes) -> list[str]:
    """Texts that somebody wrote, nobody overwrote knowingly, and that are neither to be seen nor in the journal."""
    names = ["job_title", "city", "fax", "phone", "phone_2", "address", "address_2", "first_name", "home_phone"]
    there = [value for row in Contact.objects.values_list(*names) for value in row]
    there += [json.dumps(seen.everything) for seen in everywhere]
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
