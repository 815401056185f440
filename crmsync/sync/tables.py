"""Runs and their changes as the rows of a page: picked, paged by key and made ready for reading.

Every list costs the same few queries whatever its length: pages go by id, never by offset, and no row asks for more.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from crmsync.sync import reasons, words
from crmsync.sync.choices import Action, Cause, ChangeOutcome, Kind, Outcome, Side
from crmsync.sync.diff import STAMPS, Conflict, FieldChange, conflict, field_change, readable_detail
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.paging import Params
from crmsync.sync.reconsider import losers
from crmsync.sync.spans import duration
from crmsync.sync.undo import with_undone_in
from crmsync.sync.words import Text

# --- One run's changes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tab:
    """A tab of the run page: a part of its changes."""

    slug: str
    label: Text
    where: Q
    none: Text  # what is said where it is empty
    count: int = 0


LEFT_OUT = "left-out"
TABS = [
    Tab("all", gettext_lazy("All"), Q(), gettext_lazy("Nothing was changed")),
    Tab(
        "outlook",
        gettext_lazy("Outlook"),
        Q(side=Side.OUTLOOK) & ~Q(action=Action.SKIP),
        gettext_lazy("Nothing in Outlook"),
    ),
    Tab("crm", gettext_lazy("CRM"), Q(side=Side.CRM) & ~Q(action=Action.SKIP), gettext_lazy("Nothing in the CRM")),
    Tab("conflicts", gettext_lazy("Conflicts"), ~Q(conflicts={}), gettext_lazy("No conflicts")),
    Tab(
        LEFT_OUT,
        gettext_lazy("Left out"),
        Q(action=Action.SKIP) | Q(outcome=ChangeOutcome.SKIPPED),
        gettext_lazy("Nobody new was left out"),
    ),
    Tab("failed", gettext_lazy("Failed"), Q(outcome=ChangeOutcome.FAILED), gettext_lazy("Nothing failed")),
]


@dataclass(frozen=True)
class Picked:
    """Which of a run's changes a page shows: the tab, part of a name, one cause on one side. The URL holds it all."""

    tab: Tab
    search: str
    cause: str
    side: str

    @classmethod
    def from_params(cls, params: Params) -> Self:
        tab = next((tab for tab in TABS if tab.slug == params.get("tab")), TABS[0])
        cause, side = params.get("cause", ""), params.get("side", "")
        return cls(
            tab,
            params.get("q", "").strip()[:100],
            cause if cause in Cause.values else "",
            side if side in Side.values else "",
        )

    @property
    def narrows(self) -> bool:
        return bool(self.search or self.cause or self.side)

    @property
    def cause_label(self) -> Text:
        return Cause(self.cause).label if self.cause else ""

    def among(self, changes: QuerySet[SyncChange]) -> QuerySet[SyncChange]:
        """All tabs' rows that match the search and the cause."""
        matching = Q()
        if self.search:
            matching &= Q(name__icontains=self.search)
        if self.cause:
            matching &= Q(cause=self.cause)
        if self.side:
            matching &= Q(side=self.side)
        return changes.filter(matching)


def counted_tabs(changes: QuerySet[SyncChange], run: SyncRun) -> list[Tab]:
    """Every tab with its number of `changes`, rows of `run`. One query."""
    counts = changes.aggregate(**{f"n{i}": Count("pk", filter=tab.where or None) for i, tab in enumerate(TABS)})
    other = {}
    if run.kind == Kind.UNDO:
        other[LEFT_OUT] = {"label": gettext_lazy("Left alone"), "none": gettext_lazy("Nobody was left alone")}
    return [replace(tab, count=counts[f"n{i}"], **other.get(tab.slug, {})) for i, tab in enumerate(TABS)]


def left_out_by_reason(run: SyncRun) -> dict[str, int]:
    """How many contacts the run left out, by reason, the most frequent first. One query."""
    skipped = run.changes.filter(outcome=ChangeOutcome.SKIPPED).exclude(reason="")
    return dict(skipped.values_list("reason").annotate(n=Count("pk")).order_by("-n", "reason"))


@dataclass(frozen=True)
class ChangeRow:
    """One line of the run page. A contact that is new to a side has a `summary`, since all its fields are new."""

    change: SyncChange
    action: Text
    summary: str
    fields: list[FieldChange]
    conflicts: list[Conflict]
    detail: str
    named: list[str]
    advice: reasons.Advice | None
    button_url: str

    @property
    def why(self) -> Text:
        return words.why(self.change.action, self.change.cause)


def change_row(change: SyncChange) -> ChangeRow:
    """The line of `change`, which needs its contact at hand (`select_related`)."""
    advice = reasons.about(change.reason)
    numbers = reasons.named(change.reason, change.detail)
    other = losers(change, change.contact)
    return ChangeRow(
        change,
        words.action(change),
        summary(change) if change.action == Action.CREATE else "",
        [field_change(name, *pair) for name, pair in change.fields.items() if name not in STAMPS],
        [conflict(name, values, can_change=name in other) for name, values in change.conflicts.items()],
        "" if numbers else readable_detail(change.reason, change.detail),
        numbers,
        advice,
        advice.url(change.contact, number=numbers[0] if len(numbers) == 1 else "") if advice else "",
    )


def summary(change: SyncChange) -> str:
    """'Fabrikam A/S · anne@fabrikam.dk': enough to know who it is."""
    return " · ".join(filter(None, (change.fields.get(name, ("", ""))[1] for name in ("company_name", "email"))))


# --- The activity log ------------------------------------------------------------------------------------------------

SHOWN_RUNS: dict[str, Text] = {
    "": gettext_lazy("All"),
    "changed": gettext_lazy("With changes"),
    Outcome.HELD: gettext_lazy("Held"),
    Outcome.FAILED: gettext_lazy("Failed"),
    Outcome.CANCELLED: gettext_lazy("Cancelled"),
}
DAY = timedelta(days=1)


@dataclass(frozen=True)
class PickedRuns:
    """Which runs the activity log shows: one of SHOWN_RUNS or any outcome; mine, or for administrators everybody's.

    `of_day` leaves those of the last 24 hours.
    """

    user: AbstractBaseUser
    show: str
    everybody: bool
    of_day: bool

    @classmethod
    def from_params(cls, params: Params, user: AbstractBaseUser) -> Self:
        show = params.get("show", "")
        everybody = params.get("of") == "everybody" and getattr(user, "is_administrator", False)
        shown = show if show in (*SHOWN_RUNS, *Outcome.values) else ""
        return cls(user, shown, everybody, params.get("since") == "day")

    @property
    def runs(self) -> QuerySet[SyncRun]:
        scope = SyncRun.objects.visible_to if self.everybody else SyncRun.objects.mine
        runs = with_undone_in(scope(self.user).select_related("setup__user", "requested_by"))
        if self.of_day:
            runs = runs.filter(created_at__gt=timezone.now() - DAY)
        if self.show == "changed":
            return runs.filter(Exists(SyncChange.objects.filter(run=OuterRef("pk"), outcome=ChangeOutcome.DONE)))
        return runs.filter(outcome=self.show) if self.show else runs


@dataclass(frozen=True)
class RunRow:
    run: SyncRun
    sentence: str
    duration: str


def run_row(run: SyncRun) -> RunRow:
    sentence = words.result(run) if run.outcome == Outcome.DONE else words.headline(run)
    return RunRow(run, sentence, duration(run.duration))
