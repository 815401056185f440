"""What takes back one change of a run: decided from the journal and from what both sides hold now.

Only what still is as the change left it is taken back; all else is left alone, with a reason. Reads no database.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from contacts.models import Contact
from crmsync.sync.choices import Action, Cause, LinkState, Reason, Side
from crmsync.sync.fields import BY_NAME, NAMES, complete, filled, same
from crmsync.sync.mapping import CATEGORY, categories_of, contact_fields
from crmsync.sync.models import ContactLink, SyncChange

NAME_PARTS = [name for name, field in BY_NAME.items() if field.part_of_name]

FOR_GOOD = (Cause.ERASED, Cause.LEAVING)  # deletions that nobody takes back


@dataclass(frozen=True)
class Known:
    """What is known of a page of changes: contacts and links by their keys, and sets of keys."""

    contacts: Mapping[int, Contact]
    items: Mapping[str, ContactLink]
    own: Mapping[int, ContactLink]
    never: set[int]
    taken: set[str]  # e-mails of items that are only in Outlook, or of contacts that go there in somebody's place
    elsewhere: set[int]  # contacts that a colleague's sync has paired with an item of theirs
    survivors: set[int]  # contacts that others were merged into
    undone: set[int]
    user: int  # whose mailbox it is
    sync_notes: bool


@dataclass(frozen=True)
class Back:
    """What to do on the change's side, as a row of the plan."""

    action: Action
    fields: dict[str, list[str]]
    link: ContactLink | None


@dataclass(frozen=True)
class LeftAlone:
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Facts:
    """One change, and what it is about now. `item` is the link of its Outlook item, `own` that of its contact."""

    change: SyncChange
    known: Known
    contact: Contact | None
    item: ContactLink | None
    own: ContactLink | None
    has_crm: bool

    @classmethod
    def of(cls, change: SyncChange, known: Known, *, has_crm: bool) -> Self:
        """`has_crm` says that the change's run wrote the contact in the CRM too."""
        contact, own = known.contacts.get(change.contact_id or 0), known.own.get(change.contact_id or 0)
        return cls(change, known, contact, known.items.get(change.outlook_id), own, has_crm)

    @property
    def fields(self) -> dict[str, list[str]]:
        return {name: pair for name, pair in self.change.fields.items() if name in BY_NAME}

    @property
    def after(self) -> dict[str, str]:
        return complete({name: after for name, (_, after) in self.fields.items()})

    @property
    def is_there(self) -> bool:
        """Whether the item is still in Outlook, and the contact's own."""
        return is_live(self.item) and self.item.contact_id == self.change.contact_id

    def changed(self, names: list[str] | None = None) -> LeftAlone:
        """Left alone since it is no longer as the change left it; `names` are fields."""
        if self.change.pk in self.known.undone:
            return LeftAlone(Reason.ALREADY_UNDONE)
        return LeftAlone(Reason.CHANGED_SINCE, ", ".join(names or ()))


Step = Back | LeftAlone


def take_back(facts: Facts) -> Iterator[Step]:
    """What takes the change back; of single fields that have changed since, that they are left alone."""
    change = facts.change
    match change.side, change.action:
        case Side.OUTLOOK, Action.CREATE:
            yield remove_item(facts)
        case Side.OUTLOOK, Action.UPDATE | Action.LINK:
            yield from write_item_back(facts)
        case Side.OUTLOOK, Action.DELETE if change.cause in FOR_GOOD:
            yield LeftAlone(Reason.NOTHING_TO_UNDO)
        case Side.OUTLOOK, Action.DELETE:
            yield make_item_again(facts)
        case Side.CRM, Action.UPDATE if change.cause != Cause.RESTORED:
            yield from write_contact_back(facts)
        case Side.CRM, Action.CREATE | Action.RESTORE | Action.UPDATE:
            yield trash(facts)
        case Side.CRM, Action.DELETE:
            yield restore(facts)
        case _:
            yield LeftAlone(Reason.NOTHING_TO_UNDO)


# --- Outlook ---------------------------------------------------------------------------------------------------------


def remove_item(facts: Facts) -> Step:
    """The run made the item: it goes, if it is exactly as it was made."""
    link = facts.item
    if not facts.is_there or facts.contact is None:
        return facts.changed()
    now, after = held(link), facts.after
    changed = [name for name in NAMES if not same(name, now[name], after[name])]
    if changed or link.kept_out or link.private or set(categories_of(link.raw)) - {CATEGORY}:
        return facts.changed(changed)
    return Back(Action.DELETE, {name: [value, ""] for name, value in filled(now).items()}, link)


def write_item_back(facts: Facts) -> Iterator[Step]:
    """The run wrote fields of the item: each gets its former value again, and a pair stays a pair."""
    link, contact = facts.item, facts.contact
    if not facts.is_there or contact is None or contact.is_trashed:
        yield facts.changed()
        return
    if frozen := why_frozen(contact, link):
        yield LeftAlone(frozen)
        return
    now, crm, base = held(link), contact_fields(contact), complete(link.base_crm)
    waits = {name for name in NAMES if name != "notes" and not same(name, crm[name], base[name])}
    yield from fields_back(facts, now, waits | link.left_alone, link)


def make_item_again(facts: Facts) -> Step:
    """The run removed the item: it is made again with what it held, or with the contact's values if those are newer."""
    contact, own, change = facts.contact, facts.own, facts.change
    removed_since = own is not None and (
        own.state in (LinkState.LINKED, LinkState.CREATING) or (own.state == LinkState.REMOVED and not own.left_by_undo)
    )
    if contact is None or contact.merged_into_id or removed_since or contact.email.lower() in facts.known.taken:
        return facts.changed()
    if frozen := why_frozen(contact, None):
        return LeftAlone(frozen)
    if contact.pk in facts.known.never:
        return LeftAlone(Reason.NEVER, contact.number)
    values = {name: before for name, (before, _) in facts.fields.items() if before}
    if contact.version != (change.contact_version or 0) + facts.has_crm:
        values = filled(contact_fields(contact))
        if not facts.known.sync_notes:
            values.pop("notes", None)
    if not values:
        return LeftAlone(Reason.NOTHING_TO_UNDO)
    return Back(Action.CREATE, {name: ["", value] for name, value in values.items()}, own)


# --- The CRM ---------------------------------------------------------------------------------------------------------


def trash(facts: Facts) -> Step:
    """The run brought the contact into the CRM, or back from the trash: it goes there, and its item stays."""
    contact = facts.contact
    if contact is None or contact.is_trashed or not contact.is_person or contact.pk in facts.known.survivors:
        return facts.changed()
    if facts.change.action == Action.CREATE and contact.salesperson_id != facts.known.user:
        return facts.changed()  # it has been handed over
    crm, after = contact_fields(contact), facts.after
    names = facts.fields if facts.change.action == Action.UPDATE else NAMES
    if changed := [name for name in names if not same(name, crm[name], after[name])]:
        return facts.changed(changed)
    if contact.pk in facts.known.elsewhere:
        return LeftAlone(Reason.IN_USE)
    return Back(Action.DELETE, {name: [value, ""] for name, value in filled(crm).items()}, facts.own)


def write_contact_back(facts: Facts) -> Iterator[Step]:
    """The run wrote fields of the contact: each gets its former value again."""
    link, contact = facts.own, facts.contact
    if contact is None or contact.is_trashed or (link is not None and link.gone and link.state == LinkState.LINKED):
        yield facts.changed()
        return
    there = link if is_live(link) else None
    if frozen := why_frozen(contact, there):
        yield LeftAlone(frozen)
        return
    waits: set[str] = set()
    if there is not None:
        now, base = held(there), complete(there.base_outlook)
        waits = {name for name in NAMES if not same(name, now[name], base[name])} | there.left_alone
    crm = contact_fields(contact)
    for step in fields_back(facts, crm, waits, there):
        if isinstance(step, Back) and not any({**crm, **targets(step)}[name] for name in NAME_PARTS):
            step = facts.changed(list(step.fields))
        yield step


def restore(facts: Facts) -> Step:
    """The run moved the contact to the trash: it comes back, to the item that an undo may have left by itself."""
    contact, item, own = facts.contact, facts.item, facts.own
    if contact is None or not contact.is_trashed or contact.merged_into_id:
        return facts.changed()
    is_alone = item is not None and item.state == LinkState.SEEN and own is None and not item.needs_extras
    fields = {name: ["", value] for name, value in filled(contact_fields(contact)).items()}
    return Back(Action.RESTORE, fields, item if is_alone else own)


# --- Shared ----------------------------------------------------------------------------------------------------------


def fields_back(facts: Facts, now: Mapping[str, str], waits: set[str], link: ContactLink | None) -> Iterator[Step]:
    """Each field's former value, where the side still holds the later one and no other edit of it `waits`."""
    fields: dict[str, list[str]] = {}
    changed = []
    for name, (before, after) in facts.fields.items():
        if name in waits or not same(name, now[name], after):
            changed.append(name)
        else:
            fields[name] = [now[name], before]
    if fields:
        yield Back(Action.UPDATE, fields, link)
    if changed:
        yield facts.changed(changed)
    if not facts.fields:
        yield LeftAlone(Reason.NOTHING_TO_UNDO)


def targets(back: Back) -> dict[str, str]:
    return {name: value for name, (_, value) in back.fields.items()}


def is_live(link: ContactLink | None) -> bool:
    """Whether the link's item is known to be in Outlook as the link says."""
    return bool(link and link.state == LinkState.LINKED and not (link.gone or link.missing or link.needs_extras))


def held(link: ContactLink) -> dict[str, str]:
    """What Outlook holds now."""
    return complete(link.outlook if link.outlook is not None else link.base_outlook)


def why_frozen(contact: Contact, link: ContactLink | None) -> str:
    """Why nothing may be written on either side, '' for no reason."""
    if link is not None and link.private:
        return Reason.PRIVATE
    if contact.privacy_blocked:
        return Reason.PRIVACY_BLOCKED
    return "" if contact.is_person else Reason.NOT_A_PERSON
