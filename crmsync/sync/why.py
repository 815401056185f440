"""The full answer to "why is, or isn't, this contact in somebody's Outlook?": every check, one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.filters import FilterError
from contacts.models import Contact
from contacts.reading import Marked, mark, shown
from crmsync.sync.choices import (
    BOTH_WAYS,
    ChangeOutcome,
    Kind,
    LinkState,
    Outcome,
    Preference,
    Reason,
    Side,
)
from crmsync.sync.diff import field_label
from crmsync.sync.explain import State, Verdict, facts_of, unfit, verdict
from crmsync.sync.facts import Facts
from crmsync.sync.forms import BY_FILTER
from crmsync.sync.mapping import is_email
from crmsync.sync.models import ContactLink, SyncChange, SyncRun
from crmsync.sync.values import value_of
from crmsync.sync.words import Text, action
from exchange_setup.models import ExchangeSync, LeftFilterRule, Trouble

BROKEN_OFF = (Outcome.FAILED, Outcome.CANCELLED, Outcome.REJECTED)

# What a person keeps in their own Outlook is nobody else's affair.
ONLY_THEIRS = {Reason.PRIVATE, Reason.NOT_WANTED, Reason.DUPLICATE, Reason.AMBIGUOUS}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, as what is the case. `passes` is None where it speaks neither for nor against."""

    code: str
    passes: bool | None
    text: Text
    value: str = ""


@dataclass(frozen=True)
class ClauseCheck:
    """One field of the filter: what it asks for, and what the contact holds there."""

    name: str
    label: Text
    expression: str
    value: str
    passes: bool


@dataclass(frozen=True)
class PendingValue:
    """A value that the next sync carries over to a side; blank where it is only for its owner to see."""

    side: Side
    name: str
    label: Text
    before: Marked
    after: Marked


@dataclass(frozen=True)
class LastLook:
    """What the sync last did about the contact, or that it had nothing to do; None where nothing has run yet."""

    run: SyncRun
    change: SyncChange | None

    @property
    def what(self) -> Text:
        if self.change is None:
            return _("It had nothing to do for this contact")
        is_over = self.change.outcome in (ChangeOutcome.DONE, ChangeOutcome.SKIPPED)
        return action(self.change) if is_over else f"{action(self.change)} · {self.change.get_outcome_display()}"


@dataclass
class Answer:
    """The answer about one contact and `owner`'s Outlook. Others than the owner see nothing that only Outlook holds."""

    contact: Contact
    owner: AbstractBaseUser
    mine: bool

    @cached_property
    def facts(self) -> Facts | None:
        return facts_of(self.contact, self.owner)

    @property
    def setup(self) -> ExchangeSync | None:
        return self.facts.setup if self.facts else None

    @property
    def link(self) -> ContactLink | None:
        return self.facts.link if self.facts else None

    @cached_property
    def verdict(self) -> Verdict:
        found = verdict(self.contact, self.facts)
        if self.mine:
            return found
        reason = "" if self.is_theirs(found.reason) else found.reason
        return Verdict(found.state, reason, ", ".join(found.named), found.held_run)

    def is_theirs(self, reason: str) -> bool:
        """Whether such a reason is what the owner's Outlook holds, perhaps what is the matter with an item there."""
        stranger = self.facts.stranger if self.facts else None
        is_about_item = stranger is not None and reason == stranger.problem
        return reason in ONLY_THEIRS or (is_about_item and not unfit(self.contact, self.facts.choice))

    @property
    def is_hidden(self) -> bool:
        """Whether the reason is the owner's alone to see."""
        return not self.mine and not self.verdict.reason and bool(verdict(self.contact, self.facts).reason)

    @property
    def is_in_outlook(self) -> bool:
        return self.verdict.state in (State.IN, State.INCOMPLETE, State.BEHIND, State.LEAVING)

    @property
    def waits(self) -> bool:
        """Whether the next sync has something to do about it."""
        is_gone = self.link is not None and self.link.gone
        return is_gone or self.verdict.state in (State.DUE, State.BEHIND, State.LEAVING, State.CREATING)

    @cached_property
    def clauses(self) -> list[ClauseCheck]:
        """The filter, clause by clause."""
        if self.facts is None:
            return []
        return [
            ClauseCheck(
                part.field.name, part.field.label, part.expression, value_of(self.contact, part.field.name), passes
            )
            for part, passes in zip(self.facts.clauses, self.facts.held, strict=True)
        ]

    @property
    def filter_error(self) -> FilterError | None:
        return self.facts.filter_error if self.facts else None

    @cached_property
    def checks(self) -> list[Check]:
        """Everything that decides, in the order in which it does."""
        return [*of_contact(self.contact), *(of_setup(self.facts, self.mine) if self.facts else ())]

    @cached_property
    def last_look(self) -> LastLook | None:
        """The last run that looked at everything, or a later one that was about the contact, with its last row."""
        if self.facts is None:
            return None
        undone = SyncChange.objects.filter(contact=self.contact, outcome=ChangeOutcome.DONE)
        looked = Q(kind__in=BOTH_WAYS) | Q(kind=Kind.UNDO, pk__in=undone.values("run"))
        runs = self.facts.setup.runs.filter(looked).exclude(started_at=None)
        half_way = SyncChange.objects.filter(contact=self.contact).values("run")
        ended = Q(outcome=Outcome.DONE) | Q(outcome__in=BROKEN_OFF, pk__in=half_way)
        run = runs.filter(ended).first()
        if run is None:
            return None
        row = run.changes.filter(contact=self.contact).order_by("-id").first()
        hidden = row is not None and not self.mine and self.is_theirs(row.reason)
        return LastLook(run, None if hidden else row)

    @cached_property
    def pending(self) -> list[PendingValue]:
        """What the next sync carries over, value by value; to others than the owner only which fields."""
        rows = self.facts.pending if self.facts else []
        return [
            PendingValue(
                row.side,
                row.name,
                field_label(row.name),
                *mark(*((shown(row.name, row.before), shown(row.name, row.after)) if self.mine else ("", ""))),
            )
            for row in rows
        ]


def of_contact(contact: Contact) -> Iterator[Check]:
    """What is asked of every contact, whoever's Outlook it is about."""
    if contact.deleted_at:
        since = {"date": date_format(localtime(contact.deleted_at))}
        yield Check("in_trash", False, _("It has been in the CRM's trash since %(date)s") % since)
    else:
        yield Check("in_trash", True, _("It is not in the CRM's trash"))
    yield Check("person", contact.is_person, _("It is a person") if contact.is_person else _("It is a company"))
    blocked = _("It is privacy blocked") if contact.privacy_blocked else _("It is not privacy blocked")
    yield Check("privacy", not contact.privacy_blocked, blocked)
    yield Check("name", bool(contact.name), _("It has a name") if contact.name else _("It has no name"), contact.name)
    yield of_email(contact.email)


def of_email(email: str) -> Check:
    if is_email(email):
        return Check("email", True, _("It has a valid e-mail"), email)
    return Check("email", False, _("Its e-mail is not valid") if email else _("It has no e-mail"), email)


def of_setup(facts: Facts, mine: bool) -> Iterator[Check]:
    """What one person's filter, rules and Outlook say."""
    if facts.choice != BY_FILTER or facts.clauses or facts.filter_error:
        yield of_choice(facts.choice)
    yield of_filter(facts)
    if not unfit(facts.contact, facts.choice):
        instead = facts.goes_instead
        others = (
            _("Another contact with its e-mail goes in its place")
            if instead
            else _("No other contact with its e-mail goes in its place")
        )
        yield Check("shared_email", not instead, others, instead)
        if mine and facts.stranger:
            reason = Reason(facts.stranger.problem).label
            yield Check("stranger", False, _("Another contact in your Outlook has its e-mail"), str(reason))
    if facts.link:
        yield of_link(facts.link, mine)
    yield of_sync(facts.setup)


def of_choice(choice: str) -> Check:
    if choice == BY_FILTER:
        return Check("choice", None, _("Set to “by filter”"))
    if choice == Preference.ALWAYS:
        return Check("choice", True, _("Set to “always”: the filter is not asked"))
    return Check("choice", False, _("It is set to “never”"))


def of_filter(facts: Facts) -> Check:
    """Whether the filter selects it; what is in Outlook already may stay there without."""
    if facts.filter_error:
        return Check("filter", False, _("The filter cannot be read"), facts.filter_error.message)
    text = _("The filter selects it") if facts.clauses else _("There is no filter: everybody is selected")
    failing = [str(part.field.label) for part, holds in zip(facts.clauses, facts.held, strict=True) if not holds]
    value = _("not by %(fields)s") % {"fields": ", ".join(failing)} if failing else ""
    if facts.is_selected:
        return Check("filter", True, text)
    if facts.choice == Preference.NEVER:
        return Check("filter", False, _("The filter does not select it"), value)
    if facts.choice == Preference.ALWAYS:
        return Check("filter", None, _("The filter does not select it"))
    link = facts.link
    if link and link.state == LinkState.LINKED and not link.was_in_filter:
        return Check("filter", None, _("The filter does not select it, but it was in Outlook before, so it stays"))
    if link and link.state == LinkState.LINKED and facts.setup.left_filter_rule == LeftFilterRule.KEEP:
        return Check(
            "filter", None, _("The filter no longer selects it; by your rules its copy stays and is synced on")
        )
    return Check("filter", False, _("The filter does not select it"), value)


LINKS: dict[str, tuple[bool | None, Text]] = {
    LinkState.LINKED: (True, gettext_lazy("It is in Outlook, paired with this contact")),
    LinkState.CREATING: (None, gettext_lazy("It is being created in Outlook")),
    LinkState.LEFT_OUT: (None, gettext_lazy("It is not in Outlook")),
}


def of_link(link: ContactLink, mine: bool) -> Check:
    if link.state == LinkState.REMOVED:
        return Check("outlook", False, _("You removed it from Outlook"))
    if link.gone:
        return Check("outlook", False, _("It is no longer in Outlook"))
    passes, text = LINKS[link.state]
    problem = link.get_problem_display() if link.problem and link.state == LinkState.LINKED else ""
    hidden = not mine and link.problem in ONLY_THEIRS
    return Check("outlook", None if problem else passes, text, "" if hidden else problem)


def of_sync(setup: ExchangeSync) -> Check:
    """Whether the next sync can start at all."""
    if setup.trouble:
        return Check("sync", False, _("The sync cannot run"), str(Trouble(setup.trouble).label))
    if not setup.enabled:
        return Check("sync", False, _("The sync is paused") if setup.enabled_at else _("The sync is not set up"))
    return Check("sync", True, _("The sync is enabled"))
