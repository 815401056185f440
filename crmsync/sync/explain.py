"""Why is this contact in my Outlook, or why is it not? In a few words; `why` has the full answer."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact
from crmsync.sync import reasons, words
from crmsync.sync.alone import why_left_out
from crmsync.sync.choices import WAITING, ChangeOutcome, LinkState, Outcome, Preference, Reason
from crmsync.sync.diff import Conflict, conflict, field_label, readable_detail
from crmsync.sync.facts import Facts
from crmsync.sync.fields import NAMES, complete, same
from crmsync.sync.forms import BY_FILTER, PreferenceForm
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.plan import DELETE, Plan, Write
from crmsync.sync.reasons import Advice, Button
from crmsync.sync.reconsider import losers
from crmsync.sync.words import Text
from exchange_setup.models import ExchangeSync


class State(Enum):
    """Where a contact stands with one Outlook."""

    IN = "in_outlook"
    INCOMPLETE = "incomplete"
    BEHIND = "behind"
    LEAVING = "leaving"
    CREATING = "creating"
    DUE = "due"
    OUT = "left_out"


LOOKS: dict[State, tuple[str, str, Text]] = {
    State.IN: ("check", "ok", _("In your Outlook")),
    State.INCOMPLETE: ("triangle-alert", "warn", _("In your Outlook, but not completely")),
    State.BEHIND: ("refresh-cw", "info", _("In your Outlook; the last change goes with the next sync")),
    State.LEAVING: ("refresh-cw", "info", _("In your Outlook; the next sync removes it")),
    State.CREATING: ("refresh-cw", "info", _("On its way to your Outlook")),
    State.DUE: ("refresh-cw", "info", _("Goes to your Outlook with the next sync")),
    State.OUT: ("minus", "muted", _("Not in your Outlook")),
}

# While a run waits for a decision nothing may be said of the next one.
HELD_TEXTS: dict[State, Text] = {
    **dict.fromkeys((State.BEHIND, State.LEAVING), _("In your Outlook")),
    **dict.fromkeys((State.CREATING, State.DUE), _("Not yet in your Outlook")),
}

# Reasons whose advice is about both sides; of a contact without a copy in Outlook only the CRM's half is true.
WITHOUT_COPY: dict[str, Text | None] = {
    Reason.IN_TRASH: _("Restore the contact, if it should be synced."),
    **dict.fromkeys((Reason.NOT_A_PERSON, Reason.NO_EMAIL, Reason.NO_NAME, Reason.BAD_EMAIL, Reason.NEVER)),
}

# What went wrong at the last try; everything else that keeps a contact out is asked afresh.
FAILED = (Reason.REFUSED, Reason.NO_ANSWER, Reason.BROKEN)

NO_SETUP, WRONG_FILTER, NOT_IN_FILTER, LEFT_BY_UNDO = "no_setup", "wrong_filter", "not_in_filter", "left_by_undo"
SETTLED_SHOWN = 3
LEAVES_TRASHED, LEAVES_NEVER, LEAVES_FILTER = "leaves_trashed", "leaves_never", "leaves_filter"
GONE_STAYS_OUT, GONE_TO_TRASH = "gone_stays_out", "gone_to_trash"
GONE = (GONE_STAYS_OUT, GONE_TO_TRASH)  # of which the next sync takes note
HELD = _("A sync that would change it waits for your decision.")
HELD_GONE = _("A sync that would take note of it waits for your decision.")
CHANGE_FILTER = Button(_("Change the filter"), reasons.SETUP)

ADVICE: dict[str, Advice] = {
    NO_SETUP: Advice(
        _("You do not sync contacts with Outlook yet."),
        "",
        _("Set it up once; it takes a few minutes."),
        Button(_("Set up the sync"), reasons.SETUP),
    ),
    NOT_IN_FILTER: Advice(
        _("Your filter does not select it."),
        _("It stays out of your Outlook."),
        _("Change the filter, or set this contact to “always”."),
        CHANGE_FILTER,
    ),
    WRONG_FILTER: Advice(
        _("Your filter has a mistake in it."),
        _("Nothing new goes to your Outlook until it is put right."),
        _("Correct the filter in the setup."),
        CHANGE_FILTER,
    ),
    LEFT_BY_UNDO: Advice(
        _("An undo left it out of your Outlook."),
        _("The CRM keeps it, and no rule puts it back."),
        _("A full sync puts it back."),
        reasons.FULL_SYNC,
    ),
    GONE_STAYS_OUT: Advice(
        _("You removed it from your Outlook folder."),
        _("The next sync takes note of it: the CRM keeps it, and it stays out of your Outlook."),
        _("After that a full sync puts it back."),
    ),
    GONE_TO_TRASH: Advice(
        _("You removed it from your Outlook folder."),
        _("By your rules the next sync moves it to the CRM's trash."),
        _("To keep it, change the rule before that."),
        reasons.CHANGE_RULES,
    ),
    LEAVES_TRASHED: Advice(
        _("It is in the CRM's trash."),
        _("By your rules its copy goes to Outlook's Deleted Items."),
        _("Restore the contact, and the copy stays."),
        reasons.OPEN_CONTACT,
    ),
    LEAVES_NEVER: Advice(
        _("You set this contact to never sync with your Outlook."),
        _("Its copy goes to Outlook's Deleted Items."),
        _("You can set it to “by filter” or “always” on its card."),
        reasons.OPEN_CONTACT,
    ),
    LEAVES_FILTER: Advice(
        _("Your filter no longer selects it."),
        _("By your rules its copy goes to Outlook's Deleted Items."),
        _("Change the filter, or set this contact to “always”."),
        CHANGE_FILTER,
    ),
}


@dataclass(frozen=True)
class Verdict:
    """Where the contact stands and, where there is one, the reason: a `Reason` or a key of ADVICE.

    `held_run` is the key of the run that would do what is said of the next sync, and waits for a decision.
    """

    state: State
    reason: str = ""
    detail: str = ""
    held_run: int | None = None

    @property
    def icon(self) -> str:
        return "hand" if self.held_run else LOOKS[self.state][0]

    @property
    def tone(self) -> str:
        return "warn" if self.held_run else LOOKS[self.state][1]

    @property
    def text(self) -> Text:
        return HELD_TEXTS.get(self.state, LOOKS[self.state][2]) if self.held_run else LOOKS[self.state][2]

    @property
    def advice(self) -> Advice | None:
        found = ADVICE.get(self.reason) or reasons.about(self.reason)
        if self.held_run:
            did = HELD_GONE if self.reason in GONE else HELD
            return Advice(found.happened if found else "", did, "")
        if found is None or self.state is not State.OUT or self.reason not in WITHOUT_COPY:
            return found
        can_do = WITHOUT_COPY[self.reason] or found.can_do
        return replace(found, did=_("It stays out of your Outlook."), can_do=can_do)

    @property
    def held_url(self) -> str:
        return reverse("sync:run-detail", args=[self.held_run]) if self.held_run else ""

    @property
    def named(self) -> list[str]:
        """The numbers of the contacts that the reason is about."""
        return reasons.named(self.reason, self.detail)

    @property
    def readable_detail(self) -> str:
        return "" if self.named else readable_detail(self.reason, self.detail)


@dataclass(frozen=True)
class Panel:
    """The fact box: in my Outlook or not, why, since when, my own word on it, and which colleagues have it."""

    contact: Contact
    verdict: Verdict
    link: ContactLink | None
    choice: str
    last_change: SyncChange | None
    colleagues: list[str]
    has_setup: bool
    settled: list[tuple[SyncChange, Conflict]]

    @property
    def button_url(self) -> str:
        """Where the advice's button leads; '' where that is the page that the box stands on."""
        advice = self.verdict.advice
        here = advice is None or advice.button is None or advice.button.page == reasons.CARD
        return "" if here else advice.url(self.contact)

    @property
    def since(self) -> datetime | None:
        """Since when it has been in Outlook; None where it isn't there."""
        is_there = self.link and self.link.state == LinkState.LINKED and not self.link.gone
        return self.link.linked_at if self.link and is_there else None

    @property
    def differs(self) -> list[Text]:
        """The fields in which both sides have agreed to differ, as they do after an undo."""
        if self.link is None or self.link.state != LinkState.LINKED or self.link.gone:
            return []
        crm, outlook = complete(self.link.base_crm), complete(self.link.base_outlook)
        held_out = {"notes", *self.link.kept_out}
        return [
            field_label(name) for name in NAMES if name not in held_out and not same(name, crm[name], outlook[name])
        ]

    @property
    def can_choose(self) -> bool:
        """Whether it matters what the user says about this contact."""
        return self.has_setup and may_choose(self.contact)

    @property
    def choices(self) -> list[tuple[str, Text]]:
        return PreferenceForm.CHOICES

    @property
    def last_action(self) -> Text:
        return words.action(self.last_change) if self.last_change else ""


def may_choose(contact: Contact) -> bool:
    """Whether anybody's word can put the contact into an Outlook, or take it out."""
    return contact.is_person and not contact.is_trashed


def panel(contact: Contact, user: AbstractBaseUser) -> Panel:
    """What `user` may know of `contact` and Outlook. At most nine queries."""
    facts = facts_of(contact, user)
    link = facts.link if facts else None
    found = verdict(contact, facts)
    return Panel(
        contact, found, link, facts.choice if facts else BY_FILTER,
        last_change(contact, facts.setup) if facts and link else None, colleagues(contact, user),
        has_setup=facts is not None,
        settled=settled(contact, facts.setup) if facts and link else [],
    )  # fmt: skip


def facts_of(contact: Contact, user: AbstractBaseUser) -> Facts | None:
    """The contact as `user`'s sync sees it; None without a setup."""
    waiting = {"outcome__in": WAITING, "run__outcome": Outcome.HELD}
    planned = SyncChange.objects.filter(contact=contact, run__setup=OuterRef("pk"), **waiting)
    setups = ExchangeSync.objects.filter(user=user).select_related("user")
    setup = setups.annotate(held_run=Subquery(planned.values("run_id")[:1])).first()
    return Facts(contact, setup, setup.held_run) if setup else None


def verdict(contact: Contact, facts: Facts | None) -> Verdict:
    """Whether the contact is in the setup's Outlook, in a few words, and why."""
    found = as_it_stands(contact, facts)
    may_wait = facts and (found.state is not State.OUT or (facts.link and facts.link.gone))
    return replace(found, held_run=facts.held_run) if facts and may_wait else found


def as_it_stands(contact: Contact, facts: Facts | None) -> Verdict:
    """The verdict, whether or not a run is held."""
    link = facts.link if facts else None
    if facts and link and link.state == LinkState.LINKED and not link.gone:
        return of_pair(facts, link)
    if link and link.state == LinkState.CREATING:
        return Verdict(State.CREATING)
    if facts is None or not facts.setup.enabled_at:
        return Verdict(State.OUT, NO_SETUP)
    return why_not(facts, link) or Verdict(State.DUE)


def of_pair(facts: Facts, link: ContactLink) -> Verdict:
    """What there is to say of a contact that is in Outlook."""
    if facts.plan and facts.plan.outlook is DELETE:
        leaves = LEAVES_TRASHED if facts.contact.is_trashed else LEAVES_NEVER if link.never else LEAVES_FILTER
        return Verdict(State.LEAVING, leaves)
    if link.problem:
        return Verdict(State.INCOMPLETE, link.problem, link.problem_detail)
    return Verdict(State.BEHIND if is_behind(facts.contact, link) else State.IN)


def is_behind(contact: Contact, link: ContactLink) -> bool:
    """Whether one side has a change that the other has not got yet."""
    return link.dirty or (link.contact_version is not None and link.contact_version < contact.version)


def why_not(facts: Facts, link: ContactLink | None) -> Verdict | None:
    """Why the contact is not in the setup's folder; None when the next sync puts it there."""
    if reason := unfit(facts.contact, facts.choice):
        return Verdict(State.OUT, reason)
    if link and link.state == LinkState.REMOVED:
        if link.left_by_undo:
            return Verdict(State.OUT, LEFT_BY_UNDO)
        return None if facts.comes_back else Verdict(State.OUT, Reason.REMOVED_IN_OUTLOOK)
    if facts.filter_error:
        return Verdict(State.OUT, WRONG_FILTER)
    if facts.plan and link and link.gone:
        return of_gone(facts.plan)
    if facts.choice != Preference.ALWAYS and not facts.is_selected:
        return Verdict(State.OUT, NOT_IN_FILTER)
    reason, detail = facts.why_left_out()
    if not reason and link and link.problem in FAILED:
        reason, detail = link.problem, link.problem_detail
    return Verdict(State.OUT, reason, detail) if reason else None


def of_gone(plan: Plan) -> Verdict | None:
    """Why a pair that its owner has just taken out of Outlook stays out; None when the next sync puts it back."""
    if isinstance(plan.outlook, Write):
        return None
    if plan.stays_out:
        return Verdict(State.OUT, GONE_STAYS_OUT)
    return Verdict(State.OUT, GONE_TO_TRASH if plan.crm is DELETE else NOT_IN_FILTER)


def unfit(contact: Contact, choice: str) -> str:
    """The reason that keeps the contact out whatever the filter says; '' for none."""
    if contact.is_trashed:
        return Reason.IN_TRASH
    if not contact.is_person:
        return Reason.NOT_A_PERSON
    return Reason.NEVER if choice == Preference.NEVER else why_left_out(contact)


def last_change(contact: Contact, setup: ExchangeSync | None) -> SyncChange | None:
    """The last change of the contact that the setup's sync carried over."""
    done = SyncChange.objects.filter(contact=contact, run__setup=setup, outcome=ChangeOutcome.DONE)
    return done.order_by("-id").first()


def settled(contact: Contact, setup: ExchangeSync | None) -> list[tuple[SyncChange, Conflict]]:
    """The conflicts that a rule settled last, of which the contact still holds the value that won."""
    rows = SyncChange.objects.filter(contact=contact, run__setup=setup, outcome=ChangeOutcome.DONE)
    found: dict[str, tuple[SyncChange, Conflict]] = {}
    for change in rows.exclude(conflicts={}).order_by("-id")[:SETTLED_SHOWN]:
        for name in losers(change, contact):
            found.setdefault(name, (change, conflict(name, change.conflicts[name], can_change=True)))
    return list(found.values())


def colleagues(contact: Contact, user: AbstractBaseUser) -> list[str]:
    """The names of the others who have the contact in their Outlook."""
    links = ContactLink.objects.filter(contact=contact, state=LinkState.LINKED, gone=False).exclude(setup__user=user)
    return list(links.order_by("setup__user__name").values_list("setup__user__name", flat=True))
