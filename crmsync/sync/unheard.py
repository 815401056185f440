"""What we did in Outlook without having heard that it was done: the worker died, or the answer was lost.

The next reading finds it as if the item's owner had done it. Taken for that, a removal would go by the rules about what
people remove, a value of ours would stand against what is written in the CRM next, and of what it has replaced nothing
would be on record. The journal, which knows what was sent, tells what we did from what people do.
"""

from collections.abc import Mapping
from copy import copy

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from contacts.changes import ContactChange
from crmsync.sync.choices import WAITING, Action, Cause, ChangeOutcome, Kind, LinkState, Outcome, Side
from crmsync.sync.counting import counts
from crmsync.sync.fields import BY_NAME, complete, filled, fingerprint, same
from crmsync.sync.mapping import CATEGORY, categories_of, contact_fields
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.narrowing import LEFT
from crmsync.sync.record import LINK_COLUMNS
from crmsync.sync.takeback import held
from crmsync.sync.undone import take_out
from crmsync.sync.units import LIVE
from crmsync.sync.work import Work, chunks, store

MAYBE_DONE = (ChangeOutcome.PLANNED, ChangeOutcome.STALE)


def note_unheard(work: Work) -> None:
    """Record as done what Outlook shows to be done. One query where there is nothing."""
    for rows in chunks(unheard_of(work)):
        pairing = pairs_to_be(work, rows)
        planned = as_planned([row for row in rows if row.action == Action.LINK])
        done = [row for row in rows if row.action == Action.DELETE or was_carried_out(row, pairing)]
        ended = [row.link_id for row in done if row.forget]
        for row in done:
            if row.action != Action.DELETE:
                agree_on_written(row, planned.get(row.pk))
            elif not row.forget:
                take_out(row.link, row.contact)
        with transaction.atomic():
            work.lease.hold()
            work.make_way(row.link for row in done if row.action == Action.LINK)
            store([row.link for row in done if row.link_id not in ended], LINK_COLUMNS)
            record(done)
            ContactLink.objects.filter(pk__in=ended).delete()
            work.look_again_at(row.contact_id for row in done if row.forget and row.contact_id)


def unheard_of(work: Work) -> QuerySet[SyncChange]:
    """What was sent, or may have been, where the link shows another state than was agreed.

    A complete sync since would have seen to it.
    """
    since = work.setup.last_sync_at
    changed = Q(link__gone=False, link__outlook__isnull=False) & ~Q(change_key=F("link__change_key"))
    written = Q(action=Action.UPDATE, link__state=LinkState.LINKED) & changed
    paired = Q(action=Action.LINK, link__state=LinkState.SEEN) & changed
    removed = Q(action=Action.DELETE, link__state=LinkState.LINKED, link__gone=True)
    rows = SyncChange.objects.filter(
        written | paired | removed, Q(created_at__gt=since) if since else Q(), link__setup=work.setup,
        link__missing=False, contact__isnull=False,
    )  # fmt: skip
    return maybe_sent(rows).select_related("link", "contact")


def maybe_sent(rows: QuerySet[SyncChange]) -> QuerySet[SyncChange]:
    """Those of `rows` that Outlook was sent, or may have been, and that nobody has heard to be done."""
    rows = rows.filter(side=Side.OUTLOOK, sent_at__isnull=False, outcome__in=MAYBE_DONE)
    return rows.exclude(run__kind=Kind.PREVIEW).exclude(run__outcome=Outcome.REJECTED).exclude(reason__in=LEFT)


def pairs_to_be(work: Work, rows: list[SyncChange]) -> set[int]:
    """The contacts among those that `rows` were to pair that have no item in Outlook yet. At most one query."""
    contacts = {row.contact_id for row in rows if row.action == Action.LINK and row.contact_id}
    live = work.links.filter(state__in=LIVE, gone=False)
    taken = live.filter(contact__in=contacts) if contacts else ContactLink.objects.none()
    return contacts - set(taken.values_list("contact", flat=True))


def as_planned(rows: list[SyncChange]) -> dict[int, dict[str, str]]:
    """What the contacts of these rows held when they were planned, by the rows' keys. At most one query."""
    contacts = {row.contact_id: copy(row.contact) for row in rows}
    since = {row.contact_id: row.contact_version for row in rows}
    edited = [pk for pk, contact in contacts.items() if contact.version != since[pk]]
    for change in ContactChange.objects.filter(contact__in=edited).order_by("-id") if edited else []:
        for name in change.fields.keys() & BY_NAME.keys() if change.version > since[change.contact_id] else ():
            setattr(contacts[change.contact_id], name, change.fields[name][0])
    return {row.pk: contact_fields(contacts[row.contact_id]) for row in rows}


def was_carried_out(row: SyncChange, pairing: set[int]) -> bool:
    """Whether the item shows a value that we have written, and none that we would have replaced.

    Outlook takes all of a write or nothing, so whatever else it holds now was written since. Of several items that were
    to be paired with one contact only one is.
    """
    outlook, is_stamped = held(row.link), CATEGORY in categories_of(row.link.raw)
    shown = [(is_stamped, not is_stamped)] if "categories" in row.fields else []
    for name, (before, after) in row.fields.items():
        if name in BY_NAME and not same(name, before, after):
            shown.append((same(name, outlook[name], after), same(name, outlook[name], before)))
    if not any(is_ours for is_ours, _ in shown) or any(is_former for _, is_former in shown):
        return False
    if row.action == Action.LINK:
        if row.contact_id not in pairing:
            return False
        pairing.remove(row.contact_id)
    return True


def shows(link: ContactLink, row: SyncChange) -> bool:
    """Whether the item still holds what `row` is to take over from it."""
    outlook = held(link)
    return all(same(name, outlook[name], after) for name, (_, after) in row.fields.items() if name in BY_NAME)


def agree_on_written(row: SyncChange, planned: Mapping[str, str] | None) -> None:
    """Set (without saving) that the sides have agreed on what was written; in a pair that was made by it, on all else
    too, for that they held alike: what the contact held as it was `planned`.

    An undo's values are none of the CRM's: there they have agreed to differ.
    """
    link = row.link
    written = {name: after for name, (_, after) in row.fields.items() if name in BY_NAME}
    if planned is not None:
        link.contact, link.state, link.linked_at, link.dirty = row.contact, LinkState.LINKED, timezone.now(), True
        link.note_problem("")
        link.base_crm = link.base_outlook = filled({**planned, "notes": ""})
    link.base_outlook = filled({**complete(link.base_outlook), **written})
    link.fingerprint = fingerprint(complete(link.base_outlook))
    if row.cause != Cause.UNDONE:
        link.base_crm = filled({**complete(link.base_crm), **written})
    elif row.contact.version == row.contact_version:  # a later edit goes to Outlook, like any other
        crm = contact_fields(row.contact)
        link.base_crm = filled({**complete(link.base_crm), **{name: crm[name] for name in written}})


def record(done: list[SyncChange]) -> None:
    """Say so in the journal, where the former runs' counts follow; what the same runs plan for the CRM still holds,
    but for what its owner has edited since."""
    for row in done:
        others = SyncChange.objects.filter(run=row.run_id, link=row.link_id, outcome__in=WAITING).exclude(pk=row.pk)
        still_so = [other.pk for other in others if shows(row.link, other)]
        SyncChange.objects.filter(pk__in=still_so).update(change_key=row.link.change_key)
    told = {"outcome": ChangeOutcome.DONE, "reason": "", "applied_at": timezone.now()}
    SyncChange.objects.filter(pk__in=[row.pk for row in done]).update(**told)
    for run in SyncRun.objects.filter(pk__in={row.run_id for row in done}, finished_at__isnull=False):
        SyncRun.objects.filter(pk=run.pk).update(counts=counts(run))
