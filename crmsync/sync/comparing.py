"""One contact on both sides: the same, or how it differs and why. Reads what it is given, and stores nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from crmsync.sync.choices import Reason
from crmsync.sync.differences import Difference, Explanation, Place
from crmsync.sync.fields import NAMES, ContactFields, complete, filled, fingerprint, same
from crmsync.sync.mapping import OutlookItem, contact_fields
from crmsync.sync.models import ContactLink
from crmsync.sync.plan import Base
from crmsync.sync.planning import both_sides, why_frozen, why_passed_over
from crmsync.sync.sheet import name_of
from exchange_setup.models import ExchangeSync, TrashedRule

SLACK = timedelta(minutes=5)  # between Outlook's clock, its list of changes and ours
FAILED = (Reason.REFUSED, Reason.NO_ANSWER, Reason.BROKEN)


@dataclass(frozen=True)
class Sides:
    """What both sides of a pair hold, what they held when they last agreed, and what the next sync knows of it."""

    crm: ContactFields
    outlook: ContactFields
    base: Base
    crm_is_due: bool
    outlook_is_due: bool

    @property
    def differing(self) -> list[str]:
        """The fields that should be the same and are not. Notes go one way, so only the CRM's can be behind."""
        own_notes = {"notes"} if same("notes", self.base.crm["notes"], self.crm["notes"]) else set()
        return [name for name in NAMES if name not in own_notes and not same(name, self.crm[name], self.outlook[name])]

    def explain(self, name: str) -> Explanation:
        """Why the field differs: an edit that the next sync knows of, one that it does not, or none at all."""
        crm_changed = not same(name, self.base.crm[name], self.crm[name])
        outlook_changed = not same(name, self.base.outlook[name], self.outlook[name])
        if not (crm_changed or outlook_changed):
            return Explanation.OWN_WAY
        is_due = (crm_changed and self.crm_is_due) or (outlook_changed and self.outlook_is_due)
        return Explanation.WAITING if is_due else Explanation.UNKNOWN


def compare(setup: ExchangeSync, link: ContactLink, item: OutlookItem) -> Difference | None:
    """How a pair differs from what Outlook really holds; None where both sides are the same."""
    if link.contact.is_trashed:
        kept = Reason.IN_TRASH if setup.trashed_rule == TrashedRule.KEEP else ""
        reason = why_passed_over(link) or kept
        return difference(link, Explanation.LEFT_OUT if reason else Explanation.WAITING, reason)
    sides = sides_of(setup, link, item)
    frozen = Reason.PRIVATE if item.problem == Reason.PRIVATE else why_frozen(link)
    crm = contact_fields(link.contact)
    kept_out = {name: [crm[name], text] for name, (_why, text) in item.kept_out.items()}
    fields = {name: [sides.crm[name], sides.outlook[name]] for name in sides.differing} | kept_out
    if not fields:
        return None
    if frozen:
        return difference(link, Explanation.LEFT_OUT, frozen, {} if frozen == Reason.PRIVATE else fields)
    found = {sides.explain(name) for name in fields.keys() - kept_out.keys()}
    if Explanation.UNKNOWN in found:
        return difference(link, Explanation.UNKNOWN, "", fields)
    if link.problem == Reason.CONFLICT:
        return difference(link, Explanation.CONFLICT, "", fields)
    if link.problem in FAILED:
        return difference(link, Explanation.LEFT_OUT, link.problem, fields)
    if Explanation.WAITING in found:
        return difference(link, Explanation.WAITING, "", fields)
    if kept_out:
        return difference(link, Explanation.LEFT_OUT, next(iter(item.kept_out.values()))[0], fields)
    return difference(link, Explanation.OWN_WAY, "", fields)


def sides_of(setup: ExchangeSync, link: ContactLink, item: OutlookItem) -> Sides:
    """Both sides as they are now. What the mirror believes of Outlook is held against what is there."""
    believed = complete(link.outlook if link.outlook is not None else link.base_outlook)
    moved = fingerprint(item.fields) != fingerprint(believed)
    link.outlook, link.kept_out = filled(item.fields), {name: list(why) for name, why in item.kept_out.items()}
    crm, outlook, base = both_sides(link, sync_notes=setup.sync_notes)
    is_news = item.change_key != link.change_key and is_recent(setup, item.modified_at)
    everything = setup.planned_with != setup.settings_fingerprint()
    return Sides(
        crm,
        outlook,
        base,
        crm_is_due=everything or link.dirty or link.contact_version != link.contact.version,
        outlook_is_due=is_news if moved else everything or link.dirty,
    )


def is_recent(setup: ExchangeSync, at: datetime | None) -> bool:
    """Whether something that happened at this moment is for the next sync to find."""
    return at is None or setup.last_sync_at is None or at >= setup.last_sync_at - SLACK


def compare_lonely(setup: ExchangeSync, link: ContactLink | None, item: OutlookItem) -> Explanation | None:
    """Why an item is only in Outlook; None where that is as it should be, and the page Left out says why."""
    if item.problem or (link is not None and link.problem):
        return None
    if link is None:
        return Explanation.WAITING if is_recent(setup, item.created_at) else Explanation.UNKNOWN
    return Explanation.WAITING if link.dirty or link.needs_extras or link.missing else Explanation.UNKNOWN


def difference(
    link: ContactLink,
    explanation: Explanation,
    reason: str = "",
    fields: dict[str, list[str]] | None = None,
    place: Place = Place.BOTH,
) -> Difference:
    return Difference(
        link=link,
        contact=link.contact,
        name=name_of(link.contact, link),
        place=place,
        explanation=explanation,
        reason=reason,
        fields=fields or {},
    )
