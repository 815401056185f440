"""What is promised about people: nobody is twice on a side or becomes another, and what is private stays private.

The same person, for a reader of a list, is who has the same initials; and where a user cut an item and made another one
of that person by hand, who has one of the e-mails besides, since whoever has none of them is somebody new.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from contacts.models import Contact
from crmsync.sync.choices import LinkState, Reason
from crmsync.sync.models import ContactPreference
from tests.oracle_notes import Notes, Seen, crm_values, outlook_values

ALONE = {Reason.AMBIGUOUS, Reason.IN_TRASH, Reason.PRIVATE}  # such an item stands by itself, and says so


def flaws_about_people(everywhere: list[Seen], notes: Notes) -> list[str]:
    found = swallowed(notes) + secrets_in_the_crm(everywhere, notes)
    for seen in everywhere:
        found += [f"{seen}: {flaw}" for flaw in unheeded(seen, notes) + notes_that_left(seen, notes)]
    return found


def twice_in_outlook(seen: Seen, notes: Notes) -> list[str]:
    """Of people who were made anew, only items that a sync could have paired count."""
    problems = {link.outlook_id: link.problem for link in seen.links if link.state == LinkState.SEEN}
    ours = {item["initials"] for key, item in seen.items.items() if key not in notes.theirs}
    there = [
        (item["initials"], outlook_values(item)["emails"])
        for key, item in seen.items.items()
        if not stands_alone(problems.get(key, ""), item["initials"], ours, notes)
    ]
    return [f"{who} is in Outlook more than once" for who in twice(there, notes)]


def stands_alone(problem: str, initials: str, ours: set[str], notes: Notes) -> bool:
    """One that a user made by hand; also beside a copy of the first one, the item of whom they were merged with, or one
    that is not `ours` but was made by hand too."""
    if problem == Reason.DUPLICATE:
        return initials in notes.made_anew and (initials in notes.copied | notes.merged or initials not in ours)
    return initials in notes.made_anew and problem in ALONE


def twice_in_the_crm(notes: Notes) -> list[str]:
    there = [(contact.initials, crm_values(contact)["emails"]) for contact in Contact.objects.all()]
    return [f"{who} is in the CRM more than once" for who in twice(there, notes)]


def twice(people: Iterable[tuple[str, list[str]]], notes: Notes) -> list[str]:
    """Initials of those who are there more than once, but for those of whom a user brought an old item back."""
    known: dict[str, list[list[str]]] = defaultdict(list)
    for initials, emails in people:
        known[initials].append(emails)
    found = []
    for initials in known.keys() - notes.brought_back:
        counted = Counter(email for emails in known[initials] for email in set(emails))
        is_twice = max(counted.values(), default=0) > 1 if initials in notes.made_anew else len(known[initials]) > 1
        found += [initials] if is_twice else []
    return found


def swallowed(notes: Notes) -> list[str]:
    """People of the CRM who were overwritten with somebody whom a user made of an item that was nobody's yet."""
    there = set(Contact.objects.values_list("initials", flat=True))
    return [f"{initials} became somebody else" for initials in notes.stays - notes.erased - notes.undone - there]


def secrets_in_the_crm(everywhere: list[Seen], notes: Notes) -> list[str]:
    """What was written in an item that is Private, and that nobody but its owner should see."""
    titles = set(Contact.objects.values_list("job_title", flat=True))
    there = {key for seen in everywhere for key in seen.everything}
    return [f"{text} was written in private" for key, text in notes.secret.items() if key in there and text in titles]


def unheeded(seen: Seen, notes: Notes) -> list[str]:
    """Contacts that are "always" wanted and were removed, though no user removed their item."""
    wanted = ContactPreference.objects.filter(setup=seen.person.setup, choice="always").values_list(
        "contact", flat=True
    )
    removed = {seen.everything[key]["initials"] for key in notes.taken_away if key in seen.everything}
    told = removed | notes.trashed | notes.undone | notes.merged
    return [
        f"{link} is always wanted, and was removed"
        for link in seen.links
        if link.state == LinkState.REMOVED and link.contact_id in set(wanted) and link.contact.initials not in told
    ]


def notes_that_left(seen: Seen, notes: Notes) -> list[str]:
    """Notes of contacts in a mailbox whose setup did not say so while they were current."""
    shown = {item["personalNotes"] or "": item["initials"] for item in seen.everything.values()}
    return [f"the notes of {shown[text]} are in Outlook" for text in notes.unsaid.get(str(seen), set()) & shown.keys()]
