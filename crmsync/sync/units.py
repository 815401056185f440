"""What apply works on: the planned rows of one contact, what they are about, and the call to Outlook that they need."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby, islice

from django.db.models import Exists, OuterRef
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.alone import why_waiting
from crmsync.sync.choices import Action, Cause, ChangeOutcome, Decision, LinkState, Reason, Side
from crmsync.sync.fields import complete, filled
from crmsync.sync.mapping import CATEGORY, categories_of, contact_fields, item_body, stamp, stamped
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.twins import unpaired_items
from crmsync.sync.work import Work, chunks
from exchange_setup.graph.calls import Create, Delete, Update

Call = Create | Update | Delete
LIVE = (LinkState.LINKED, LinkState.CREATING)


@dataclass
class Unit:
    """The planned rows of one contact, by side, with the link and the contact as they are now."""

    rows: dict[str, SyncChange]
    link: ContactLink | None = None
    contact: Contact | None = None
    call: Call | None = None
    ended: bool = False
    rivals: list[ContactLink] = field(default_factory=list)
    never: bool = False
    wanted: bool = False
    has_twin: bool = False  # somebody has made an item of the contact by hand since, and that matters here
    is_refused: bool = False  # an item that is only in Outlook, and of which its owner has said since that it stays so

    @property
    def outlook(self) -> SyncChange | None:
        return self.rows.get(Side.OUTLOOK)

    @property
    def crm(self) -> SyncChange | None:
        return self.rows.get(Side.CRM)

    @property
    def first_row(self) -> SyncChange:
        return next(iter(self.rows.values()))

    @property
    def creates_item(self) -> bool:
        return bool(self.outlook and self.outlook.action == Action.CREATE)

    @property
    def minds_twins(self) -> bool:
        """Whether it matters that there is another item of the contact: one is created, or was the only one."""
        trashed = self.crm and (self.crm.action, self.crm.cause) == (Action.DELETE, Cause.REMOVED_IN_OUTLOOK)
        return self.creates_item or bool(trashed)

    @property
    def leaves(self) -> bool:
        """Whether the contact's item goes, or is forgotten, since the contact is no longer wanted there."""
        row = self.outlook
        return bool(row and (row.cause == Cause.LEFT_FILTER or (row.action == Action.UNLINK and row.forget)))

    @property
    def is_paired(self) -> bool:
        """Whether the unit made a link the contact's own that was nobody's before."""
        pairs = (Action.LINK, Action.RESTORE)
        return any(row.action in pairs and row.outcome == ChangeOutcome.DONE for row in self.rows.values())

    @property
    def remembers(self) -> bool:
        """Whether the unit has made a link that is not stored yet."""
        return bool(self.link and not self.link.pk and self.link.state == LinkState.REMOVED)

    @property
    def is_left_behind(self) -> bool:
        """Whether the contact was to have an item, and nothing is noted of it now that nothing came of that."""
        row, contact, link = self.outlook, self.contact, self.link
        if row is None or row.action not in (Action.LINK, Action.CREATE) or row.outcome == ChangeOutcome.DONE:
            return False
        return contact is not None and (link is None or link.contact_id != contact.pk)

    def close(self, outcome: ChangeOutcome, reason: str = "", detail: str = "", *, side: str = "") -> None:
        """Set what became of the rows (of one side) that are still open."""
        for row_side, row in self.rows.items():
            if side in ("", row_side) and row.outcome == ChangeOutcome.PLANNED:
                row.outcome, row.reason, row.applied_at = outcome, reason or row.reason, timezone.now()
                row.detail = detail or row.detail


def batches(work: Work, *, with_outlook: bool, size: int) -> Iterator[list[Unit]]:
    """The planned units, at most `size` at a time, each batch loaded in a constant number of queries.

    The rows of one contact were planned together, so they follow one another.
    """
    planned = work.run.changes.filter(outcome=ChangeOutcome.PLANNED, with_outlook=with_outlook)
    rows = chain.from_iterable(chunks(planned))
    units = (Unit({row.side: row for row in group}) for _, group in groupby(rows, key=whose))
    while batch := list(islice(units, size)):
        load(work, batch)
        yield batch


def whose(row: SyncChange) -> object:
    """What the rows of one unit have in common."""
    return row.contact_id or (f"link {row.link_id}" if row.link_id else f"row {row.pk}")


def load(work: Work, units: list[Unit]) -> None:
    links = work.links.in_bulk([unit.first_row.link_id for unit in units if unit.first_row.link_id])
    people = Contact.objects.select_related("company").annotate(
        never=Exists(work.never().filter(contact_id=OuterRef("pk")))
    )
    contacts = people.in_bulk([unit.first_row.contact_id for unit in units if unit.first_row.contact_id])
    of_contact: dict[int, list[ContactLink]] = {}
    for link in work.links.filter(contact_id__in=contacts):
        of_contact.setdefault(link.contact_id, []).append(link)
    wanted = wanted_again(work, units)
    for unit in units:
        unit.link = links.get(unit.first_row.link_id)
        unit.contact = contacts.get(unit.first_row.contact_id)
        if unit.contact is not None:
            held = of_contact.get(unit.contact.pk, [])
            unit.rivals = [link for link in held if unit.link is None or link.pk != unit.link.pk]
            unit.never, unit.wanted = unit.contact.never, unit.contact.pk in wanted
        unit.is_refused = unit.link is not None and refuses(work, unit)
    note_twins(work, units)


def refuses(work: Work, unit: Unit) -> bool:
    """Whether the item's owner has it kept out of the CRM, or has taken back that it may come in."""
    match unit.first_row.cause:
        case Cause.FIRST_SIGHT:
            return unit.link.decision == Decision.KEEP_OUT
        case Cause.NEW_IN_OUTLOOK:
            return unit.link.decision == Decision.KEEP_OUT or bool(why_waiting(work, unit.link))
    return False


def note_twins(work: Work, units: list[Unit]) -> None:
    """Mark those that overlook an item that somebody has made by hand. At most one query."""
    asking = [unit for unit in units if unit.minds_twins and unit.contact is not None and unit.contact.email]
    items = unpaired_items(work, [unit.contact.email.lower() for unit in asking]) if asking else {}
    for unit in asking:
        unit.has_twin = unit.contact.email.lower() in items


def wanted_again(work: Work, units: list[Unit]) -> set[int]:
    """Of the contacts that are to leave Outlook those that it should have after all, by now. At most one query."""
    leaving = [unit.first_row.contact_id for unit in units if unit.leaves]
    return set(work.in_filter().filter(pk__in=leaving).values_list("pk", flat=True)) if leaving else set()


def why_stale(unit: Unit) -> str:
    """Why the plan no longer holds for this unit, '' while it does: nothing is ever applied blindly."""
    row, link, contact = unit.first_row, unit.link, unit.contact
    if row.contact_version is not None and (contact is None or contact.version != row.contact_version):
        return Reason.EDITED_MEANWHILE
    if row.outlook_id and (link is None or (link.change_key, link.outlook_id) != (row.change_key, row.outlook_id)):
        return Reason.EDITED_MEANWHILE
    pairs = row.action == Action.LINK  # with a new item, in place of one that is gone
    if unit.has_twin or any(rival.state in LIVE and not (pairs and rival.gone) for rival in unit.rivals):
        return Reason.EDITED_MEANWHILE
    if ((unit.creates_item or pairs) and unit.never) or (unit.leaves and unit.wanted) or unit.is_refused:
        return Reason.EDITED_MEANWHILE
    if row.action == Action.CREATE and row.side == Side.CRM and (link is None or link.contact_id):
        return Reason.EDITED_MEANWHILE
    return ""


def seen(unit: Unit) -> dict[str, str]:
    """What Outlook held when the plan was made; nothing for an item that is to be created."""
    link = unit.link
    if link is None or unit.creates_item:
        return complete({})
    return complete(link.outlook if link.outlook is not None else link.base_outlook)


def prepare(work: Work, unit: Unit) -> None:
    """Set the call that the unit needs; for a create also the link that says what we are about to do."""
    row = unit.outlook
    if row is None or row.action not in (Action.CREATE, Action.UPDATE, Action.LINK, Action.DELETE):
        return
    link = unit.link
    wanted = {name: after for name, (_, after) in row.fields.items() if name != "categories"}
    if row.action == Action.CREATE:
        intend(work, unit, wanted)
    elif row.action == Action.DELETE:
        unit.call = Delete(link.outlook_id, link.change_key)
    else:
        body = item_body(wanted, {**seen(unit), **wanted}, link.raw, link.kept_out)
        if row.action == Action.LINK:
            stamp(body, link.marker)
            if CATEGORY not in categories_of(link.raw):
                body["categories"] = stamped(categories_of(link.raw))
        unit.call = Update(link.outlook_id, body, link.change_key)


def intend(work: Work, unit: Unit, wanted: dict[str, str]) -> None:
    """Prepare the link of an item to be created: its marker is stored first, and finds the item after a crash."""
    link = unit.link or next(iter(unit.rivals), None) or ContactLink(setup=work.setup, contact=unit.contact)
    unit.link, unit.rivals = link, [rival for rival in unit.rivals if rival is not link]
    is_undo = unit.outlook.cause == Cause.UNDONE
    crm, note = contact_fields(unit.contact), wanted.get("notes", "")
    if not is_undo or note != crm["notes"]:
        crm["notes"] = "" if is_undo else note  # what an undo brings back may be its owner's own
    # What an undo puts back is there whatever the filter says, even while the contact is in the trash; and what takes
    # the place of an item that is gone, though its contact never was in the filter.
    if is_undo or link.state != LinkState.LINKED:
        link.was_in_filter = not is_undo
    link.left_by_undo = is_undo and unit.contact.is_trashed
    link.state, link.outlook_id, link.change_key, link.marker = LinkState.CREATING, "", "", uuid.uuid4()
    link.own_key = ""
    link.base_crm, link.base_outlook, link.outlook = filled(crm), filled(wanted), None
    link.contact_version = unit.contact.version
    link.raw, link.kept_out, link.gone, link.missing = {}, {}, False, False
    page = f"{work.contact_url}{unit.contact.number}/" if work.contact_url else ""
    body = stamp({**item_body(wanted, complete(wanted), {}), "categories": [CATEGORY]}, link.marker, page)
    unit.call = Create(work.setup.folder_id, body)
