"""Apply, continued: what is written in the CRM, and what a link remembers of an answer.

The rule that keeps edits from getting lost: of the fields that we sent, the base becomes what Outlook *answered*; of
all others it stays what the plan saw, so that an edit made meanwhile is found by the next run.
"""

from collections import defaultdict
from typing import Any

from django.utils import timezone

from contacts.changes import Source
from contacts.models import Contact, NumberSeries
from crmsync.sync.choices import Action, Cause, ChangeOutcome, LinkState, Reason, Side
from crmsync.sync.fields import BY_NAME, NAMES, complete, filled, fingerprint, same, with_positions
from crmsync.sync.mapping import OutlookItem, contact_fields, contact_values, read_whole
from crmsync.sync.models import ContactLink
from crmsync.sync.slots import Broken
from crmsync.sync.undone import keep_out, let_go, meet_again
from crmsync.sync.units import Unit, seen
from crmsync.sync.work import Work
from exchange_setup.graph.errors import ChangedMeanwhile, ItemError, NotFound, OutcomeUnknown
from exchange_setup.graph.properties import FAX
from exchange_setup.models import RemovedRule

LINK_COLUMNS = [
    "contact", "state", "outlook_id", "marker", "intended_at", "base_crm", "base_outlook", "contact_version", "outlook",
    "raw", "kept_out", "private", "fingerprint", "change_key", "own_key", "outlook_created_at", "outlook_modified_at",
    "missing", "gone", "generation", "dirty", "was_in_filter", "email", "outlook_name", "problem", "problem_detail",
    "problem_since", "linked_at", "synced_at", "left_by_undo", "decision", "decided_at",
]  # fmt: skip


def write_crm(work: Work, units: list[Unit]) -> None:
    """Write the CRM side of `units`, unless somebody saved a contact since the plan. Inside the batch's transaction."""
    writing = [unit for unit in units if unit.crm is not None and unit.crm.outcome == ChangeOutcome.PLANNED]
    if not writing:
        for unit in units:
            without_call(work, unit)
        return
    if any(unit.crm.action == Action.CREATE for unit in writing):
        NumberSeries.objects.select_for_update().get_or_create(prefix=NumberSeries.CONTACT)
    present = people_by_email(unit.crm for unit in writing if unit.crm.action == Action.CREATE)
    ids = [unit.contact.pk for unit in writing if unit.contact is not None]
    stored = Contact.objects.select_for_update(of=["self"]).order_by("pk").in_bulk(ids)
    companies = companies_by_name(unit.crm for unit in writing)
    changed, new = [], []
    for unit in writing:
        if unit.contact is None and not create_contact(work, unit, present, companies):
            continue
        if unit.contact.pk and unit.contact.pk not in stored:
            forget_deleted(unit)
            continue
        if unit.contact.pk and stored[unit.contact.pk].version != unit.contact.version:
            unit.close(ChangeOutcome.STALE, Reason.EDITED_MEANWHILE, side=Side.CRM)
            continue
        if unit.contact.pk:
            change_contact(work, unit, companies)
        (changed if unit.contact.pk else new).append(unit)
    Contact.objects.bulk_write([unit.contact for unit in changed])
    Contact.objects.bulk_add([unit.contact for unit in new])
    for unit in new:
        unit.crm.contact = unit.link.contact = unit.contact
    for unit in [*changed, *new]:
        unit.close(ChangeOutcome.DONE, side=Side.CRM)
    for unit in units:
        without_call(work, unit)


def forget_deleted(unit: Unit) -> None:
    """The trash has deleted the contact since the plan: there is nobody left to write, nor a link of theirs."""
    unit.close(ChangeOutcome.STALE, Reason.EDITED_MEANWHILE)
    unit.link = unit.contact = unit.call = None
    for row in unit.rows.values():
        row.contact = row.link = None


def people_by_email(rows: Any) -> set[str]:
    """Those of the new contacts' e-mails that somebody has brought into the CRM since the plan."""
    wanted = {row.fields["email"][1].lower() for row in rows}
    found = Contact.objects.with_email(wanted).values_list("email", "email_2", "email_3")
    return {email.lower() for emails in found for email in emails} & wanted


def companies_by_name(rows: Any) -> dict[str, list[Contact]]:
    names = {row.fields["company_name"][1] for row in rows if "company_name" in row.fields} - {""}
    found: dict[str, list[Contact]] = defaultdict(list)
    for company in Contact.objects.alive().companies().filter(name__in=names) if names else []:
        found[company.name].append(company)
    return found


def create_contact(work: Work, unit: Unit, present: set[str], companies: dict[str, list[Contact]]) -> bool:
    """Prepare the person for a new Outlook item; False when somebody was faster."""
    email = unit.crm.fields["email"][1].lower()
    if email in present:
        unit.close(ChangeOutcome.STALE, Reason.EDITED_MEANWHILE)
        return False
    present.add(email)
    unit.contact = Contact(salesperson=work.setup.user)
    change_contact(work, unit, companies)
    return True


def change_contact(work: Work, unit: Unit, companies: dict[str, list[Contact]]) -> None:
    """Set the planned values on the contact, with what goes with them."""
    row, contact = unit.crm, unit.contact
    if row.action == Action.DELETE:
        assign(work, contact, {"deleted_at": timezone.now()})
        return
    after = {name: value for name, (_, value) in row.fields.items()}
    if row.action == Action.RESTORE:
        after = {}
    target = {**contact_fields(contact), **after}
    values = contact_values({name: target[name] for name in with_positions(after)})
    if "company_name" in after:
        values["company"] = link_company(unit, companies.get(after["company_name"], []))
    if row.cause == Cause.RESTORED or row.action == Action.RESTORE:
        values["deleted_at"] = None
    assign(work, contact, values)


def assign(work: Work, contact: Contact, values: dict[str, Any]) -> None:
    contact.assign(values, by=work.setup.user, source=Source.SYNC, reference=str(work.run.pk))


def link_company(unit: Unit, found: list[Contact]) -> Contact | None:
    """The one company of that name; for none or several the text alone stays, and the row says so."""
    if len(found) == 1:
        return found[0]
    name = unit.crm.fields["company_name"][1]
    if name:
        unit.crm.reason = Reason.COMPANY_NOT_UNIQUE if found else Reason.COMPANY_NOT_FOUND
        unit.crm.detail = name
    return None


def without_call(work: Work, unit: Unit) -> None:
    """Record a unit that needs nothing of Outlook."""
    if unit.call is not None or unit.first_row.outcome == ChangeOutcome.STALE:
        return
    row, link = unit.first_row, unit.link
    if row.action == Action.RESTORE:
        meet_again(unit)
        return
    if link is None:
        return
    if row.action == Action.UNLINK or (row.action == Action.DELETE and row.side == Side.CRM):
        unit.ended = row.forget
        if row.cause == Cause.UNDONE:
            let_go(unit)
        elif not row.forget:
            link.state, link.outlook = LinkState.REMOVED, None
            link.dirty = work.setup.removed_rule == RemovedRule.PUT_BACK  # it has a twin, which may go
            link.contact_version = unit.contact.version
            link.note_problem("")  # whatever of it Outlook had refused
        unit.close(ChangeOutcome.DONE)
        return
    if row.action == Action.CREATE:
        link.state, link.linked_at = LinkState.LINKED, timezone.now()
        link.note_problem("")
    agree(unit, seen(unit), sent=set())


def record_outlook(work: Work, unit: Unit, answer: dict[str, Any] | ItemError) -> None:
    """Set on the unit's link and rows what Graph answered."""
    row = unit.outlook
    if isinstance(answer, NotFound) and row.action == Action.DELETE:
        answer = {}
    if isinstance(answer, ItemError):
        row.sent_at = row.sent_at if answer.maybe_done else None
        record_failure(unit, answer)
        return
    if row.action == Action.DELETE:
        unit.ended = row.forget
        if not row.forget:
            keep_out(unit)
        unit.close(ChangeOutcome.DONE, side=Side.OUTLOOK)
        return
    try:
        fax = row.fields.get("fax", ["", seen(unit)["fax"]])[1]
        item = read_whole({**answer, "singleValueExtendedProperties": [{"id": FAX, "value": fax}]})
    except Broken as error:
        record_failure(unit, OutcomeUnknown(str(error)))
        return
    if row.action != Action.CREATE and item.folder_id != work.setup.folder_id:  # a soft-deleted item still takes writes
        record_failure(unit, NotFound("the item is in another folder"))
        return
    take_answer(unit, item)
    unit.close(ChangeOutcome.DONE, side=Side.OUTLOOK)


def take_answer(unit: Unit, item: OutlookItem) -> None:
    link, row = unit.link, unit.outlook
    before = seen(unit)
    planned = set(row.fields) - {"categories"}
    kept_out = {name: list(why) for name, why in item.kept_out.items()}
    if "fax" in link.kept_out and "fax" not in planned:  # the answer is silent about it
        kept_out["fax"] = link.kept_out["fax"]
    answered = {name: before[name] if name in kept_out else value for name, value in item.fields.items()}
    sent = set(NAMES) if unit.creates_item else with_positions(planned)
    if row.action == Action.CREATE:
        link.linked_at = timezone.now()
        link.private = False  # the one in whose place it is may have been
        row.outlook_id = item.id
    if row.action == Action.LINK:
        link.contact, link.linked_at = unit.contact, timezone.now()
    is_ours = row.action == Action.CREATE or (link.own_key and link.own_key == link.change_key)
    link.state, link.outlook_id, link.change_key = LinkState.LINKED, item.id, item.change_key
    link.raw, link.kept_out = item.raw, kept_out
    link.email, link.outlook_name = item.email, item.name
    link.outlook_created_at, link.outlook_modified_at = item.created_at, item.modified_at
    # Of what is created and removed between two readings the next one says nothing: it must show a new item, or it is
    # asked for.
    link.missing, link.gone = row.action == Action.CREATE, False
    if row.action != Action.UPDATE or link.problem in (Reason.REFUSED, Reason.NO_ANSWER):
        link.note_problem("")
    agreed = {name: answered[name] if name in sent else before[name] for name in NAMES}
    # What moves up where a list's entry was cleared is news to the CRM: the next run takes it over.
    agreed |= {name: "" for name in planned if BY_NAME[name].in_list and not row.fields[name][1]}
    agree(unit, agreed, sent=planned)
    if fingerprint(answered) != fingerprint(complete(link.base_outlook)):
        link.outlook, link.dirty = filled(answered), True  # somebody has been at it since it was read
    elif is_ours:
        link.own_key = item.change_key


def agree(unit: Unit, outlook: dict[str, str], *, sent: set[str]) -> None:
    """Set the link's base to what both sides hold now; fields that still wait for somebody keep their old base."""
    link, contact = unit.link, unit.contact
    taken_over = unit.crm and unit.crm.outcome == ChangeOutcome.DONE and unit.crm.action != Action.CREATE
    old_crm, old_outlook = complete(link.base_crm), complete(link.base_outlook)
    crm = contact_fields(contact)
    if not (unit.outlook and "notes" in sent) or (unit.creates_item and unit.outlook.cause == Cause.UNDONE):
        crm["notes"] = old_crm["notes"]
    elif unit.outlook.cause != Cause.UNDONE:  # after an undo each side's own note is what was agreed
        crm["notes"] = unit.outlook.fields["notes"][1]
    # What a new contact got of a name in one piece the item lacks: that goes to Outlook.
    decided = sent | set(unit.crm.fields if taken_over else ()) | {"notes"}
    for name in link.left_alone:
        decided.add(name)
        crm[name], outlook[name] = (old_crm[name], old_outlook[name]) if link.base_crm else (crm[name], crm[name])
    keep = {name for name in NAMES if name not in decided and not same(name, crm[name], outlook[name])}
    link.base_crm = filled({name: old_crm[name] if name in keep else crm[name] for name in NAMES})
    link.base_outlook = filled({name: old_outlook[name] if name in keep else outlook[name] for name in NAMES})
    link.fingerprint = fingerprint(complete(link.base_outlook))
    link.outlook = filled(outlook) if any(outlook[name] != old_outlook[name] for name in keep) else None
    link.dirty = link.outlook is not None or any(crm[name] != old_crm[name] for name in keep)
    # Of whom an edit brought back from the trash the next run carries over what else waits, or says why it does not. It
    # also goes by the rule with an item that was removed while the plan waited for somebody.
    link.dirty |= link.gone or bool(unit.crm and unit.crm.cause == Cause.RESTORED)
    if link.kept_out and not link.problem:
        link.note_problem(*link.why_kept_out)
    link.contact_version, link.synced_at = contact.version, timezone.now()


def record_failure(unit: Unit, error: ItemError) -> None:
    """One item failed: say why, keep what both sides agreed on, and have the next run look at it again."""
    link = unit.link
    link.dirty = True
    if link.contact_id and unit.crm is not None and unit.crm.outcome == ChangeOutcome.DONE:
        agree_on_written(unit)
    if isinstance(error, OutcomeUnknown):
        link.intended_at, link.missing = timezone.now(), bool(link.outlook_id)
        link.note_problem(Reason.NO_ANSWER)
        unit.close(ChangeOutcome.STALE, Reason.NO_ANSWER, side=Side.OUTLOOK)
        return
    if link.state == LinkState.CREATING:
        take_intent_back(link)
    if isinstance(error, NotFound | ChangedMeanwhile):
        link.missing = bool(link.outlook_id)  # the next run asks for it before it believes anything
        reason = Reason.GONE if isinstance(error, NotFound) else Reason.EDITED_MEANWHILE
        unit.close(ChangeOutcome.STALE, reason, side=Side.OUTLOOK)
    else:
        link.note_problem(Reason.REFUSED, str(error))
        unit.close(ChangeOutcome.FAILED, Reason.REFUSED, str(error), side=Side.OUTLOOK)


def take_intent_back(link: ContactLink) -> None:
    """The item was not made. Where it was to take the place of one that is gone, that is still to be done, in the
    filter or not; anybody else is only in the CRM."""
    link.gone = bool(link.linked_at and link.contact_id)
    link.state = LinkState.LINKED if link.gone else LinkState.LEFT_OUT
    link.base_crm, link.base_outlook, link.fingerprint = {}, {}, ""


def agree_on_written(unit: Unit) -> None:
    """The CRM took over Outlook's values though our own could not be sent: of those fields the base moves on."""
    link, crm, outlook = unit.link, contact_fields(unit.contact), seen(unit)
    written = set(unit.crm.fields)
    link.base_crm = filled({**complete(link.base_crm), **{name: crm[name] for name in written}})
    link.base_outlook = filled({**complete(link.base_outlook), **{name: outlook[name] for name in written}})
    link.fingerprint = fingerprint(complete(link.base_outlook))
    link.outlook = filled(outlook)
