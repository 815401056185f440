"""The column "Outlook" of the Contacts list: where each contact of a page stands with my Outlook, in a word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from contacts.extra_column import ExtraColumn, Mark
from contacts.filters import FilterError, as_q
from contacts.models import Contact
from crmsync.sync.choices import WAITING, LinkState, Outcome, Preference, Reason
from crmsync.sync.explain import FAILED, is_behind, unfit
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.words import Text
from exchange_setup.models import ExchangeSync, LeftFilterRule, RemovedRule

STAYS_OUT = "minus"
IN_OUTLOOK = Mark("check", "ok", _("In Outlook"))
NEXT_SYNC = pgettext_lazy("where a contact stands, in a narrow column", "Next sync")
NEXT = Mark("refresh-cw", "info", NEXT_SYNC)
CHANGE_NEXT = Mark("refresh-cw", "info", NEXT_SYNC, _("In your Outlook; the last change goes with the next sync"))
HELD_TEXT = pgettext_lazy("where a contact stands, in a narrow column", "Held")
HELD = Mark("hand", "warn", HELD_TEXT, _("A sync that would change it waits for your decision"))
ON_ITS_WAY = Mark("refresh-cw", "info", _("On its way"))
NOT_COMPLETE = _("In your Outlook, but not completely")
SHORT: dict[str, Text] = {
    Reason.NO_EMAIL: _("No e-mail"),
    Reason.NO_NAME: _("No name"),
    Reason.NOT_A_PERSON: _("Company"),
    Reason.PRIVACY_BLOCKED: _("Blocked"),
    Reason.SHARED_EMAIL: _("Same e-mail"),
    Reason.REMOVED_IN_OUTLOOK: _("Removed"),
    Reason.NEVER: _("Never"),
}
READ = [
    "setup_id", "contact_id", "state", "gone", "problem", "dirty", "contact_version", "was_in_filter", "left_by_undo",
]  # fmt: skip


@dataclass
class Known:
    """What is known of a page's contacts for one setup. `selected` is None where the filter cannot be read."""

    links: Mapping[int, ContactLink]
    choices: Mapping[int, str]
    selected: set[int] | None = field(default_factory=set)
    puts_back: bool = False
    removes_left: bool = False
    held: set[int] = field(default_factory=set)


def outlook_column(contacts: Sequence[Contact], user: AbstractBaseUser) -> ExtraColumn | None:
    """The column for a user who syncs, None for anybody else.

    Four queries, however many contacts there are; one more while a run is held.
    """
    is_held = Exists(SyncRun.objects.filter(setup=OuterRef("pk"), outcome=Outcome.HELD))
    setups = ExchangeSync.objects.filter(user=user, enabled_at__isnull=False).select_related("user")
    setup = setups.annotate(is_held=is_held).first()
    if setup is None:
        return None
    keys = [contact.pk for contact in contacts]
    known = look_up(setup, keys)
    if setup.is_held:
        known.held = held(setup, keys)
    return ExtraColumn(_("Outlook"), {contact.pk: mark(contact, known) for contact in contacts})


def look_up(setup: ExchangeSync, keys: list[int]) -> Known:
    links = {link.contact_id: link for link in setup.links.filter(contact__in=keys).only(*READ)}
    choices: dict[int, Any] = dict(setup.preferences.filter(contact__in=keys).values_list("contact_id", "choice"))
    try:
        passes = Contact.objects.filter(as_q(setup.contact_filter, setup.user), pk__in=keys)
        selected = set(passes.values_list("pk", flat=True))
    except FilterError:
        selected = None
    return Known(
        links, choices, selected,
        puts_back=setup.removed_rule == RemovedRule.PUT_BACK,
        removes_left=setup.left_filter_rule == LeftFilterRule.REMOVE,
    )  # fmt: skip


def held(setup: ExchangeSync, keys: list[int]) -> set[int]:
    """Those whom a run that waits for a decision would change."""
    rows = SyncChange.objects.filter(run__setup=setup, run__outcome=Outcome.HELD, contact__in=keys)
    return set(rows.filter(outcome__in=WAITING).values_list("contact_id", flat=True))


def mark(contact: Contact, known: Known) -> Mark:
    """The contact's state in a word, and in `why` the whole of it."""
    link, choice = known.links.get(contact.pk), known.choices.get(contact.pk, "")
    found = as_it_stands(contact, known, link, choice)
    stays_out = found.icon == STAYS_OUT and not (link and link.gone)
    return HELD if contact.pk in known.held and not stays_out else found


def as_it_stands(contact: Contact, known: Known, link: ContactLink | None, choice: str) -> Mark:
    """The mark but for the hand; of whom a held run would take in, nothing of what kept them out before it."""
    if link and link.state == LinkState.LINKED and not link.gone:
        if link.problem:
            reason = Reason(link.problem).label
            return Mark("triangle-alert", "warn", _("Incomplete"), f"{NOT_COMPLETE}: {reason}")
        return CHANGE_NEXT if is_behind(contact, link) else IN_OUTLOOK
    if link and link.state == LinkState.CREATING:
        return ON_ITS_WAY
    if reason := unfit(contact, choice):
        return left_out(reason)
    if link and link.state in (LinkState.REMOVED, LinkState.LINKED):
        return NEXT if comes_back(contact, link, known, choice) else left_out(Reason.REMOVED_IN_OUTLOOK)
    if choice != Preference.ALWAYS and known.selected is None:
        return Mark(STAYS_OUT, "muted", _("Left out"), _("Your filter has a mistake in it."))
    if choice != Preference.ALWAYS and contact.pk not in known.selected:
        return Mark(STAYS_OUT, "muted", _("Not in filter"), _("Your filter does not select it."))
    is_left_out = link and link.problem and (contact.pk not in known.held or link.problem in FAILED)
    return left_out(link.problem) if is_left_out else NEXT


def comes_back(contact: Contact, link: ContactLink, known: Known, choice: str) -> bool:
    """Whether the next sync puts back what the user took out of the folder, a sync having noted it already or not."""
    if known.selected is None:
        return False
    is_selected = choice == Preference.ALWAYS or contact.pk in known.selected
    if link.state == LinkState.REMOVED:
        return known.puts_back and is_selected and not link.left_by_undo
    left = known.removes_left and link.was_in_filter and not is_selected
    return not left and (known.puts_back or link.contact_version != contact.version)


def left_out(reason: str) -> Mark:
    """Why the contact is not in my Outlook: a word or two in the column, all of it on hover and on its card."""
    text = Reason(reason).label
    return Mark(STAYS_OUT, "muted", SHORT.get(reason, _("Left out")), text)
