"""Verify: the whole folder is listed and held against the CRM and the links. Nothing is written on either side.

What differs without a cause that the next sync knows of is marked in the links, so that it reads it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from contacts.models import Contact
from crmsync.sync.choices import ChangeOutcome, Kind, LinkState, Outcome, Reason, Step, Trigger
from crmsync.sync.comparing import compare, compare_lonely, difference
from crmsync.sync.differences import Difference, Explanation, Place
from crmsync.sync.mapping import OutlookItem, read_whole
from crmsync.sync.mirror import BATCH
from crmsync.sync.models import EMPTY_COUNTS, ContactLink, SyncChange, SyncRun
from crmsync.sync.planning import since
from crmsync.sync.runs import NotReady, request_run
from crmsync.sync.scope import plan_holds, wanted
from crmsync.sync.slots import Broken, Json
from crmsync.sync.work import SetupChanged, Work, chunks
from exchange_setup.graph.calls import Get
from exchange_setup.graph.errors import ItemError, NotFound
from exchange_setup.models import ExchangeSync

READ_AGAIN: dict[str, Any] = {"missing": True, "dirty": True, "fingerprint": ""}


@dataclass
class Tally:
    """What has been compared so far, and the links that Outlook's list has shown."""

    compared: int = 0
    found: dict[str, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    @property
    def differ(self) -> int:
        return sum(self.found.values())


def request_verify(setup: ExchangeSync, *, trigger: Trigger, **options: Any) -> tuple[SyncRun, bool]:
    """Open a comparison, as `request_run` opens a sync. Raises NotReady, also before there is anything to compare."""
    if not (setup.last_sync_at and setup.folder_id and setup.mirrored_folder_id == setup.folder_id):
        raise NotReady("never_synced", _("There is nothing to compare before the first sync."))
    return request_run(setup, kind=Kind.VERIFY, trigger=trigger, **options)


def last_verification(setup: ExchangeSync) -> SyncRun | None:
    """The last comparison that came to its end, with `held_since` and `synced_since`. One query."""
    return with_later(setup.runs.filter(kind=Kind.VERIFY, outcome=Outcome.DONE)).first()


def with_later(runs: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
    """`runs`, each with `held_since` and `synced_since`: a later run of its mailbox is held, changed something."""
    later = SyncRun.objects.filter(setup=OuterRef("setup"), pk__gt=OuterRef("pk"))
    wrote = SyncChange.objects.filter(run=OuterRef("pk"), outcome=ChangeOutcome.DONE)
    return runs.annotate(
        held_since=Exists(later.filter(outcome=Outcome.HELD)),
        synced_since=Exists(later.exclude(kind=Kind.PREVIEW).filter(Exists(wrote))),
    )


def verify(work: Work) -> None:
    """Compare everything; the differences become rows of the run, and the counts its own."""
    setup = work.setup
    if not setup.folder_id or setup.mirrored_folder_id != setup.folder_id:
        raise SetupChanged
    work.run.differences.all().delete()  # of a worker that died over it
    work.lease.budget = float("inf")  # it cannot be left off half-way: Outlook's list has no bookmark
    tally = Tally()
    read = 0
    for items in work.graph.item_pages(setup.folder_id):
        work.lease.rest(step=Step.READING, done=read, total=0)
        compare_page(work, tally, items)
        read += len(items)
    for links in chunks(pairs(work), BATCH * 10):
        work.lease.rest(step=Step.PLANNING, done=tally.compared, total=0)
        compare_unseen(work, tally, [link for link in links if link.pk not in tally.seen])
    compare_contacts(work, tally)
    left_out = work.links.left_out().exclude(state=LinkState.LINKED).count()
    same = tally.compared - tally.differ
    found = {"compared": tally.compared, "same": same, "differ": tally.found, "left_out": left_out}
    work.run.counts = EMPTY_COUNTS | found


def pairs(work: Work) -> Any:
    """What should be the same on both sides."""
    return work.links.filter(state=LinkState.LINKED, contact__isnull=False).select_related("contact")


def compare_page(work: Work, tally: Tally, items: list[Json]) -> None:
    """Hold one page of Outlook's list against the links."""
    links = work.links.filter(outlook_id__in=[item["id"] for item in items]).select_related("contact")
    known = {link.outlook_id: link for link in links}
    rows: list[Difference] = []
    strangers: list[ContactLink] = []
    for item in items:
        link = known.get(item["id"])
        if link is not None and link.pk in tally.seen:
            continue  # the list moved while it was read
        if link is not None:
            tally.seen.add(link.pk)
        read = readable(item)
        if link is not None and link.state == LinkState.LINKED and link.contact is not None:
            rows += compare_pair(work, tally, link, read)
        elif read is not None and (why := compare_lonely(work.setup, link, read)):
            tally.compared += 1
            stranger = link or ContactLink(setup=work.setup, state=LinkState.SEEN, outlook_id=item["id"], **READ_AGAIN)
            strangers += [stranger] if link is None and why == Explanation.UNKNOWN else []
            rows.append(Difference(link=link, name=read.name or read.email, place=Place.OUTLOOK, explanation=why))
    keep(work, tally, rows, strangers)


def compare_pair(work: Work, tally: Tally, link: ContactLink, item: OutlookItem | None) -> list[Difference]:
    """The difference of one pair, if there is one; an item that makes no sense is left out."""
    tally.compared += 1
    if item is None:
        return [difference(link, Explanation.LEFT_OUT, Reason.BROKEN)]
    found = compare(work.setup, link, item)
    return [found] if found else []


def readable(item: Json) -> OutlookItem | None:
    try:
        return read_whole(item)
    except Broken:
        return None


def compare_unseen(work: Work, tally: Tally, links: list[ContactLink]) -> None:
    """Pairs that the list did not show are asked for one by one: a list may miss what moves while it is read."""
    rows: list[Difference] = []
    for start in range(0, len(links), BATCH):
        asked = links[start : start + BATCH]
        known = [link for link in asked if link.outlook_id]  # without one it is still to be made again
        answers = work.graph.batch([Get(link.outlook_id, expand=True) for link in known])
        found = dict(zip((link.pk for link in known), answers, strict=True))
        for link in asked:
            answer = found.get(link.pk, NotFound())
            if isinstance(answer, dict) and answer.get("parentFolderId") == work.setup.folder_id:
                rows += compare_pair(work, tally, link, readable(answer))
                continue
            if link.contact.is_trashed:
                continue  # gone from both sides
            tally.compared += 1
            unclear = isinstance(answer, ItemError) and not isinstance(answer, NotFound)
            explanation, reason = (Explanation.LEFT_OUT, Reason.NO_ANSWER) if unclear else (Explanation.WAITING, "")
            rows.append(difference(link, explanation, reason, place=Place.CRM))
    keep(work, tally, rows)
    gone = [row.link_id for row in rows if row.place == Place.CRM]
    ContactLink.objects.filter(pk__in=gone, gone=False).update(missing=True)  # the next sync asks for it


def compare_contacts(work: Work, tally: Tally) -> None:
    """Contacts that belong in Outlook and of which the links know nothing."""
    setup = work.setup
    missing = wanted(setup).reachable().filter(~Exists(work.links.filter(contact_id=OuterRef("pk"))))
    everything = not plan_holds(setup)
    edge = since(work)
    for contacts in chunks(missing):
        work.lease.rest(step=Step.PLANNING, done=tally.compared, total=0)
        tally.compared += len(contacts)
        rows = [lonely(contact, everything or edge is None or contact.modified_at >= edge) for contact in contacts]
        unknown = [row.contact for row in rows if row.explanation == Explanation.UNKNOWN]
        again = [ContactLink(setup=setup, contact=who, state=LinkState.LEFT_OUT, dirty=True) for who in unknown]
        keep(work, tally, rows, again)


def lonely(contact: Contact, is_due: bool) -> Difference:
    explanation = Explanation.WAITING if is_due else Explanation.UNKNOWN
    return Difference(contact=contact, name=str(contact)[:400], place=Place.CRM, explanation=explanation)


def keep(work: Work, tally: Tally, rows: list[Difference], new_links: Sequence[ContactLink] = ()) -> None:
    """Store what one step found, and have the next sync read again what nobody can explain."""
    for row in rows:
        row.run = work.run
        tally.found[row.explanation] = tally.found.get(row.explanation, 0) + 1
    unknown = [row.link_id for row in rows if row.explanation == Explanation.UNKNOWN and row.link_id]
    with transaction.atomic():
        work.lease.hold()
        ContactLink.objects.bulk_create(list(new_links), ignore_conflicts=True)
        Difference.objects.bulk_create(rows)
        ContactLink.objects.filter(pk__in=unknown).update(**READ_AGAIN)
