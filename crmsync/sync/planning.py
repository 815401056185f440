"""Plan: streams over what may differ and writes one SyncChange per difference, state "planned".

Three streams, in this order: Outlook items that are alone, pairs, contacts that are alone. So whoever has a new item is
paired with it before anything is done about the old one that is gone. What to do with one contact is `plan.plan`'s
decision; here is only where to look, and what to write down.
"""

from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync import alone, erasing, merges
from crmsync.sync.choices import Action, Cause, ChangeOutcome, LinkState, Reason, Side, Step
from crmsync.sync.fields import ContactFields, complete, filled
from crmsync.sync.mapping import contact_fields
from crmsync.sync.matching import have_email_of
from crmsync.sync.mirror import INTRINSIC
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.narrowing import begun_before
from crmsync.sync.plan import DELETE, Base, Plan, Rules, Write, plan
from crmsync.sync.salespeople import RENAMED
from crmsync.sync.scope import plan_holds, rules_for, with_scope
from crmsync.sync.sheet import Sheet, settle
from crmsync.sync.twins import Twins, look_for_twins
from crmsync.sync.work import Work, chunks
from exchange_setup.models import RemovedRule

# An import may take its time: what it wrote carries the date of its writing, not of its commit.
LONGEST_TRANSACTION = timedelta(hours=1)


def make_plan(work: Work) -> None:
    """Write the run's plan, in place of one that was begun before."""
    put_aside(work.run)
    replan = must_replan(work)
    merges.follow(work)
    look_again_at_items(work, everything=replan)
    erasing.plan(work)
    alone.plan_items(work)
    plan_pairs(work, replan)
    alone.plan_contacts(work, replan, since(work))


def put_aside(run: SyncRun) -> None:
    """End a plan that was begun before. What may have been sent stays: nothing else says what that has replaced."""
    run.changes.filter(begun_before(), sent_at=None).delete()
    told = {"outcome": ChangeOutcome.STALE, "reason": Reason.NO_ANSWER, "applied_at": timezone.now()}
    run.changes.filter(outcome=ChangeOutcome.PLANNED).update(**told)


def must_replan(work: Work) -> bool:
    """Whether everything has to be looked at: a full sync, the first one, other settings or another day."""
    setup = work.setup
    if setup.is_first_sync:
        work.note("first_sync")
    elif setup.planned_with != setup.settings_fingerprint():
        work.note("salesperson_changed" if setup.planned_with.startswith(RENAMED) else "settings_changed")
    return work.run.whole or not plan_holds(setup)


def since(work: Work) -> datetime | None:
    return work.setup.last_sync_at and work.setup.last_sync_at - LONGEST_TRANSACTION


def look_again_at_items(work: Work, *, everything: bool) -> None:
    """Mark the items that are only in Outlook and for which something may have changed in the CRM."""
    items = work.links.filter(state=LinkState.SEEN, dirty=False).exclude(problem__in=INTRINSIC)
    if not everything:
        items = have_email_of(items, Contact.objects.filter(modified_at__gte=since(work)))
    items.update(dirty=True)


def plan_pairs(work: Work, replan: bool) -> None:
    """Every pair in which a side changed; all of them when the settings did or a full sync was asked for."""
    pairs = work.links.filter(state__in=(LinkState.LINKED, LinkState.REMOVED), missing=False, needs_extras=False)
    pairs = pairs.exclude(contact=None)
    pairs = with_scope(work.setup, pairs)
    if not replan:
        unwanted = Q(never=True, state=LinkState.LINKED)  # said at any time, even while a run was at work
        pairs = pairs.filter(Q(dirty=True) | ~Q(contact__version=F("contact_version")) | unwanted)
    pairs = pairs.select_related("contact")
    sheet, looked_at = Sheet(work), 0
    for chunk in chunks(pairs):
        gone = (link.contact for link in chunk if link.gone or link.state == LinkState.REMOVED)
        twins = look_for_twins(work, gone, puts_back=work.run.whole)
        for link in chunk:
            if link.contact_id in twins.paired or merges.has_to_move(work, link):
                continue
            plan_one = plan_removed if link.state == LinkState.REMOVED else plan_pair
            plan_one(sheet, link, twins)
        sheet.flush()
        looked_at += len(chunk)
        work.lease.rest(step=Step.PLANNING, done=looked_at)


def plan_removed(sheet: Sheet, link: ContactLink, twins: Twins) -> None:
    """The user removed the Outlook copy some time ago: a full sync, or the rule, puts it back."""
    work, contact = sheet.work, link.contact
    by_rule = work.setup.removed_rule == RemovedRule.PUT_BACK and not link.left_by_undo
    comes_back = (work.run.whole or by_rule) and link.in_filter and is_reachable(contact) and not link.never
    if contact.is_trashed:
        sheet.drop(link)
    elif comes_back and not twins.why_not(contact)[0]:
        fields = alone.for_new_item(work, contact_fields(contact))
        sheet.add(Side.OUTLOOK, Action.CREATE, Cause.PUT_BACK, fields, contact=contact, link=link, with_outlook=True)
    else:
        link.contact_version, link.dirty = contact.version, bool(comes_back and by_rule)  # once its twin has gone
        sheet.touch(link)


def is_reachable(contact: Contact) -> bool:
    return bool(contact.is_person and contact.email and contact.name and not contact.privacy_blocked)


def plan_pair(sheet: Sheet, link: ContactLink, twins: Twins) -> None:
    contact = link.contact
    if frozen := why_passed_over(link):
        link.contact_version, link.dirty = contact.version, False
        detail = link.problem_detail if frozen == link.problem else ""
        sheet.leave_out(frozen, detail, side=Side.OUTLOOK, link=link, contact=contact)
        return
    crm, outlook, base = both_sides(link, sync_notes=sheet.work.setup.sync_notes)
    rules = rules_for(sheet.work.setup, link)
    decided = decide(link, crm, outlook, base, rules)
    if link.gone and twins.stand_against(decided, contact):
        decided = Plan(stays_out=True)
    if link.in_filter and not link.was_in_filter:
        link.was_in_filter = True
        sheet.touch(link)
    if link.left_by_undo and not contact.is_trashed:  # what an undo left is an ordinary pair again
        link.left_by_undo = False
        sheet.touch(link)
    if not write_down(sheet, link, decided, crm, outlook):
        settle_pair(sheet, link, decided, crm, outlook)


def decide(link: ContactLink, crm: ContactFields, outlook: ContactFields, base: Base, rules: Rules) -> Plan:
    """What is to be done with a pair whose sides hold this."""
    alive, trashed = (None, crm) if link.contact.is_trashed else (crm, None)
    decided = plan(base, alive, None if link.gone else outlook, rules, trashed)
    comes_back = link.gone and isinstance(decided.outlook, Write)
    return Plan(stays_out=True) if comes_back and not is_reachable(link.contact) else decided


def why_frozen(link: ContactLink) -> str:
    """Why a pair is left as it is on both sides, '' for no reason."""
    if link.private:
        return Reason.PRIVATE
    if link.contact.privacy_blocked:
        return Reason.PRIVACY_BLOCKED
    return "" if link.contact.is_person else Reason.NOT_A_PERSON


def why_passed_over(link: ContactLink) -> str:
    """Why nothing is planned for a pair, '' for no reason: a frozen one, unless one of its sides has gone.

    What somebody writes into a private item is their own, and no edit that brings a contact back from the trash. What a
    broken one holds nobody knows.
    """
    if link.problem == Reason.BROKEN and not link.gone:
        return Reason.BROKEN
    frozen = why_frozen(link)
    is_own = frozen == Reason.PRIVATE and link.outlook is not None
    return frozen if not link.gone and (is_own or not link.contact.is_trashed) else ""


def both_sides(link: ContactLink, *, sync_notes: bool) -> tuple[dict[str, str], dict[str, str], Base]:
    """What the CRM and Outlook hold now, and the base; a field that cannot be compared counts as unchanged."""
    base = Base(complete(link.base_crm), complete(link.base_outlook))
    crm = contact_fields(link.contact)
    outlook = complete(link.outlook if link.outlook is not None else link.base_outlook)
    for name in () if link.gone else link.left_alone:
        crm[name], outlook[name] = base.crm[name], base.outlook[name]
    ours = base.crm["notes"] and outlook["notes"] == base.outlook["notes"]
    if outlook["notes"] and not ours:  # the user's own notes are never overwritten
        crm["notes"] = ""
    elif not sync_notes:
        crm["notes"] = base.crm["notes"]
    one_way = {"notes": crm["notes"] if outlook["notes"] and not ours else base.crm["notes"]}
    base = Base({**base.crm, **one_way}, {**base.outlook, "notes": outlook["notes"]})
    return crm, outlook, base


def write_down(sheet: Sheet, link: ContactLink, decided: Plan, crm: ContactFields, outlook: ContactFields) -> bool:
    """Plan the rows for `decided`; False when there is nothing to do."""
    contact = link.contact
    to_outlook = decided.outlook if isinstance(decided.outlook, Write) else None
    to_crm = decided.crm if isinstance(decided.crm, Write) else None
    with_outlook = to_outlook is not None or decided.outlook is DELETE
    common = {"contact": contact, "link": link, "with_outlook": with_outlook, "forget": decided.forget}
    kept_by_crm = tuple(row for row in decided.conflicts if row.kept == "crm")
    kept_by_outlook = tuple(row for row in decided.conflicts if row.kept == "outlook")
    if to_outlook and link.gone:
        fields = alone.for_new_item(sheet.work, to_outlook.fields)
        sheet.add(Side.OUTLOOK, Action.CREATE, put_back_cause(link), fields, **common)
    elif to_outlook:
        fields = {name: [outlook[name], value] for name, value in to_outlook.fields.items()}
        sheet.add(Side.OUTLOOK, Action.UPDATE, Cause.EDITED_IN_CRM, fields, conflicts=kept_by_crm, **common)
    elif decided.outlook is DELETE:
        cause = Cause.TRASHED if contact.is_trashed else Cause.LEFT_FILTER
        gone = {name: [value, ""] for name, value in outlook.items() if value}
        sheet.add(Side.OUTLOOK, Action.DELETE, cause, gone, conflicts=kept_by_crm, **common)
    if to_crm:
        cause = Cause.RESTORED if contact.is_trashed else Cause.EDITED_IN_OUTLOOK
        fields = {name: [crm[name], value] for name, value in to_crm.fields.items()}
        sheet.add(Side.CRM, Action.UPDATE, cause, fields, conflicts=kept_by_outlook, **common)
    elif decided.crm is DELETE:
        gone = {name: [value, ""] for name, value in crm.items() if value}
        sheet.add(Side.CRM, Action.DELETE, Cause.REMOVED_IN_OUTLOOK, gone, **common)
    elif not with_outlook and (decided.stays_out or decided.forget):
        cause = Cause.TRASHED if contact.is_trashed else Cause.REMOVED_IN_OUTLOOK
        sheet.add(Side.OUTLOOK, Action.UNLINK, cause, {}, **common)
    note_open_questions(sheet, link, decided)
    return bool(with_outlook or to_crm or decided.crm is DELETE or decided.stays_out or decided.forget)


def put_back_cause(link: ContactLink) -> Cause:
    return Cause.PUT_BACK if link.contact_version == link.contact.version else Cause.EDITED_IN_CRM


def note_open_questions(sheet: Sheet, link: ContactLink, decided: Plan) -> None:
    """Say on the link what of it is left out: a conflict that waits for a person, or a value not understood."""
    open_conflicts = tuple(row for row in decided.conflicts if not row.kept)
    if open_conflicts:
        names = ", ".join(sorted(row.name for row in open_conflicts))
        sheet.leave_out(
            Reason.CONFLICT, names, side=Side.CRM, link=link, contact=link.contact, conflicts=open_conflicts
        )
    elif link.kept_out and not link.gone:
        sheet.leave_out(*link.why_kept_out, side=Side.CRM, link=link, contact=link.contact)
    elif link.problem and link.problem not in (Reason.REFUSED, Reason.NO_ANSWER):
        sheet.leave_out("", side=Side.CRM, link=link, contact=link.contact)


def settle_pair(sheet: Sheet, link: ContactLink, decided: Plan, crm: ContactFields, outlook: ContactFields) -> None:
    """Nothing to do: both sides agree on what they hold, but for what a person has to decide."""
    if is_settled(link, crm, outlook):
        return
    link.contact_version = link.contact.version
    if link.problem in (Reason.REFUSED, Reason.NO_ANSWER):
        link.note_problem("")  # whatever it was about, nothing of it is left to do
    if link.contact.is_trashed or link.gone:
        link.dirty = False
    else:
        settle(link, crm, outlook, keep=decided.open_fields)
    sheet.touch(link)


def is_settled(link: ContactLink, crm: ContactFields, outlook: ContactFields) -> bool:
    """Whether the link says already that both sides hold just this."""
    current = link.contact_version == link.contact.version and not link.dirty and link.outlook is None
    return current and link.base_crm == filled(crm) and link.base_outlook == filled(outlook)
