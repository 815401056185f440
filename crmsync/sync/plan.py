"""What one run should do with one contact: pure functions, the twelve cells of docs/sync.md.

Nothing here reads a database, a clock or a network. `None` for a side means that it holds nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from crmsync.sync.fields import EMPTY, NAMES, ContactFields, filled, same


class Change(Enum):
    """What became of one side since both sides last agreed."""

    ABSENT = "absent"
    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True)
class Base:
    """What each side held when they last agreed. Two halves, since Outlook may store a value its own way."""

    crm: ContactFields
    outlook: ContactFields


class ConflictChoice(Enum):
    """Who wins where both sides changed the same field differently."""

    CRM = "crm"
    OUTLOOK = "outlook"
    ASK = "ask"


class RemovedChoice(Enum):
    """What happens to a contact whose Outlook copy the user deleted."""

    STAY_OUT = "stay_out"
    PUT_BACK = "put_back"
    TRASH = "trash"


@dataclass(frozen=True)
class Rules:
    """The choices of a setup that bend the table. `leaves` says that the contact has to leave the folder."""

    conflict: ConflictChoice = ConflictChoice.CRM
    removed: RemovedChoice = RemovedChoice.STAY_OUT
    remove_trashed: bool = True
    leaves: bool = False


@dataclass(frozen=True)
class Write:
    """Set these fields, creating the contact or the item where there is none."""

    fields: Mapping[str, str]


class Verb(Enum):
    KEEP = "keep"
    DELETE = "delete"


KEEP, DELETE = Verb.KEEP, Verb.DELETE
Deed = Write | Verb


@dataclass(frozen=True)
class Conflict:
    """One field that both sides changed differently. `kept` is 'crm', 'outlook', or '' while a person is asked."""

    name: str
    base: str
    crm: str
    outlook: str
    kept: str


@dataclass(frozen=True)
class Plan:
    """What to do on each side. `forget`: the pair is no more; `stays_out`: remember that the user removed it."""

    crm: Deed = KEEP
    outlook: Deed = KEEP
    conflicts: tuple[Conflict, ...] = ()
    forget: bool = False
    stays_out: bool = False

    @property
    def open_fields(self) -> set[str]:
        """Fields that nobody has decided yet: their base must stay as it is."""
        return {conflict.name for conflict in self.conflicts if not conflict.kept}


@dataclass(frozen=True)
class Merged:
    """What each side has to take over from the other."""

    crm: Mapping[str, str] = field(default_factory=dict)
    outlook: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()


def change(base: ContactFields | None, now: ContactFields | None) -> Change:
    """How a side moved from its own half of the base to `now`."""
    if base is None:
        return Change.ABSENT if now is None else Change.NEW
    if now is None:
        return Change.GONE
    return Change.SAME if all(same(name, base[name], now[name]) for name in NAMES) else Change.CHANGED


def merge(base: Base | None, crm: ContactFields, outlook: ContactFields, choice: ConflictChoice) -> Merged:
    """Field by field: one changed → the other takes it; both to the same → agreed; both differently → a conflict.

    Without a base the CRM's filled fields win, and a field that is blank in the CRM takes Outlook's value.
    """
    old_crm, old_outlook = (base.crm, base.outlook) if base else (EMPTY, EMPTY)
    to_crm: dict[str, str] = {}
    to_outlook: dict[str, str] = {}
    conflicts: list[Conflict] = []
    for name in NAMES:
        ours, theirs = crm[name], outlook[name]
        crm_changed = not same(name, old_crm[name], ours)
        outlook_changed = not same(name, old_outlook[name], theirs)
        if same(name, ours, theirs) or not (crm_changed or outlook_changed):
            continue
        winner = "crm" if crm_changed else "outlook"
        if crm_changed and outlook_changed:
            winner = "" if choice is ConflictChoice.ASK else choice.value
            conflicts.append(Conflict(name, old_crm[name], ours, theirs, winner))
        if winner == "crm":
            to_outlook[name] = ours
        elif winner == "outlook":
            to_crm[name] = theirs
    return Merged(to_crm, to_outlook, tuple(conflicts))


def plan(
    base: Base | None,
    crm: ContactFields | None,
    outlook: ContactFields | None,
    rules: Rules,
    trashed: ContactFields | None = None,
) -> Plan:
    """The cell of the table for this contact, bent by the rules. `trashed`: what it holds in the trash."""
    crm_change = change(base.crm if base else None, crm)
    outlook_change = change(base.outlook if base else None, outlook)
    match crm_change, outlook_change:
        case Change.ABSENT, Change.ABSENT:
            return Plan()
        case Change.NEW, Change.ABSENT if crm is not None:  # 1
            return Plan(outlook=Write(filled(crm)))
        case Change.ABSENT, Change.NEW if outlook is not None:  # 2
            return Plan(crm=Write(filled(outlook)))
        case Change.NEW, Change.NEW if crm is not None and outlook is not None:  # 3: at first sight the CRM always wins
            return _merged(merge(None, crm, outlook, ConflictChoice.CRM))
        case ((Change.SAME | Change.CHANGED), (Change.SAME | Change.CHANGED)) if (
            crm is not None and outlook is not None
        ):
            return _both(base, crm, outlook, rules)  # 4, 5, 6, 7
        case Change.GONE, Change.SAME:  # 8
            return Plan(outlook=DELETE, forget=True) if rules.remove_trashed else Plan()
        case Change.SAME, Change.GONE if crm is not None:  # 9
            return _removed_in_outlook(crm, rules)
        case Change.GONE, Change.CHANGED if base is not None and outlook is not None:  # 10: an edit beats a delete
            merged = merge(base, trashed or base.crm, outlook, ConflictChoice.OUTLOOK)
            return Plan(crm=Write(merged.crm), conflicts=merged.conflicts)
        case Change.CHANGED, Change.GONE if crm is not None:  # 11: and so does this one
            return Plan(forget=True) if rules.leaves else Plan(outlook=Write(filled(crm)))
        case Change.GONE, Change.GONE:  # 12
            return Plan(forget=True)
    raise AssertionError(f"no cell for {crm_change} and {outlook_change}")


def _merged(merged: Merged) -> Plan:
    return Plan(
        crm=Write(merged.crm) if merged.crm else KEEP,
        outlook=Write(merged.outlook) if merged.outlook else KEEP,
        conflicts=merged.conflicts,
    )


def _both(base: Base | None, crm: ContactFields, outlook: ContactFields, rules: Rules) -> Plan:
    if not rules.leaves:
        return _merged(merge(base, crm, outlook, rules.conflict))
    # What the user wrote in Outlook is kept, in the CRM, before the copy goes; then there is nothing left to ask about.
    choice = ConflictChoice.CRM if rules.conflict is ConflictChoice.ASK else rules.conflict
    merged = merge(base, crm, outlook, choice)
    return Plan(crm=Write(merged.crm) if merged.crm else KEEP, outlook=DELETE, conflicts=merged.conflicts, forget=True)


def _removed_in_outlook(crm: ContactFields, rules: Rules) -> Plan:
    if rules.leaves:
        return Plan(forget=True)
    if rules.removed is RemovedChoice.PUT_BACK:
        return Plan(outlook=Write(filled(crm)))
    if rules.removed is RemovedChoice.TRASH:
        return Plan(crm=DELETE, forget=True)
    return Plan(stays_out=True)
