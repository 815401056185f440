"""Erasing a person everywhere: the CRM at once, the copies in every synced folder by the next run of each mailbox.

The cards, their history and what the journal says of them go in one transaction, which leaves in the link table nothing
but the Outlook ids of the copies. A run plans their deletion before all else (`plan`), whoever made them, and notes on
the receipt what became of each (`settle`). No brake counts them: an administrator has confirmed each.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from contacts import erasing as crm
from contacts.blocking import block
from contacts.changes import ContactChange
from contacts.models import Contact
from crmsync.sync.brakes import recount
from crmsync.sync.choices import (
    OPEN,
    WAITING,
    Action,
    Cause,
    ChangeOutcome,
    Kind,
    LinkState,
    Outcome,
    Reason,
    Side,
    Trigger,
)
from crmsync.sync.differences import Difference
from crmsync.sync.erasures import CopyOutcome, ErasedCopy, Erasure
from crmsync.sync.fields import EMAILS, complete, filled, fingerprint
from crmsync.sync.matching import emails_of
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.runs import NotReady, close_dead_run, request_run
from crmsync.sync.sheet import Sheet
from crmsync.sync.unheard import maybe_sent
from crmsync.sync.work import PAGE, Work
from exchange_setup.models import ExchangeSync

logger = logging.getLogger(__name__)
Row = TypeVar("Row", SyncChange, Difference)
IN_CONFLICT = [f"{name}__{half}" for name in EMAILS for half in ("base", "crm", "outlook")]

BLANK: dict[str, Any] = {
    "contact": None, "moved_from": None, "base_crm": {}, "base_outlook": {}, "outlook": None, "raw": {}, "kept_out": {},
    "fingerprint": "", "own_key": "", "email": "", "outlook_name": "", "problem": Reason.ERASED, "problem_detail": "",
    "decision": "", "decided_at": None, "contact_version": None, "dirty": False, "was_in_filter": False,
}  # fmt: skip


class StillRunning(Exception):
    """A sync that has the person in hand is at work; nothing was erased."""


@dataclass
class Reach:
    """All that an erasure of a contact reaches: for the question, and then for the deed."""

    contact: Contact

    @cached_property
    def people(self) -> list[Contact]:
        return crm.family(self.contact)

    @cached_property
    def ever(self) -> set[str]:
        """Every e-mail that the person's cards hold or have held."""
        return crm.emails_of(self.people)

    @cached_property
    def others(self) -> list[Contact]:
        """Somebody else's cards that hold one of them now."""
        return crm.others_with(self.ever, self.people)

    @cached_property
    def emails(self) -> set[str]:
        """Those that are the person's alone. What somebody else has now tells of the person only beside the name."""
        return self.ever - crm.held_by(self.others)

    @cached_property
    def names(self) -> set[str]:
        """Those that the person has or had, and that none of these others is called."""
        return crm.names_of(self.people) - {other.name.lower() for other in self.others}

    @property
    def rows_of_others(self) -> QuerySet[SyncChange]:
        """What the journal says about others who had one of the e-mails for a while; not what a run is yet to do."""
        found = crm.stands_in("fields", crm.SAID, self.emails) | crm.stands_in("conflicts", IN_CONFLICT, self.emails)
        return SyncChange.objects.filter(found).exclude(outcome__in=WAITING, run__outcome__in=OPEN)

    @cached_property
    def unheard(self) -> list[SyncChange]:
        """Of these, since the last complete sync of their mailbox, writes of which nobody knows whether they were done;
        the earliest first."""
        recent = Q(run__setup__last_sync_at=None) | Q(created_at__gt=F("run__setup__last_sync_at"))
        rows = maybe_sent(self.rows_of_others.filter(recent, action=Action.UPDATE, link__isnull=False))
        return list(rows.exclude(contact__in=self.people).select_related("run").order_by("pk"))

    @property
    def links(self) -> QuerySet[ContactLink]:
        """The pairs of all mailboxes, and items in synced folders that are not paired but hold the person.

        These have, in whatever place, an e-mail that is the person's alone, and a first one that is on nobody else's
        card; or the person's name and any e-mail that they ever had. So somebody else's item stays, who has taken over
        an e-mail or has the person's beside their own; and so does an item of the person's under another name that has
        no other e-mail than one that somebody else has by now. What somebody has marked Private is theirs, and the CRM
        knows nothing of it.
        """
        paired = Q(contact__in=self.people) | Q(moved_from__in=self.people)  # by a merge that was undone just now
        return ContactLink.objects.filter(paired | Q(pk__in=self._unpaired()))

    def _unpaired(self) -> list[int]:
        seen = ContactLink.objects.filter(state=LinkState.SEEN, private=False)
        found = list(seen.filter(Q(email__in=self.ever) | crm.stands_in("outlook", EMAILS, self.ever)))
        taken = crm.held_by(crm.others_with({link.email for link in found}, self.people))
        return [link.pk for link in found if self._is_theirs(link, taken)]

    def _is_theirs(self, link: ContactLink, taken: set[str]) -> bool:
        if link.outlook_name.lower() in self.names:
            return True
        return link.email not in taken and bool(emails_of(link) & self.emails)

    @cached_property
    def copies(self) -> list[ContactLink]:
        """Those that stand for an item in Outlook, or may do so."""
        there = self.links.filter(state__in=(LinkState.LINKED, LinkState.SEEN, LinkState.CREATING), gone=False)
        return list(there.select_related("setup__user").order_by("setup__user__name", "pk"))

    @property
    def mailboxes(self) -> list[tuple[ExchangeSync, int]]:
        """Whose Outlook has copies, and how many."""
        counted: dict[int, tuple[ExchangeSync, int]] = {}
        for link in self.copies:
            counted[link.setup_id] = (link.setup, counted.get(link.setup_id, (link.setup, 0))[1] + 1)
        return list(counted.values())

    @property
    def journal(self) -> QuerySet[SyncChange]:
        return self.about(SyncChange.objects.all())

    def about(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Those of a journal's or a comparison's rows that are about the person.

        Those without a contact are found by an e-mail in them that is the person's alone, or by the name, where they
        have also another of the e-mails, or else neither an e-mail nor an item that would tell whom they are about.
        """
        silent = Q(link=None, fields__email__isnull=True)
        by_name = Q(name__folded__in=self.names) & (silent | crm.stands_in("fields", crm.SAID, self.ever))
        found = Q(name__folded__in=self.emails) | crm.stands_in("fields", crm.SAID, self.emails) | by_name
        paired = Q(contact__in=self.people) | Q(link__in=self.links.values("pk"))
        return rows.filter(paired | Q(contact=None) & found)

    @cached_property
    def counts(self) -> dict[str, int]:
        history = ContactChange.objects.filter(contact__in=self.people).count()
        return {"cards": len(self.people), "history": history, "journal": self.journal.count()}


def erase(contact: Contact, *, by: Any) -> Erasure:
    """Erase a person; the receipt. Raises StillRunning."""
    for setup, _number in Reach(contact).mailboxes:
        close_dead_run(setup)
    try:
        with transaction.atomic():
            reach = Reach(Contact.objects.select_for_update(of=["self"]).get(pk=contact.pk))
            locks = keep_runs_away(reach)
            erasure = Erasure.objects.create(number=contact.number, requested_by=by, reach=reach.counts)
            erasure.digests = block(reach.emails)
            erasure.save(update_fields=["digests"])
            note_copies(erasure, reach)
            forget_journal(reach)
            forget_in_rows_of_others(reach)
            forget_differences(reach)
            forget_links(reach)
            crm.erase(reach.people, reach.emails)
            SyncRun.objects.filter(pk__in=[lock.pk for lock in locks]).delete()
    except IntegrityError as error:  # a run began just now
        raise StillRunning from error
    logger.info("contact %s was erased on request, receipt %s", erasure.number, erasure.pk)
    ring(setup for setup, _number in reach.mailboxes)
    return erasure


def keep_runs_away(reach: Reach) -> list[SyncRun]:
    """See that no run has the person in its memory, nor begins before the end of the transaction: the locks."""
    setups = {link.setup_id for link in reach.links} | {row.run.setup_id for row in reach.unheard}
    open_runs = list(SyncRun.objects.open().filter(setup__in=setups).select_for_update())
    planned = SyncChange.objects.filter(contact__in=reach.people, outcome__in=WAITING)
    if SyncRun.objects.filter(Q(setup__in=setups) | Q(changes__in=planned), outcome=Outcome.RUNNING).exists():
        raise StillRunning
    free = setups - {run.setup_id for run in open_runs}
    locks = [SyncRun(setup_id=pk, kind=Kind.SYNC, trigger=Trigger.COMMAND) for pk in free]
    return SyncRun.objects.bulk_create(locks)


def note_copies(erasure: Erasure, reach: Reach) -> None:
    ErasedCopy.objects.bulk_create(
        ErasedCopy(
            erasure=erasure,
            setup=link.setup,
            link=link,
            mailbox=link.setup.mailbox or link.setup.user.authentication_email,
            folder_id=link.setup.mirrored_folder_id,
            outlook_id=link.outlook_id,
        )
        for link in reach.copies
    )


def forget_journal(reach: Reach) -> None:
    """The rows stay, so that counts stay right, but say no more whom they were about nor what it was."""
    keys = list(reach.journal.values_list("pk", flat=True))
    rows = SyncChange.objects.filter(pk__in=keys)
    waiting = rows.filter(outcome__in=WAITING)
    runs = list(SyncRun.objects.filter(pk__in=waiting.values("run")))
    waiting.update(outcome=ChangeOutcome.STALE)
    for run in runs:
        recount(run)
    rows.update(name=reach.contact.number, fields={}, conflicts={}, detail="", outlook_id="", contact=None)
    SyncRun.objects.filter(pk__in=rows.values("run")).exclude(doing="").update(doing="")


def forget_in_rows_of_others(reach: Reach) -> None:
    """Take the e-mails out of rows about others who had them for a while, by a merge perhaps; a plan stays whole."""
    agree_on_unheard(reach)
    rows = list(reach.rows_of_others)
    for row in rows:
        row.fields = {name: said for name, said in row.fields.items() if not crm.tells(name, said, reach.emails)}
        row.conflicts = {
            name: said for name, said in row.conflicts.items() if not crm.tells(name, said.values(), reach.emails)
        }
    SyncChange.objects.bulk_update(rows, ["fields", "conflicts"], batch_size=PAGE)


def agree_on_unheard(reach: Reach) -> None:
    """Have the sides agree on e-mails that a write may have brought to somebody else's item unheard, while its row
    tells that they were ours. They would come into the CRM as the item's owner's."""
    links = ContactLink.objects.select_for_update().in_bulk({row.link_id for row in reach.unheard})
    for row in reach.unheard:
        if link := links.get(row.link_id):
            written = {name: said[1] for name, said in row.fields.items() if crm.tells(name, said[1:], reach.emails)}
            link.base_crm = filled({**complete(link.base_crm), **written})
            link.base_outlook = filled({**complete(link.base_outlook), **written})
            link.fingerprint, link.missing = fingerprint(complete(link.base_outlook)), True  # so that it is asked for
    ContactLink.objects.bulk_update(links.values(), ["base_crm", "base_outlook", "fingerprint", "missing"], PAGE)


def forget_differences(reach: Reach) -> None:
    """What comparisons of both sides listed about the person."""
    found = list(reach.about(Difference.objects.all()).values_list("pk", flat=True))
    Difference.objects.filter(pk__in=found).update(name=reach.contact.number, fields={}, contact=None)


def forget_links(reach: Reach) -> None:
    """Of the copies keep what finds them, and of the rest nothing."""
    copies = ContactLink.objects.filter(pk__in=[link.pk for link in reach.copies])
    reach.links.exclude(pk__in=copies).delete()
    now = timezone.now()
    copies.filter(state=LinkState.CREATING).update(**BLANK, problem_since=now)
    copies.exclude(state=LinkState.CREATING).update(**BLANK, state=LinkState.SEEN, problem_since=now)


def ring(setups: Iterable[ExchangeSync]) -> None:
    """Have the copies removed now, wherever a sync can run; elsewhere they wait for one."""
    for setup in setups:
        with suppress(NotReady):
            request_run(setup, kind=Kind.SYNC, trigger=Trigger.SCHEDULE)


def copies_of(erasure: Erasure) -> QuerySet[ErasedCopy]:
    """Its copies, with all at hand that each says of itself. One query."""
    held = SyncRun.objects.filter(setup=OuterRef("setup"), outcome=Outcome.HELD)
    return erasure.copies.select_related("setup__user", "run").annotate(is_held_up=Exists(held))


def pending_of(setup: ExchangeSync) -> QuerySet[ErasedCopy]:
    return ErasedCopy.objects.filter(setup=setup, outcome=CopyOutcome.PENDING).select_related("erasure")


def plan(work: Work) -> None:
    """Plan the deletion of every copy that an erasure has left in this mailbox. One query where there is none."""
    pending = list(pending_of(work.setup))
    if not pending:
        return
    by_link = {copy.link_id: copy for copy in pending if copy.link_id}
    by_item = {copy.outlook_id: copy for copy in pending if copy.outlook_id}
    found = work.links.filter(Q(pk__in=by_link) | Q(outlook_id__in=by_item), contact=None, state=LinkState.SEEN)
    sheet = Sheet(work)
    for link in found.filter(missing=False, gone=False).exclude(outlook_id=""):
        copy = by_link.get(link.pk) or by_item[link.outlook_id]
        sheet.add(Side.OUTLOOK, Action.DELETE, Cause.ERASED, {}, link=link, with_outlook=True, forget=True)
        sheet.rows[-1].name = copy.erasure.number
        link.dirty = False
        sheet.touch(link)
        copy.outlook_id = link.outlook_id
    sheet.flush()
    ErasedCopy.objects.bulk_update(pending, ["outlook_id"])


def settle(work: Work) -> None:
    """Note on the receipts what this run made of the copies."""
    pending = list(pending_of(work.setup).select_related("link"))
    if not pending:
        return
    done = work.run.changes.filter(cause=Cause.ERASED, outcome=ChangeOutcome.DONE)
    removed = set(done.values_list("outlook_id", flat=True))
    wanted = [copy.outlook_id for copy in pending if copy.outlook_id]
    there = set(work.links.filter(outlook_id__in=wanted).values_list("outlook_id", flat=True))
    for copy in pending:
        if copy.outlook_id and copy.outlook_id in removed:
            copy.outcome = CopyOutcome.REMOVED
        elif copy.link is None and copy.outlook_id not in there and copy.folder_id == work.setup.folder_id:
            copy.outcome = CopyOutcome.GONE
        else:
            continue
        copy.run, copy.settled_at = work.run, timezone.now()
    ErasedCopy.objects.bulk_update(pending, ["outcome", "run", "settled_at"])
