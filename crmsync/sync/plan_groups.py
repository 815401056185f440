"""A plan in a few lines: what would be done where, why, and to how many."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy, ngettext_lazy

from crmsync.sync import words
from crmsync.sync.choices import WAITING, Action, Cause, Reason, Side
from crmsync.sync.leave import Leave
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.words import Text

VERBS: dict[str, str] = {Action.CREATE: "created", Action.UPDATE: "updated", Action.DELETE: "deleted"}
TO_END = ngettext_lazy("%(shown)s to stop syncing", "%(shown)s to stop syncing", "count")
# What is asked before all of a plan is approved that removes somebody.
QUESTIONS: dict[tuple[str, str], Any] = {
    (Action.UNLINK, Side.OUTLOOK): ngettext_lazy(
        "Stop syncing %(shown)s contact?", "Stop syncing %(shown)s contacts?", "count"
    ),
    (Action.DELETE, Side.OUTLOOK): ngettext_lazy(
        "Remove %(shown)s contact from Outlook?", "Remove %(shown)s contacts from Outlook?", "count"
    ),
    (Action.DELETE, Side.CRM): ngettext_lazy(
        "Move %(shown)s contact to the CRM's trash?", "Move %(shown)s contacts to the CRM's trash?", "count"
    ),
}

# What an undo leaves on the side that it does not write to.
KEPT: dict[tuple[str, str], Text] = {
    (Action.UPDATE, Side.CRM): gettext_lazy(
        "Where a value is taken back in the CRM alone, Outlook keeps the one that it has; the two differ in it until "
        "somebody edits it on either side."
    ),
    (Action.UPDATE, Side.OUTLOOK): gettext_lazy(
        "Where a value is taken back in Outlook alone, the CRM keeps the one that it has; the two differ in it until "
        "somebody edits it on either side."
    ),
    (Action.DELETE, Side.CRM): gettext_lazy("Whoever goes to the CRM's trash stays in Outlook as they are there."),
    (Action.DELETE, Side.OUTLOOK): gettext_lazy(
        "Whoever is removed from Outlook stays in the CRM, and out of Outlook until a full sync."
    ),
}


@dataclass(frozen=True)
class Group:
    """The contacts with whom a plan does the same for the same cause; `left` of the `count` are left out of it.

    `every` counts the rows too that follow another row about their contact.
    """

    side: str
    action: str
    cause: str
    reason: str = ""
    count: int = 0
    left: int = 0
    every: int = 0

    @property
    def slug(self) -> str:
        return "-".join(filter(None, (self.action, self.side, self.cause or self.reason)))

    @property
    def rows(self) -> Q:
        return Q(side=self.side, action=self.action, cause=self.cause, reason=self.reason)

    @property
    def is_skip(self) -> bool:
        return self.action == Action.SKIP

    @property
    def does(self) -> Text:
        """'Create in Outlook'."""
        return words.to_do(self.action, self.side)

    @property
    def phrase(self) -> str:
        """'3 to create in Outlook'."""
        whole = {Action.LINK: words.TO_PAIR, Action.UNLINK: TO_END}
        phrase = whole.get(self.action) or words.TO_DO.get((self.side, VERBS.get(self.action)))
        return words.counted(phrase, self.count) if phrase else f"{words.number(self.count)} × {self.does}"

    @property
    def why(self) -> Text:
        told = Reason(self.reason).label if self.reason in Reason.values else ""
        return words.why(self.action, self.cause) or told

    @property
    def change(self) -> SyncChange:
        """One like those of the group, for its icon."""
        return SyncChange(action=self.action, side=self.side)

    @property
    def rest(self) -> int:
        return self.count - self.left


def groups_of(changes: QuerySet[SyncChange]) -> list[Group]:
    """The groups of these rows, what is to be done before what is left out, the largest first. One query."""
    found: dict[tuple[str, ...], Group] = {}
    rows = changes.order_by().values("side", "action", "cause", "reason", "leave")
    for row in rows.annotate(number=Count("pk", filter=Q(leads=True)), every=Count("pk")):
        merge(found, row)
    groups = [group for group in found.values() if group.count or group.is_skip]
    return sorted(groups, key=lambda group: (group.is_skip, -group.count, group.slug))


def causes_of(run: SyncRun) -> list[Group]:
    """What of a held run still waits for a word, the largest group first. An erasure waits for nobody's."""
    return groups_of(run.changes.filter(outcome__in=WAITING).exclude(cause=Cause.ERASED))


def kept(causes: list[Group]) -> list[Text]:
    """What an undo that does this leaves as it is on the other side."""
    does = {(cause.action, cause.side) for cause in causes if cause.count}
    return [text for key, text in KEPT.items() if key in does]


def waiting_for(run: SyncRun, slug: str) -> QuerySet[SyncChange]:
    """A row for each contact about whom the cause `slug` of a held run still waits for a word. One query now."""
    cause = next((cause for cause in causes_of(run) if cause.slug == slug), None)
    return run.changes.filter(cause.rows, outcome__in=WAITING, leads=True) if cause else run.changes.none()


def question(causes: list[Group]) -> str:
    """'Stop syncing 316 contacts?', for all that these remove on either side; '' where nothing goes."""
    going: Counter[tuple[str, str]] = Counter()
    for cause in causes:
        going[cause.action, cause.side] += cause.count
    asked = [words.counted(QUESTIONS[key], count) for key, count in going.most_common() if key in QUESTIONS and count]
    return " ".join(asked)


def erased_in(run: SyncRun) -> int:
    """How many are to be removed since they were erased on request, whatever is decided. One query."""
    return run.changes.filter(outcome__in=WAITING, cause=Cause.ERASED, leads=True).count()


def with_followers(leading: QuerySet[SyncChange]) -> Q:
    """These rows, and the others about the same contacts."""
    return Q(pk__in=leading.values("pk")) | Q(contact__in=leading.exclude(contact=None).values("contact"))


def merge(found: dict[tuple[str, ...], Group], row: dict[str, Any]) -> None:
    key = (row["side"], row["action"], row["cause"], row["reason"])
    before = found.get(key, Group(*key))
    left = row["number"] if row["leave"] in Leave.values else 0
    found[key] = Group(*key, before.count + row["number"], before.left + left, before.every + row["every"])
