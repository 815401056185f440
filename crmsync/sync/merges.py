"""Plan, before all else: the item of a contact that was merged becomes the survivor's, and comes back with an undo.

Without this it would be removed like the copy of any contact in the trash, and the survivor created afresh: without the
photo, the lists and whatever else its owner keeps on it. The base stays, so that the merge reaches Outlook as changes
of fields. Where the survivor is in this Outlook already, its own item stays, and the merged one's goes by the rule for
contacts in the trash.
"""

from collections.abc import Iterable
from typing import TypeVar

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from contacts.merging import survivors_of
from contacts.models import Contact
from crmsync.sync.choices import LinkState, Preference
from crmsync.sync.models import ContactLink, ContactPreference
from crmsync.sync.work import Work, chunks, store

Row = TypeVar("Row", ContactLink, ContactPreference)
THERE = (LinkState.LINKED, LinkState.CREATING)
MOVED_COLUMNS = ["contact", "contact_version", "moved_from", "dirty"]


def follow(work: Work) -> None:
    """Let links and words go where merges, and undone merges, have left their contacts."""
    follow_words(work)
    for links in chunks(astray(work.links)):
        move(work, {owner.pk: (link, owner) for link, owner in with_owners(links)}, back=True)
    there = work.links.filter(contact_id=OuterRef("contact__merged_into_id"), state__in=THERE, gone=False)
    merged = work.links.filter(state__in=(LinkState.LINKED, LinkState.REMOVED), contact__merged_into__isnull=False)
    for links in chunks(merged.exclude(Exists(there)).select_related("contact")):
        survivors = survivors_of(link.contact for link in links)
        # An item that is there goes before one that its owner has just removed, and that before the memory of one.
        wanted: dict[int, tuple[ContactLink, Contact]] = {}
        for link in sorted(links, key=lambda link: (link.state != LinkState.LINKED, link.gone, link.pk)):
            if survivor := survivors.get(link.contact_id):
                wanted.setdefault(survivor.pk, (link, survivor))
        move(work, wanted)


def astray(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Of links or words those that merges have moved and that may not be any more where their first owner has gone."""
    onward = Q(contact__merged_into=None) & ~Q(moved_from__merged_into=F("contact"))
    return rows.exclude(moved_from=None).filter(Q(moved_from__deleted_at=None) | onward).select_related("moved_from")


def with_owners(rows: Iterable[Row]) -> list[tuple[Row, Contact]]:
    """Those of `rows` that are another one's by now, with whose they are: their first owner's, or who stands for it."""
    rows = list(rows)
    survivors = survivors_of(row.moved_from for row in rows)
    owners = [
        (row, row.moved_from if not row.moved_from.is_trashed else survivors.get(row.moved_from_id)) for row in rows
    ]
    return [(row, owner) for row, owner in owners if owner is not None and owner.pk != row.contact_id]


def has_to_move(work: Work, link: ContactLink) -> bool:
    """Whether the link's contact was merged after `follow`, so that the next run has to move the link first."""
    if not link.contact.merged_into_id:
        return False
    survivor = survivors_of([link.contact]).get(link.contact_id)
    own = work.links.filter(contact=survivor).first() if survivor else None
    return survivor is not None and (own is None or gives_way(own, link))


def move(work: Work, wanted: dict[int, tuple[ContactLink, Contact]], *, back: bool = False) -> None:
    """Give each contact this link in place of its own, unless it is in this Outlook by itself."""
    moved, replaced, alone = [], [], []
    own = {link.contact_id: link for link in work.links.filter(contact__in=wanted)}
    for pk, (link, contact) in wanted.items():
        rival = own.get(pk)
        if rival is None or gives_way(rival, link):
            replaced += [rival.pk] if rival else []
            if back:  # whose it was meanwhile perhaps belongs in this Outlook too
                alone.append(ContactLink(setup=work.setup, contact=link.contact, state=LinkState.LEFT_OUT, dirty=True))
            link.moved_from = moved_from(link, contact)
            link.contact, link.contact_version, link.dirty = contact, None, True
            moved.append(link)
        elif back:
            link.moved_from = None
            moved.append(link)
    with transaction.atomic():
        work.lease.hold()
        ContactLink.objects.filter(pk__in=replaced).delete()
        store(moved, MOVED_COLUMNS)
        ContactLink.objects.bulk_create(alone, ignore_conflicts=True)


def moved_from(row: Row, to: Contact) -> Contact | None:
    """What a link or word that becomes `to`'s has to remember: its first owner, while it is not theirs again."""
    first = row.moved_from or row.contact
    return None if first == to else first


def gives_way(rival: ContactLink, link: ContactLink) -> bool:
    """Whether the contact's own link says less than the one that it could have."""
    if rival.state in THERE and not rival.gone:
        return False
    is_memory = rival.gone or rival.state == LinkState.REMOVED
    return not is_memory or (link.state == LinkState.LINKED and not link.gone)


def follow_words(work: Work) -> None:
    """Let what the user said about contacts go the same ways, unless they said something about the other one, too.

    "Never" is often said of the one too many, so it stays behind where the survivor is in this Outlook.
    """
    said = work.setup.preferences.select_related("contact", "moved_from")
    move_words(work, with_owners(astray(said)), back=True)
    merged = list(said.filter(contact__merged_into__isnull=False))
    survivors = survivors_of(row.contact for row in merged)
    here = work.links.filter(contact__in=[survivor.pk for survivor in survivors.values()], state=LinkState.LINKED)
    stay = set(here.values_list("contact", flat=True)) if survivors else set()
    following = [(row, survivors[row.contact_id]) for row in merged if row.contact_id in survivors]
    move_words(work, [(row, to) for row, to in following if row.choice != Preference.NEVER or to.pk not in stay])


def move_words(work: Work, words: list[tuple[ContactPreference, Contact]], *, back: bool = False) -> None:
    """Make each word one about this contact, the first of several; one that came by a merge never stays behind."""
    if not words:
        return
    taken = set(work.setup.preferences.filter(contact__in=[to for _, to in words]).values_list("contact", flat=True))
    about = [pk for word, to in words for pk in (word.contact_id, to.pk)]
    with transaction.atomic():
        work.lease.hold()
        work.links.filter(contact__in=about).update(dirty=True)
        for word, to in words:
            if to.pk not in taken:
                taken.add(to.pk)
                word.moved_from, word.contact = moved_from(word, to), to
                word.save(update_fields=["contact", "moved_from"])
            elif back:
                word.delete()
        work.look_again_at(about)  # of whom a "never" has gone perhaps nothing is noted
