"""Plan, continued: Outlook items without a contact, and contacts without an Outlook item."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import Action, Cause, Decision, Kind, LinkState, Reason, Side, Step
from crmsync.sync.fields import EMAILS, ContactFields, complete
from crmsync.sync.mapping import CATEGORY, categories_of, contact_fields, is_email, split_name, stamped
from crmsync.sync.matching import Coming, Match, match
from crmsync.sync.mirror import INTRINSIC
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.plan import Rules, Write, plan
from crmsync.sync.sheet import Sheet
from crmsync.sync.twins import look_for_twins
from crmsync.sync.work import Work, chunks
from exchange_setup.models import NewContactRule

WAITING = {NewContactRule.HOLD: Reason.HELD_FOR_REVIEW, NewContactRule.NEVER: Reason.NOT_IMPORTED}


def plan_items(work: Work) -> None:
    """Items that are only in Outlook: pair them, bring them into the CRM, or say why not."""
    items = work.links.filter(state=LinkState.SEEN, dirty=True, missing=False, needs_extras=False)
    items = items.exclude(problem__in=INTRINSIC).exclude(email="")
    plan_intrinsic(work)
    sheet = Sheet(work)
    # What is being created may be the very item; it is not brought in as new before that is known.
    is_unclear = work.links.filter(state=LinkState.CREATING).exists()
    coming = Coming()
    for chunk in chunks(items):
        for link, found in match(work, chunk):
            if found.contact is not None or found.reason or not is_unclear:
                plan_item(sheet, link, found, coming)
        sheet.flush()
        work.lease.rest(step=Step.PLANNING)


def plan_intrinsic(work: Work) -> None:
    """Journal, once each, the items that can never enter as they stand; the mirror has noted why."""
    journalled = SyncChange.objects.filter(link=OuterRef("pk"), action=Action.SKIP, reason=OuterRef("problem"))
    journalled = journalled.exclude(run__kind=Kind.PREVIEW)
    intrinsic = work.links.filter(state=LinkState.SEEN, problem__in=INTRINSIC)
    if last := work.setup.last_sync_at:  # what it told long ago is in no journal any more
        kept = timezone.now() - timedelta(days=settings.SYNC_KEEP_CHANGES_DAYS)
        intrinsic = intrinsic.filter(problem_since__gte=min(kept, last))
    sheet = Sheet(work)
    for chunk in chunks(intrinsic.exclude(Exists(journalled))):
        for link in chunk:
            sheet.skip(link.problem, link.problem_detail, side=Side.CRM, link=link)
            link.dirty = False
            sheet.touch(link)
        sheet.flush()


def plan_item(sheet: Sheet, link: ContactLink, found: Match, coming: Coming) -> None:
    """Pair the item, bring it into the CRM, where it joins those that are `coming`, or say why not."""
    if found.contact is not None:
        pair(sheet, link, found.contact)
        return
    reason = found.reason or why_waiting(sheet.work, link)
    if reason:
        # What the CRM can change is looked at again, what only the rule or the user can is not.
        link.dirty = bool(found.reason) and reason != Reason.NOT_WANTED
        sheet.leave_out(reason, found.detail, side=Side.CRM, link=link)
        return
    if coming.has(link):
        sheet.leave_out(Reason.DUPLICATE, side=Side.CRM, link=link)
        return
    coming.add(link)
    values = complete(link.outlook or {}) | name_in_one_piece(link)
    # Notes go from the CRM to Outlook only: a person's own notes stay their own.
    fields = {name: ["", value] for name, value in values.items() if value and name != "notes"}
    sheet.add(Side.CRM, Action.CREATE, Cause.NEW_IN_OUTLOOK, fields, link=link)
    sheet.tell_kept_out(link)


def name_in_one_piece(link: ContactLink) -> dict[str, str]:
    """The parts of the name of an item that has it in one piece; nothing where it has them itself."""
    values = link.outlook or {}
    has_parts = any(values.get(name) for name in ("first_name", "middle_name", "surname"))
    return {} if has_parts else split_name(link.outlook_name)


def why_waiting(work: Work, link: ContactLink) -> str:
    """Why a new item does not come into the CRM by itself; '' where the rule lets it, or the user did."""
    return "" if link.decision == Decision.LET_IN else WAITING.get(NewContactRule(work.setup.new_contact_rule), "")


def pair(sheet: Sheet, link: ContactLink, contact: Contact) -> None:
    """Merge an item with the contact that it was recognised as, against an empty base, and stamp it as ours."""
    crm, outlook = contact_fields(contact), complete(link.outlook or {})
    if not sheet.work.setup.sync_notes or outlook["notes"]:
        crm["notes"] = outlook["notes"]
    for name in link.left_alone:
        outlook[name] = crm[name]
    doubled = dict.fromkeys(doubled_emails(crm, outlook), "")
    there, outlook = outlook, outlook | doubled
    decided = plan(None, crm, outlook, Rules())
    to_outlook = decided.outlook.fields if isinstance(decided.outlook, Write) else {}
    fields = {name: [there[name], value] for name, value in {**to_outlook, **doubled}.items()}
    categories = categories_of(link.raw)
    if CATEGORY not in categories:
        fields["categories"] = [", ".join(categories), ", ".join(stamped(categories))]
    sheet.add(
        Side.OUTLOOK,
        Action.LINK,
        Cause.FIRST_SIGHT,
        fields,
        contact=contact,
        link=link,
        conflicts=plan(None, crm, outlook | name_in_one_piece(link), Rules()).conflicts,
        with_outlook=True,
    )
    if isinstance(decided.crm, Write):
        taken_over = {name: [crm[name], value] for name, value in decided.crm.fields.items()}
        sheet.add(Side.CRM, Action.UPDATE, Cause.FIRST_SIGHT, taken_over, contact=contact, link=link, with_outlook=True)
    sheet.tell_kept_out(link, contact)


def doubled_emails(crm: ContactFields, outlook: ContactFields) -> list[str]:
    """The places of the item's e-mails that would fill a blank of a contact who has that e-mail in another place."""
    known = {crm[name].lower() for name in EMAILS} - {""}
    return [name for name in EMAILS if not crm[name] and outlook[name].lower() in known]


def plan_contacts(work: Work, replan: bool, since: datetime | None) -> None:
    """Contacts in the filter that are in no Outlook yet: create them there, or say why not."""
    forget_what_left(work)
    mine = work.links.filter(contact_id=OuterRef("pk"))
    left_out = mine.filter(state=LinkState.LEFT_OUT)
    candidates = work.in_filter()
    if replan or since is None:
        candidates = candidates.filter(~Exists(mine) | Exists(left_out))
    else:
        again = left_out.filter(Q(dirty=True) | ~Q(contact_version=OuterRef("version")))
        candidates = candidates.filter((Q(modified_at__gte=since) & ~Exists(mine)) | Exists(again))
    candidates = candidates.exclude(Exists(work.run.planned.filter(contact_id=OuterRef("pk"))))
    sheet, looked_at = Sheet(work), 0
    for chunk in chunks(candidates):
        plan_chunk(sheet, chunk)
        sheet.flush()
        looked_at += len(chunk)
        work.lease.rest(step=Step.PLANNING, done=looked_at)


def forget_what_left(work: Work) -> None:
    """Drop the notes about contacts that were left out and are no longer wanted at all."""
    if not work.is_preview:
        work.links.filter(state=LinkState.LEFT_OUT).exclude(contact__in=work.in_filter()).delete()


def plan_chunk(sheet: Sheet, contacts: list[Contact]) -> None:
    work = sheet.work
    links = {link.contact_id: link for link in work.links.filter(contact__in=contacts)}
    twins = look_for_twins(work, contacts)
    for contact in contacts:
        link = links.get(contact.pk) or ContactLink(setup=work.setup, contact=contact, state=LinkState.LEFT_OUT)
        reason, detail = why_left_out(contact), ""
        if not reason:
            reason, detail = twins.why_not(contact)
        if reason:
            link.contact_version = contact.version
            link.dirty = reason in (Reason.SHARED_EMAIL, Reason.AMBIGUOUS, *twins.items.values())
            sheet.leave_out(reason, detail, side=Side.OUTLOOK, link=link, contact=contact)
        else:
            plan_create(sheet, contact, links.get(contact.pk))


def why_left_out(contact: Contact) -> str:
    """Why the contact as it stands cannot go to anybody's Outlook, '' for no reason."""
    if contact.privacy_blocked:
        return Reason.PRIVACY_BLOCKED
    if not contact.name:
        return Reason.NO_NAME
    if not contact.email:
        return Reason.NO_EMAIL
    return "" if is_email(contact.email) else Reason.BAD_EMAIL


def plan_create(sheet: Sheet, contact: Contact, link: ContactLink | None) -> None:
    fields = for_new_item(sheet.work, contact_fields(contact))
    sheet.add(Side.OUTLOOK, Action.CREATE, Cause.NEW_IN_CRM, fields, contact=contact, link=link, with_outlook=True)


def for_new_item(work: Work, values: ContactFields) -> dict[str, list[str]]:
    """The fields of a row that creates an item with the CRM's `values`; notes only where the setup says so."""
    kept_back = set() if work.setup.sync_notes else {"notes"}
    return {name: ["", value] for name, value in values.items() if value and name not in kept_back}
