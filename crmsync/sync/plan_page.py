"""A plan for reading: one line for each contact, with what would be done on either side, picked and paged."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.db.models import Q, QuerySet

from crmsync.sync.choices import Action, Cause, ChangeOutcome, Side
from crmsync.sync.leave import Leave
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.paging import Page, Params
from crmsync.sync.plan_groups import Group, groups_of
from crmsync.sync.tables import ChangeRow, change_row

SKIPPED = "left-out"


@dataclass(frozen=True)
class Line:
    """One contact: its leading row, and all of them ready for reading."""

    lead: SyncChange
    rows: list[ChangeRow]

    @property
    def is_left(self) -> bool:
        return bool(self.lead.leave)

    @property
    def is_to_do(self) -> bool:
        """Whether there is something to carry out, and so to leave out."""
        return self.lead.outcome == ChangeOutcome.PLANNED

    @property
    def may_be_never(self) -> bool:
        return self.lead.side != Side.OUTLOOK or self.lead.action not in (Action.DELETE, Action.UNLINK)

    @property
    def takes_leave(self) -> bool:
        """Whether "never" would mean that a copy goes which is in Outlook now."""
        return bool(self.lead.contact_id) and any(row.change.action == Action.UPDATE for row in self.rows)


@dataclass(frozen=True)
class PickedLines:
    """Which lines a page shows: all that is to do, one group of it, what a person left out of it, or what the sync
    leaves out by itself; of these perhaps only part of a name. The URL holds it all."""

    group: Group | None
    search: str
    left: bool
    skipped: bool

    @classmethod
    def from_params(cls, params: Params, groups: Iterable[Group]) -> Self:
        group = next((group for group in groups if group.slug == params.get("group")), None)
        skipped = params.get("group") == SKIPPED
        return cls(group, params.get("q", "").strip()[:100], params.get("left") == "1", skipped)

    def among(self, run: SyncRun) -> QuerySet[SyncChange]:
        leading = run.changes.filter(leads=True)
        if self.skipped:
            skips = SyncChange.objects.filter(run=run, action=Action.SKIP, leads=False)
            leading = leading.filter(Q(action=Action.SKIP) | Q(contact__in=skips.values("contact")))
        else:
            leading = leading.exclude(action=Action.SKIP).exclude(cause=Cause.ERASED)
        if self.group:
            leading = leading.filter(self.group.rows)
        if self.search:
            leading = leading.filter(name__icontains=self.search)
        return leading.filter(leave__in=Leave.values) if self.left else leading


class PlanPage:
    """A preview's groups with their counts, and a page of its lines. Four queries, however long the plan is.

    An erasure is in no group: nobody leaves it out. `skipped` counts what the sync leaves out by itself, fields of
    contacts that are changed otherwise among it.
    """

    def __init__(self, run: SyncRun, params: Params) -> None:
        groups = groups_of(run.changes.all())
        self.groups = [group for group in groups if not group.is_skip and group.cause != Cause.ERASED]
        self.erased = sum(group.count for group in groups if group.cause == Cause.ERASED)
        self.skipped = sum(group.every for group in groups if group.is_skip)
        self.picked = PickedLines.from_params(params, self.groups)
        self.page = Page.of(self.picked.among(run).select_related("contact"), params)
        self.lines = lines_of(run, self.page.rows)
        self.count = sum(group.rest for group in self.groups)
        self.left = sum(group.left for group in self.groups)

    @property
    def total(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def shown(self) -> int:
        """How many lines the picked part has; 0 where that was not counted."""
        if self.picked.search or self.picked.skipped:
            return 0
        groups = [self.picked.group] if self.picked.group else self.groups
        return sum(group.left if self.picked.left else group.count for group in groups)


def lines_of(run: SyncRun, leading: list[SyncChange]) -> list[Line]:
    """The lines that these rows lead. One query."""
    contacts = [row.contact_id for row in leading if row.contact_id]
    following: dict[int, list[SyncChange]] = defaultdict(list)
    for row in run.changes.filter(leads=False, contact__in=contacts).select_related("contact").order_by("pk"):
        following[row.contact_id].append(row)
    return [Line(lead, [change_row(row) for row in (lead, *following.get(lead.contact_id, ()))]) for lead in leading]
