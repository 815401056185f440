"""Plan, before all else: the item of a contact that was merged becomes the survivor's, and comes back with an undo.

Without this it would be removed like the copy of any contact in the trash, and the survivor created afresh: without the
photo, the lists and whatever else its owner keeps on it. The base stays, so that the merge reaches Outlook as changes
of fields. Where the survivor is in this Outlook already, its own item stays, and the merged one's goes by the rule for
contacts in the trash.
"""

from django.db import transaction
from django.db.models import Exists, OuterRef

from contacts.merging import survivors_of
from contacts.models import Contact
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink, ContactPreference
from crmsync.sync.work import Work, chunks, store

THERE = (LinkState.LINKED, LinkState.CREATING)
MOVED_COLUMNS = ["contact", "contact_version", "moved_from", "dirty"]


def follow(work: Work) -> None:
    """Let the links go where merges, and undone merges, have left their contacts."""
    undone = work.links.filter(moved_from__deleted_at=None).exclude(moved_from=None).select_related("moved_from")
    for links in chunks(undone):
        move(work, {link.moved_from.pk: (link, link.moved_from) for link in links}, back=True)
    there = work.links.filter(contact_id=OuterRef("contact__merged_into_id"), state__in=THERE)
    merged = work.links.filter(state__in=(LinkState.LINKED, LinkState.REMOVED), contact__merged_into__isnull=False)
    for links in chunks(merged.exclude(Exists(there)).select_related("contact")):
        survivors = survivors_of(link.contact for link in links)
        # An item that is there goes before the memory of one that its owner removed.
        wanted: dict[int, tuple[ContactLink, Contact]] = {}
        for link in sorted(links, key=lambda link: (link.state != LinkState.LINKED, link.pk)):
            if survivor := survivors.get(link.contact_id):
                wanted.setdefault(survivor.pk, (link, survivor))
        move(work, wanted)


def has_to_move(work: Work, link: ContactLink) -> bool:
    """Whether the link's contact was merged after `follow`, so that the next run has to move the link first."""
    if not link.contact.merged_into_id:
        return False
    survivor = survivors_of([link.contact]).get(link.contact_id)
    return survivor is not None and not work.links.filter(contact=survivor, state__in=THERE).exists()


def move(work: Work, wanted: dict[int, tuple[ContactLink, Contact]], *, back: bool = False) -> None:
    """Give each contact this link in place of its own, unless it is in this Outlook by itself."""
    moved, replaced, said = [], [], {}
    own = {link.contact_id: link for link in work.links.filter(contact__in=wanted)}
    for pk, (link, contact) in wanted.items():
        rival = own.get(pk)
        if rival is None or gives_way(rival, link):
            replaced += [rival.pk] if rival else []
            said[link.contact_id] = contact
            link.moved_from = None if back else link.contact
            link.contact, link.contact_version, link.dirty = contact, None, True
            moved.append(link)
        elif back:
            link.moved_from = None
            moved.append(link)
    with transaction.atomic():
        work.lease.hold()
        ContactLink.objects.filter(pk__in=replaced).delete()
        store(moved, MOVED_COLUMNS)
        if not back:
            keep_preferences(work, said)


def gives_way(rival: ContactLink, link: ContactLink) -> bool:
    """Whether the contact's own link says less than the one that it could have."""
    return rival.state not in THERE and (rival.state != LinkState.REMOVED or link.state == LinkState.LINKED)


def keep_preferences(work: Work, survivors: dict[int, Contact]) -> None:
    """What the user said about a merged contact holds for its survivor, unless they said something about that one."""
    said = work.setup.preferences.filter(contact__in=survivors)
    also = [ContactPreference(setup=work.setup, contact=survivors[row.contact_id], choice=row.choice) for row in said]
    ContactPreference.objects.bulk_create(also, ignore_conflicts=True)
