"""Everybody's mailboxes as the rows of a page for administrators: health, times and numbers, and nobody's contacts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from crmsync.sync import advice, words
from crmsync.sync.choices import LinkState, Outcome, Reason, Side
from crmsync.sync.freshness import Freshness, of_setup
from crmsync.sync.health import LOOKS, NEED_A_LOOK, Health, mailboxes
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.paging import Params
from crmsync.sync.words import Text
from exchange_setup.mailbox import uses_application_access
from exchange_setup.models import LAST_STEP, ExchangeSync, SignInStatus

TO_OUTLOOK = ngettext_lazy("%(shown)s to Outlook", "%(shown)s to Outlook", "count")
TO_CRM = ngettext_lazy("%(shown)s to the CRM", "%(shown)s to the CRM", "count")
PAGE_SIZE = 30
SHOWN_RUNS = 8
NEEDS_A_LOOK = "look"


@dataclass(frozen=True)
class Tab:
    """A part of the mailboxes, and how many are in it."""

    slug: str
    label: Text
    count: int


@dataclass(frozen=True)
class Row:
    """One mailbox. `user` has the columns of `health.mailboxes`; `run` is the last that ended, `open_run` goes on."""

    user: Any
    setup: ExchangeSync | None
    run: SyncRun | None
    open_run: SyncRun | None
    linked: int
    left_out: int

    @property
    def health(self) -> Health:
        return Health(self.user.health)

    @property
    def icon(self) -> str:
        return LOOKS[self.health][0]

    @property
    def tone(self) -> str:
        return LOOKS[self.health][1]

    @property
    def result(self) -> str:
        """How the open run stands and what the last one did, in a few words; '' before the first one."""
        last = in_brief(self.run) if self.run else ""
        if self.open_run is None:
            return last
        now, last = self.open_run.get_outcome_display(), last[:1].lower() + last[1:]
        return _("%(now)s; before that: %(last)s") % {"now": now, "last": last} if last else now

    @property
    def next_sync_at(self) -> datetime | None:
        """When the next automatic sync starts; None where none will."""
        setup = self.setup
        waits = setup and (setup.trouble or setup.waits_for_first_sync or self.health == Health.HELD)
        starts = setup and setup.enabled and not waits and self.user.is_active
        return setup.next_sync_at if setup and starts else None

    @property
    def steps(self) -> str:
        """How far a setup came that was never enabled: '2 of 5 steps'."""
        if self.setup is None or not self.setup.steps_done:
            return ""
        return _("%(done)s of %(all)s steps") % {"done": self.setup.steps_done, "all": LAST_STEP}

    @property
    def why(self) -> str:
        return advice.explain(self.health, self.user, self.setup, self.run, self.open_run)

    @property
    def detail(self) -> str:
        """What Microsoft 365 said, where something is wrong."""
        if self.health not in NEED_A_LOOK or self.setup is None:
            return ""
        return self.setup.trouble_detail or (self.run.error_detail if self.run and not self.open_run else "")

    @property
    def can_resume(self) -> bool:
        """Whether it stands still, and nothing is missing that only its user can add."""
        connected = uses_application_access() or self.user.sign_in_status == SignInStatus.CONNECTED
        return bool(self.setup and not self.setup.enabled and connected and self.user.authentication_email)


@dataclass(frozen=True)
class Picked:
    """Which mailboxes the page shows: one word of health (or those that need a look), some words of a name."""

    tab: str
    search: str

    @classmethod
    def from_params(cls, params: Params) -> Self:
        tab = params.get("health", "")
        known = {*Health.values, NEEDS_A_LOOK}
        return cls(tab if tab in known else "", params.get("q", "").replace("\0", "").strip()[:100])

    def users(self, now: datetime) -> QuerySet[Any]:
        """Those whose name, code or addresses have the words, whatever their health."""
        return mailboxes(now).search(self.search)

    def among(self, users: QuerySet[Any]) -> QuerySet[Any]:
        """Those of the tab, those that need a look first."""
        if self.tab:
            users = users.filter(health__in=NEED_A_LOOK if self.tab == NEEDS_A_LOOK else [self.tab])
        rank = Case(*(When(health=health, then=Value(place)) for place, health in enumerate(Health)))
        return users.order_by(rank, "name", "pk")


@dataclass(frozen=True)
class Listing:
    """One page of mailboxes. `without_setup` counts the users of all pages who have none yet."""

    picked: Picked
    tabs: list[Tab]
    page: Page[Any]
    rows: list[Row]
    without_setup: int

    @property
    def chooses(self) -> bool:
        """Whether the page offers to make setups: where those who lack one are shown."""
        return self.picked.tab == Health.NOT_SET_UP and self.without_setup > 0

    @classmethod
    def of(cls, params: Params) -> Self:
        """What the URL asks for. A constant number of queries, whatever the number of mailboxes."""
        picked = Picked.from_params(params)
        users = picked.users(timezone.now())
        without_setup = Count("pk", filter=Q(exchange_sync=None))
        counted = users.order_by().values("health").annotate(number=Count("pk"), without_setup=without_setup)
        counts = {row["health"]: row for row in counted}
        tabs = counted_tabs({health: row["number"] for health, row in counts.items()}, picked.tab)
        paginator = Paginator(picked.among(users).select_related("exchange_sync"), PAGE_SIZE)
        paginator.count = next(tab.count for tab in tabs if tab.slug == picked.tab)
        page = paginator.get_page(params.get("page"))
        bare = sum(row["without_setup"] for row in counts.values())
        return cls(picked, tabs, page, rows_of(list(page)), bare)


def counted_tabs(counts: dict[str, int], picked: str) -> list[Tab]:
    """All, those that need a look, and one tab for each word of health; of these the picked one and those with any."""
    look = sum(counts.get(health, 0) for health in NEED_A_LOOK)
    parts = [
        Tab(NEEDS_A_LOOK, gettext_lazy("Need a look"), look),
        *(Tab(health.value, health.label, counts.get(health, 0)) for health in Health),
    ]
    shown = [tab for tab in parts if tab.count or tab.slug == picked]
    return [Tab("", gettext_lazy("All"), sum(counts.values())), *shown]


@dataclass(frozen=True)
class Mailbox:
    """One mailbox on a page of its own: its row, the last runs, and how many contacts are left out for which reason."""

    row: Row
    runs: list[tuple[SyncRun, str]]
    reasons: list[tuple[Text, int]]
    freshness: Freshness | None = None

    @classmethod
    def of(cls, user: Any) -> Self:
        """`user` as `health.mailboxes` gives them."""
        (row,) = rows_of([user])
        if row.setup is None:
            return cls(row, [], [])
        runs = list(row.setup.runs.select_related("requested_by")[:SHOWN_RUNS])
        shown = [(run, outcome_of(run)) for run in runs]
        return cls(row, shown, reasons_of(row.setup), of_setup(row.setup, timezone.now()))


ABOUT_OTHERS: dict[str, Text] = {  # the reasons whose captions speak to the user themselves
    "removed_in_outlook": gettext_lazy("removed in Outlook by the user"),
    "held_for_review": gettext_lazy("waits for the user's review"),
    "not_wanted": gettext_lazy("left out for good by the user"),
}


def reasons_of(setup: ExchangeSync) -> list[tuple[Text, int]]:
    """Why contacts are left out, and how many for each reason; the most frequent first."""
    counted = setup.links.left_out().order_by().values_list("problem").annotate(number=Count("pk"))
    return [
        (ABOUT_OTHERS.get(reason, Reason(reason).label), number)
        for reason, number in counted.order_by("-number")
        if reason in Reason.values
    ]


def rows_of(users: list[Any]) -> list[Row]:
    """The rows of `users` (from `health.mailboxes`). Three queries."""
    setups = {user.pk: getattr(user, "exchange_sync", None) for user in users}
    keys = [setup.pk for setup in setups.values() if setup]
    links = ContactLink.objects.filter(setup__in=keys).order_by()
    there = links.filter(state=LinkState.LINKED, gone=False)
    linked = dict(there.values_list("setup").annotate(number=Count("pk")))
    left_out = dict(links.left_out().values_list("setup").annotate(number=Count("pk")))
    runs = SyncRun.objects.in_bulk([pk for user in users for pk in (user.last_run, user.open_run) if pk])
    return [
        Row(
            user,
            setup,
            runs.get(user.last_run),
            runs.get(user.open_run),
            linked.get(setup.pk, 0) if setup else 0,
            left_out.get(setup.pk, 0) if setup else 0,
        )
        for user, setup in ((user, setups[user.pk]) for user in users)
    ]


def outcome_of(run: SyncRun) -> str:
    """What a run did, in words that are about somebody else."""
    match run.outcome:
        case Outcome.DONE:
            return words.result(run)
        case Outcome.FAILED:
            return f"{advice.happened(run)} {words.so_far(run)}"
        case Outcome.HELD:
            return _("Held: it waits for a decision.")
    return words.headline(run)


def in_brief(run: SyncRun) -> str:
    """The counts of an ended run: '17 to Outlook, 5 to the CRM, 1 failed'."""
    if run.outcome == Outcome.REJECTED:
        return str(Outcome.REJECTED.label)
    sides = ((TO_OUTLOOK, Side.OUTLOOK), (TO_CRM, Side.CRM))
    counted = [(phrase, sum(run.counts.get(side, {}).values())) for phrase, side in sides]
    counted.append((words.FAILED, run.counts.get("failed", 0)))
    numbers = [words.counted(phrase, count) for phrase, count in counted if count]
    if run.outcome != Outcome.DONE:
        numbers.insert(0, run.get_outcome_display())
    return ", ".join(numbers) or _("nothing to do")
