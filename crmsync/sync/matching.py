"""First sight: which contact is this Outlook item? Reads the database; decides by the rules of docs/sync.md."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import F, Q, QuerySet
from django.db.models.fields.json import KT

from contacts.blocking import blocked
from contacts.lookups import Folded
from contacts.merging import survivors_of
from contacts.models import Contact
from crmsync.sync.choices import Decision, LinkState, Reason
from crmsync.sync.erasures import ErasedCopy
from crmsync.sync.fields import EMAILS
from crmsync.sync.mirror import INTRINSIC
from crmsync.sync.models import ContactLink
from crmsync.sync.work import Work


@dataclass(frozen=True)
class Match:
    """`contact` to pair the item with, or `reason` why it stays alone, or neither: nobody in the CRM has its e-mail."""

    contact: Contact | None = None
    reason: str = ""
    detail: str = ""


@dataclass
class Known:
    """What the database says about the e-mails of a chunk of items, read in a constant number of queries."""

    by_email: dict[str, list[Contact]] = field(default_factory=lambda: defaultdict(list))
    by_former: dict[str, list[Contact]] = field(default_factory=lambda: defaultdict(list))  # as their item had
    names: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    taken: set[int] = field(default_factory=set)
    never: set[int] = field(default_factory=set)
    first: dict[str, int] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    erased_items: set[str] = field(default_factory=set)

    def is_named(self, contact: Contact, link: ContactLink) -> bool:
        """Whether the item has the contact's name, the one that it has or had there, or that of one merged into it."""
        return any(alike(name, link.outlook_name) for name in self.names[contact.pk])


def match(work: Work, links: list[ContactLink]) -> list[tuple[ContactLink, Match]]:
    """A Match for each of `links`, items that are only in Outlook and could enter the CRM.

    Of several items with one e-mail the one with the contact's name comes first, else the oldest.
    """
    known = look_up(work, {email for link in links for email in emails_of(link)})
    known.erased = blocked(email for link in links for email in emails_of(link))
    copies = ErasedCopy.objects.filter(setup=work.setup, outlook_id__in=[link.outlook_id for link in links])
    known.erased_items.update(copies.values_list("outlook_id", flat=True))
    results = []
    for link in sorted(links, key=lambda link: (known.first.get(link.email) != link.pk, link.pk)):
        result = decide(link, known)
        if result.contact is not None:
            known.taken.add(result.contact.pk)
        results.append((link, result))
    return results


def emails_of(link: ContactLink) -> set[str]:
    """All that the item has, in lower case."""
    return {link.email, *((link.outlook or {}).get(name, "").lower() for name in EMAILS)} - {""}


def have_email_of(links: QuerySet[ContactLink], contacts: QuerySet[Contact]) -> QuerySet[ContactLink]:
    """Those of `links` whose item shares an e-mail, in whichever place on either side, with one of `contacts`."""
    of_items = {"email": F("email"), **{name: Folded(KT(f"outlook__{name}")) for name in EMAILS[1:]}}
    of_contacts = [contacts.exclude(**{name: ""}).annotate(found=Folded(name)).values("found") for name in EMAILS]
    either = [Q(**{f"item_{name}__in": found}) for name in of_items for found in of_contacts]
    return links.alias(**{f"item_{name}": it for name, it in of_items.items()}).filter(Q.create(either, connector=Q.OR))


def look_up(work: Work, emails: set[str]) -> Known:
    known = Known()
    ids = set()
    former = former_emails(work, emails)
    found = Contact.objects.with_email(emails) | Contact.objects.filter(pk__in=former)
    contacts = list(found.select_related("merged_into").order_by("number"))
    survivors = survivors_of(contacts)
    for contact in contacts:
        stands = survivors.get(contact.pk) or contact.merged_into or contact
        ids.add(stands.pk)
        known.names[stands.pk] |= {stands.name, contact.name}
        for email in {getattr(contact, name).lower() for name in EMAILS} & emails:
            if stands not in known.by_email[email]:
                known.by_email[email].append(stands)
        if contact.pk in former:
            known.by_former[former[contact.pk]].append(stands)
    for link in work.links.filter(contact_id__in=ids).only("contact_id", "state", "gone", "outlook_name"):
        known.names[link.contact_id].add(link.outlook_name)
        if link.state == LinkState.LINKED and not link.gone:
            known.taken.add(link.contact_id)
    known.taken.update(work.run.planned.filter(contact_id__in=ids).values_list("contact_id", flat=True))
    known.never.update(work.never().filter(contact_id__in=ids).values_list("contact_id", flat=True))
    known.first = first_items(work, emails, known)
    return known


def former_emails(work: Work, emails: set[str]) -> dict[int, str]:
    """Contacts whose item is not in this Outlook any more, each with the one of `emails` that it had last.

    Without those of whom the run itself forgets that they were there: the next run would say something else.
    """
    away = work.links.filter(Q(gone=True) | Q(missing=True) | Q(state=LinkState.REMOVED), email__in=emails)
    away = away.filter(contact__isnull=False, contact__deleted_at=None)
    forgotten = away.filter(state=LinkState.LINKED, contact__in=work.never().values("contact"))
    return dict(away.exclude(pk__in=forgotten.values("pk")).values_list("contact_id", "email"))


def first_items(work: Work, emails: set[str], known: Known) -> dict[str, int]:
    """Of each e-mail the key of the item that comes first: one with a name of its contact, else the oldest.

    Those that are nobody's with the e-mail do not count: of somebody who may not be paired, or who had it once.
    """
    rivals = work.links.filter(state=LinkState.SEEN, email__in=emails).exclude(problem__in=INTRINSIC)
    rivals = rivals.exclude(decision=Decision.KEEP_OUT).order_by("-outlook_created_at", "-pk")
    open_names, other_names = names_by_email(known)
    oldest, of_name = {}, {}
    for email, pk, name in rivals.values_list("email", "pk", "outlook_name"):
        if folded(name) in open_names[email]:
            of_name[email] = pk
        elif folded(name) not in other_names[email]:
            oldest[email] = pk
    return oldest | of_name


def names_by_email(known: Known) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The names of the people who have each e-mail and may be paired, and of the others, among them who had it once."""
    of_open: dict[str, set[str]] = defaultdict(set)
    of_others: dict[str, set[str]] = defaultdict(set)
    for email, people in known.by_email.items():
        for contact in people:
            if contact.is_person:
                names = of_open if is_open(contact) else of_others
                names[email] |= {folded(name) for name in known.names[contact.pk]}
    for email, people in known.by_former.items():
        of_others[email] |= {folded(contact.name) for contact in people}
    return of_open, of_others


def is_open(contact: Contact) -> bool:
    """Whether an item may be paired with them."""
    return contact.is_person and not (contact.is_trashed or contact.privacy_blocked)


def decide(link: ContactLink, known: Known) -> Match:
    """Pair, leave alone with a reason, or nobody."""
    if link.decision == Decision.KEEP_OUT:
        return Match(reason=Reason.NOT_WANTED)
    if link.outlook_id in known.erased_items:  # it holds what was erased, under whatever e-mail
        return Match(reason=Reason.ERASED)
    by_first = by_first_email(link, known)
    everybody = by_first or by_another_email(link, known)
    people = [contact for contact in everybody if contact.is_person and not contact.is_trashed]
    open_people = [contact for contact in people if not contact.privacy_blocked]
    is_first = known.first.get(link.email) == link.pk
    if people and not open_people:
        return Match(reason=Reason.PRIVACY_BLOCKED, detail=numbers(people))
    if open_people:
        return kept_apart(link, everybody, known) or among(link, open_people, known, is_first or not by_first)
    if companies := [contact for contact in everybody if not contact.is_person and not contact.is_trashed]:
        return Match(reason=Reason.COMPANY_EMAIL, detail=numbers(companies))
    if everybody:
        return Match(reason=Reason.IN_TRASH, detail=numbers(everybody))
    if known.erased & emails_of(link):
        return Match(reason=Reason.ERASED)
    return Match() if is_first else Match(reason=Reason.DUPLICATE)


def by_first_email(link: ContactLink, known: Known) -> list[Contact]:
    """Whoever has the item's first e-mail; nobody where only somebody who had it once has its name, too."""
    found = known.by_email.get(link.email, [])
    is_named = any(contact.is_person and known.is_named(contact, link) for contact in found)
    return found if is_named or not by_former_email({link.email}, link, known) else []


def by_another_email(link: ContactLink, known: Known) -> list[Contact]:
    """People of the item's own name with one of its further e-mails, which colleagues often share, or once with one."""
    found = {it: None for email in sorted(emails_of(link)) for it in known.by_email.get(email, ())}
    named = [contact for contact in found if contact.is_person and known.is_named(contact, link)]
    return named or by_former_email(emails_of(link), link, known)


def by_former_email(emails: set[str], link: ContactLink, known: Known) -> list[Contact]:
    """People of the item's very name whose own item had one of `emails` until it was gone.

    The CRM may have given somebody another e-mail while the owner made their card anew with the one it had.
    """
    found = {it: None for email in sorted(emails) for it in known.by_former.get(email, ())}
    return [contact for contact in found if contact.is_person and alike(contact.name, link.outlook_name)]


def kept_apart(link: ContactLink, everybody: list[Contact], known: Known) -> Match | None:
    """Why the item is nobody else's: of all who have its e-mail, only one who may not be paired has its name too."""
    namesakes = [contact for contact in everybody if contact.is_person and known.is_named(contact, link)]
    if any(is_open(contact) for contact in namesakes):
        return None
    if blocked_ones := [contact for contact in namesakes if not contact.is_trashed]:
        return Match(reason=Reason.PRIVACY_BLOCKED, detail=numbers(blocked_ones))
    return Match(reason=Reason.IN_TRASH, detail=numbers(namesakes)) if namesakes else None


def among(link: ContactLink, people: list[Contact], known: Known, is_first: bool) -> Match:
    """Of the people with the item's e-mail: the only one, or the only one of the same name; never one who is taken."""
    candidates = people
    if len(people) > 1:
        candidates = [contact for contact in people if alike(contact.name, link.outlook_name)]
        if len(candidates) != 1:
            all_taken = all(contact.pk in known.taken for contact in people)
            return Match(reason=Reason.DUPLICATE if all_taken else Reason.AMBIGUOUS, detail=numbers(people))
    contact = candidates[0]
    if contact.pk in known.never:
        return Match(reason=Reason.NEVER, detail=contact.number)
    if contact.pk in known.taken or (len(people) == 1 and not is_first):
        return Match(reason=Reason.DUPLICATE, detail=contact.number)
    return Match(contact)


class Coming:
    """Items that the plan has new in the CRM: another one may be the same person, by the rules for contacts.

    Only hashes of their e-mails and names are kept, for there may be a hundred thousand.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def has(self, link: ContactLink) -> bool:
        """Whether one of them has the item's first e-mail in any place, or another one and its name."""
        name = folded(link.outlook_name)
        return hash(link.email) in self._seen or any(hash((email, name)) in self._seen for email in emails_of(link))

    def add(self, link: ContactLink) -> None:
        name = folded(link.outlook_name)
        self._seen.update(key for email in emails_of(link) for key in (hash(email), hash((email, name))))


def alike(one: str, other: str) -> bool:
    return folded(one) == folded(other)


def folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def numbers(contacts: Iterable[Contact]) -> str:
    """'CT000012, CT000340': what a person looks up."""
    return ", ".join(contact.number for contact in contacts)
