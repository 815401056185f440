"""Writing down a plan: collects the rows of one chunk and stores them together.

A preview writes its rows but leaves the links alone, so that the sync after it finds everything as it was.
"""

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from contacts.models import Contact
from crmsync.sync.choices import Action, Cause, ChangeOutcome, LinkState, Side
from crmsync.sync.fields import ContactFields, complete, filled, fingerprint
from crmsync.sync.freshness import edited_at
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.plan import Conflict
from crmsync.sync.work import Work, still_there, store

SETTLED_COLUMNS = [
    "base_crm", "base_outlook", "contact_version", "outlook", "fingerprint", "dirty", "was_in_filter", "problem",
    "problem_detail", "problem_since", "state", "left_by_undo",
]  # fmt: skip


@dataclass
class Sheet:
    """The planned rows and touched links of one chunk."""

    work: Work
    rows: list[SyncChange] = field(default_factory=list)
    touched: dict[int, ContactLink] = field(default_factory=dict)
    new_links: list[ContactLink] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)

    def add(
        self,
        side: Side,
        action: Action,
        cause: Cause | str,
        fields: dict[str, list[str]],
        *,
        contact: Contact | None = None,
        link: ContactLink | None = None,
        conflicts: tuple[Conflict, ...] = (),
        with_outlook: bool = False,
        forget: bool = False,
    ) -> None:
        """Plan one change of one side. The rows of one contact follow one another."""
        last = self.rows[-1] if self.rows else None
        follows = last is not None and contact is not None and last.contact_id == contact.pk
        self.rows.append(
            SyncChange(
                run=self.work.run,
                side=side,
                action=action,
                cause=cause,
                fields=fields,
                link=link if link and link.pk else None,
                contact=contact,
                name=name_of(contact, link),
                outlook_id=link.outlook_id if link else "",
                change_key=link.change_key if link else "",
                contact_version=contact.version if contact else None,
                conflicts={
                    row.name: {"base": row.base, "crm": row.crm, "outlook": row.outlook, "kept": row.kept}
                    for row in conflicts
                },
                with_outlook=with_outlook,
                forget=forget,
                edited_at=edited_at(self.work.setup, cause, contact, link),
                leads=not follows,
            )
        )

    def leave_out(
        self,
        reason: str,
        detail: str = "",
        *,
        side: Side,
        link: ContactLink,
        contact: Contact | None = None,
        conflicts: tuple[Conflict, ...] = (),
    ) -> None:
        """Note on the link why it is left out, and journal it when that is news.

        That the contact for which an item is left out has got its number is none.
        """
        is_known = link.problem == reason and not link.problem_detail
        if link.note_problem(reason, detail) and reason and not is_known:
            self.skip(reason, detail, side=side, link=link, contact=contact, conflicts=conflicts)
        self.touch(link)

    def skip(self, reason: str, detail: str, *, side: Side, link: ContactLink, **more: Any) -> None:
        """Journal what is left out."""
        self.add(side, Action.SKIP, "", {}, link=link, **more)
        self.rows[-1].outcome, self.rows[-1].reason, self.rows[-1].detail = ChangeOutcome.SKIPPED, reason, detail

    def tell_kept_out(self, link: ContactLink, contact: Contact | None = None) -> None:
        """Journal what of an item that is met for the first time stays out of the CRM; the link says so afterwards."""
        if link.kept_out:
            self.skip(*link.why_kept_out, side=Side.CRM, link=link, contact=contact)

    def touch(self, link: ContactLink) -> None:
        """Have the link stored with the chunk."""
        if link.pk:
            self.touched[link.pk] = link
        elif link not in self.new_links:
            self.new_links.append(link)

    def drop(self, link: ContactLink) -> None:
        """Have the link forgotten: there is nothing left to remember."""
        self.dropped.append(link.pk)

    def flush(self) -> None:
        """Store the chunk in one transaction."""
        with transaction.atomic():
            self.work.lease.hold()
            self.forget_the_deleted()
            if not self.work.is_preview:
                self.work.make_way(self.new_links)
                ContactLink.objects.bulk_create(self.new_links)
                for row in self.rows:
                    if row.action == Action.SKIP and row.link is None and row.contact is not None:
                        row.link = next((link for link in self.new_links if link.contact_id == row.contact_id), None)
                store(list(self.touched.values()), SETTLED_COLUMNS)
                ContactLink.objects.filter(pk__in=self.dropped).delete()
            SyncChange.objects.bulk_create(self.rows)
        self.rows, self.touched, self.new_links, self.dropped = [], {}, [], []

    def forget_the_deleted(self) -> None:
        """Strike out whom somebody erased, or the trash deleted, since the chunk was read. Inside the transaction."""
        links = [*self.touched.values(), *self.new_links]
        named = {about.contact_id for about in [*self.rows, *links]} - {None}
        gone = named - still_there(named) if named else set()
        if gone:
            self.rows = [row for row in self.rows if row.contact_id not in gone]
            self.touched = {pk: link for pk, link in self.touched.items() if link.contact_id not in gone}
            self.new_links = [link for link in self.new_links if link.contact_id not in gone]


def name_of(contact: Contact | None, link: ContactLink | None) -> str:
    """Whom a row is about, for reading."""
    shown = str(contact) if contact else (link.outlook_name or link.email) if link else ""
    return shown[:400]


def settle(link: ContactLink, crm: ContactFields, outlook: ContactFields, *, keep: set[str] = frozenset()) -> None:
    """Set (without saving) that both sides agree on what they hold now, but for the fields in `keep`."""
    old_crm, old_outlook = complete(link.base_crm), complete(link.base_outlook)
    link.base_crm = filled({name: old_crm[name] if name in keep else value for name, value in crm.items()})
    link.base_outlook = filled({name: old_outlook[name] if name in keep else value for name, value in outlook.items()})
    link.fingerprint = fingerprint(complete(link.base_outlook))
    link.outlook = filled(outlook) if keep else None
    link.dirty = bool(keep)
    if link.state != LinkState.REMOVED:
        link.state = LinkState.LINKED
