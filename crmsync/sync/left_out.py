"""The page "Left out" as rows: each contact with its reason, and what can be decided or done about it there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from contacts.models import Contact
from crmsync.sync import reasons, words
from crmsync.sync.choices import BOTH_WAYS, Decision, LinkState, Outcome, Reason
from crmsync.sync.decisions import CHOICES, Choice, decidable, free_place, open_conflicts, sight
from crmsync.sync.diff import Conflict, conflict, readable_detail
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.paging import Page, Params
from crmsync.sync.words import Text
from exchange_setup.models import ExchangeSync

HEAVY = ["base_crm", "base_outlook", "outlook", "raw"]  # whole contacts, of which only a conflict shows anything
DECIDED = "decided"


# --- Groups: one for each reason -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Phrases:
    """A choice about a whole group: its button, the question that it asks first, and what follows from a yes."""

    button: Any
    question: Any
    follows: Text


FOR_ALL = {
    Choice.LET_IN: Phrases(
        ngettext_lazy("Add %(shown)s to the CRM", "Add all %(shown)s to the CRM", "count"),
        ngettext_lazy("Add %(shown)s contact to the CRM?", "Add %(shown)s contacts to the CRM?", "count"),
        gettext_lazy("The next sync does it. You become their salesperson."),
    ),
    Choice.KEEP_OUT: Phrases(
        ngettext_lazy("Leave %(shown)s out for good", "Leave all %(shown)s out for good", "count"),
        ngettext_lazy(
            "Leave %(shown)s contact out of the CRM for good?",
            "Leave %(shown)s contacts out of the CRM for good?",
            "count",
        ),
        gettext_lazy("They stay in your Outlook as they are. You can still add each of them later."),
    ),
    Choice.CRM: Phrases(
        ngettext_lazy("Use the CRM's for %(shown)s", "Use the CRM's for all %(shown)s", "count"),
        ngettext_lazy(
            "Use the CRM's values for %(shown)s contact?", "Use the CRM's values for %(shown)s contacts?", "count"
        ),
        gettext_lazy("The next sync writes them to Outlook. What stood there stays in the activity log."),
    ),
    Choice.OUTLOOK: Phrases(
        ngettext_lazy("Use Outlook's for %(shown)s", "Use Outlook's for all %(shown)s", "count"),
        ngettext_lazy(
            "Use Outlook's values for %(shown)s contact?", "Use Outlook's values for %(shown)s contacts?", "count"
        ),
        gettext_lazy("The next sync writes them to the CRM. What stood there stays in the activity log."),
    ),
}


@dataclass(frozen=True)
class ForAll:
    """A button that decides about `count` contacts at once."""

    choice: Choice
    count: int

    @property
    def button(self) -> str:
        return words.counted(FOR_ALL[self.choice].button, self.count)

    @property
    def question(self) -> str:
        return words.counted(FOR_ALL[self.choice].question, self.count)

    @property
    def follows(self) -> Text:
        return FOR_ALL[self.choice].follows


@dataclass(frozen=True)
class Group:
    reason: str
    label: Text
    count: int


# --- Rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """A field that both sides changed: which, and what either side holds."""

    name: str
    values: Conflict
    can_keep_both: bool = False


@dataclass(frozen=True)
class Named:
    """A contact that a row's detail names, perhaps one that no longer exists."""

    number: str
    name: str = ""
    exists: bool = False
    is_trashed: bool = False


@dataclass(frozen=True)
class Row:
    link: ContactLink
    name: str
    advice: reasons.Advice | None
    detail: str
    named: list[Named] = field(default_factory=list)
    choices: tuple[Choice, ...] = ()
    questions: list[Question] = field(default_factory=list)
    seen: str = ""

    @property
    def button_url(self) -> str:
        """Where the advice leads; '' where that is this page."""
        if self.advice is None or (self.advice.button and self.advice.button.page == reasons.LEFT_OUT):
            return ""
        number = self.named[0].number if len(self.named) == 1 else ""
        return self.advice.url(self.link.contact, number=number, email=self.link.email)

    @property
    def in_trash(self) -> Named | None:
        """The contact to restore, where that is what can be done."""
        trashed = [contact for contact in self.named if contact.is_trashed]
        return trashed[0] if len(self.named) == 1 and trashed else None


def setup_of(user: AbstractBaseUser) -> ExchangeSync | None:
    """The user's setup, with `is_held`: a sync is held, and what it would change is not on both sides either."""
    held = SyncRun.objects.filter(setup=OuterRef("pk"), outcome=Outcome.HELD, kind__in=BOTH_WAYS)
    return ExchangeSync.objects.filter(user=user).annotate(is_held=Exists(held)).first()


@dataclass
class LeftOut:
    """What the address of the page picks of one setup's contacts that are not, or not completely, on both sides.

    `setup` is one of `setup_of`.
    """

    setup: ExchangeSync | None
    params: Params

    @cached_property
    def links(self) -> QuerySet[ContactLink]:
        return self.setup.links.all() if self.setup else ContactLink.objects.none()

    @cached_property
    def groups(self) -> list[Group]:
        """One for each reason that there is, the most frequent first. One query."""
        counted = self.links.left_out().order_by().values_list("problem").annotate(n=Count("pk"))
        known = [(reason, n) for reason, n in counted.order_by("-n", "problem") if reason in Reason.values]
        return [Group(reason, Reason(reason).label, n) for reason, n in known]

    @property
    def total(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def waiting(self) -> QuerySet[ContactLink]:
        """What a person has decided since the last complete sync began."""
        if self.setup is None or self.setup.last_sync_at is None:
            return self.links.filter(decided_at__isnull=False)
        return self.links.filter(decided_at__gt=self.setup.last_sync_at)

    @cached_property
    def waits(self) -> int:
        """How many decisions the next sync carries out."""
        return self.waiting.count()

    @cached_property
    def picked(self) -> Group | None:
        """The group that is shown, perhaps an empty one; None for all reasons."""
        reason = self.params.get("reason", "")
        if reason == DECIDED:
            return Group(DECIDED, _("Decided"), self.waits)
        nobody = [Group(reason, Reason(reason).label, 0)] if reason in Reason.values else []
        return next((group for group in [*self.groups, *nobody] if group.reason == reason), None)

    @cached_property
    def for_all(self) -> list[ForAll]:
        """What can be decided about the whole of the group that is shown. One query."""
        choices = CHOICES.get(self.picked.reason, ()) if self.picked and self.picked.count > 1 else ()
        if not choices:
            return []
        count = self.links.filter(decidable(choices[0]), problem=self.picked.reason).count()
        return [ForAll(choice, count) for choice in choices] if count > 1 else []

    @property
    def can_make_rule(self) -> bool:
        """Whether one side can be let win every conflict from now on, by the user's own rule."""
        has_conflicts = any(group.reason == Reason.CONFLICT for group in self.groups)
        shown = self.picked is None or self.picked.reason == Reason.CONFLICT
        return bool(self.setup and has_conflicts and shown and not self.setup.is_locked("conflict_rule"))

    @cached_property
    def page(self) -> Page[ContactLink]:
        shown = self.shown.select_related("contact").defer(*HEAVY)
        page = Page.of(shown, self.params)
        return page if page.rows else Page.of(shown, {})

    @property
    def count(self) -> int:
        """How many there are of what is picked."""
        return self.total if self.picked is None else self.picked.count

    @property
    def shown(self) -> QuerySet[ContactLink]:
        if self.picked is None:
            return self.links.filter(problem__in=Reason.values)
        return self.waiting if self.picked.reason == DECIDED else self.links.filter(problem=self.picked.reason)

    @cached_property
    def rows(self) -> list[Row]:
        """The lines of the page. At most two queries beside the page's own."""
        named = self.contacts_named()
        pairs = [link.pk for link in self.page.rows if link.problem == Reason.CONFLICT]
        whole = self.links.select_related("contact").in_bulk(pairs) if pairs else {}
        return [self.row(link, whole.get(link.pk), named) for link in self.page.rows]

    def contacts_named(self) -> Mapping[str, Named]:
        """The contacts that the rows' details name, by number."""
        numbers = {number for link in self.page.rows for number in numbers_of(link)}
        found = Contact.objects.filter(number__in=numbers) if numbers else Contact.objects.none()
        rows = found.values_list("number", "name", "deleted_at")
        return {number: Named(number, name, True, deleted_at is not None) for number, name, deleted_at in rows}

    def row(self, link: ContactLink, whole: ContactLink | None, named: Mapping[str, Named]) -> Row:
        name = str(link.contact) if link.contact else link.outlook_name or link.email or _("(no name)")
        numbers = numbers_of(link)
        return Row(
            link,
            name,
            reasons.about(link.problem),
            "" if numbers else readable_detail(link.problem, link.problem_detail),
            [named.get(number, Named(number)) for number in numbers],
            choices_about(link),
            self.questions(whole) if whole else [],
            sight(link),
        )

    def questions(self, link: ContactLink) -> list[Question]:
        open_fields = open_conflicts(self.setup, link)
        return [Question(row.name, conflict(row.name, vars(row)), bool(free_place(link, row))) for row in open_fields]

    def focus_after(self, pk: int) -> int:
        """The row to go on with once that of `pk` is decided: itself, else the one that took its place; 0 for none."""
        later = [row.link.pk for row in self.rows if row.link.pk >= pk]
        return later[0] if later else self.rows[-1].link.pk if self.rows else 0


def numbers_of(link: ContactLink) -> list[str]:
    return reasons.named(link.problem, link.problem_detail)


def choices_about(link: ContactLink) -> tuple[Choice, ...]:
    """What can be decided about a row as a whole."""
    if link.state == LinkState.SEEN:
        undo = (Choice.ASK_AGAIN,) if link.decision == Decision.LET_IN else ()
        return undo or tuple(choice for choice in CHOICES.get(link.problem, ()) if link.problem != Reason.CONFLICT)
    is_pair = link.state == LinkState.LINKED and link.problem == Reason.CONFLICT and not link.gone
    return CHOICES[Reason.CONFLICT] if is_pair else ()
