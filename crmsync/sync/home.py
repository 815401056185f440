"""What Home shows: where my sync stands, what needs me, how much went either way, and what changed last."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Self

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from crmsync.sync import reasons, words
from crmsync.sync.choices import ChangeOutcome, Kind, LinkState, Outcome, Reason, Side
from crmsync.sync.daily import DAYS, Chart
from crmsync.sync.freshness import Freshness, of_setup
from crmsync.sync.health import NEED_A_LOOK, Health, health_of, mailboxes
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.runs import is_ready_preview
from crmsync.sync.standing import Standing, latest_run, not_set_up, standing_of
from crmsync.sync.tables import ChangeRow, change_row
from crmsync.sync.words import Text
from exchange_setup.models import ExchangeSync

MOST_NEEDS = 5
RECENT = 8
ENDED = (Outcome.DONE, Outcome.FAILED, Outcome.CANCELLED)  # their counts say what was done, not what would be


@dataclass(frozen=True)
class Need:
    """One row of "What needs you": what it is, what can be done, and the button that leads there.

    `is_decision` says that a run waits for the person's word.
    """

    icon: str
    tone: str
    text: Text
    more: Text
    button: Text
    url: str
    is_decision: bool = False

    @property
    def opens_dialog(self) -> bool:
        return self.url.startswith(reverse("sync:start"))


@dataclass(frozen=True)
class Question:
    """A reason for which contacts wait for somebody: how Home says it."""

    icon: str
    phrase: Any
    button: Any


SEE_WHICH = ngettext_lazy("See which one", "See which", "count")
QUESTIONS = {  # the most pressing first
    Reason.CONFLICT: Question(
        "git-compare-arrows",
        ngettext_lazy(
            "%(shown)s contact was changed differently on both sides.",
            "%(shown)s contacts were changed differently on both sides.",
            "count",
        ),
        gettext_lazy("Decide"),
    ),
    Reason.HELD_FOR_REVIEW: Question(
        "inbox",
        ngettext_lazy(
            "%(shown)s new contact in Outlook waits for your review.",
            "%(shown)s new contacts in Outlook wait for your review.",
            "count",
        ),
        gettext_lazy("Review"),
    ),
    Reason.AMBIGUOUS: Question(
        "users-round",
        ngettext_lazy(
            "%(shown)s Outlook contact could be one of several CRM contacts.",
            "%(shown)s Outlook contacts could each be one of several CRM contacts.",
            "count",
        ),
        SEE_WHICH,
    ),
    Reason.DUPLICATE: Question(
        "copy",
        ngettext_lazy(
            "%(shown)s contact is in Outlook more than once.",
            "%(shown)s contacts are in Outlook more than once.",
            "count",
        ),
        SEE_WHICH,
    ),
}
OTHERS = ngettext_lazy(
    "%(shown)s of your colleagues' mailboxes needs a look.",
    "%(shown)s of your colleagues' mailboxes need a look.",
    "count",
)


@dataclass(frozen=True)
class Recent:
    """A change that went through: the line of the run page, and the fields in it by name."""

    row: ChangeRow
    fields: str
    at: datetime


@dataclass(frozen=True)
class Home:
    """`run` is the setup's `latest_run`; `linked` counts the contacts in both places, `left_out` those that are not."""

    setup: ExchangeSync | None
    run: SyncRun | None
    standing: Standing
    needs: list[Need]
    chart: Chart
    recent: list[Recent]
    linked: int = 0
    left_out: int = 0
    health: Health = Health.NOT_SET_UP
    freshness: Freshness | None = None

    @classmethod
    def of(cls, user: AbstractBaseUser) -> Self:
        """`user`'s own Home. A constant number of queries; a salesperson who has no setup costs one."""
        setup = ExchangeSync.objects.filter(user=user).first()
        today = timezone.localdate()
        others = list(needs_of_others(user))
        if setup is None:
            return cls(None, None, not_set_up(), others, Chart.of({}, today), [])
        run, health = latest_run(setup), health_of(setup)
        left_out = setup.links.left_out().order_by().values_list("problem").annotate(number=Count("pk"))
        problems = Counter(dict(left_out))
        busy = runs_with_changes(setup, today)
        return cls(
            setup,
            run,
            standing_of(setup, run, health),
            [*needs_of_sync(setup, run), *needs_of_contacts(problems), *others][:MOST_NEEDS],
            Chart.of(per_day(busy), today),
            recent_changes(busy),
            setup.links.filter(state=LinkState.LINKED, gone=False).count(),
            problems.total(),
            health,
            of_setup(setup, timezone.now()),
        )

    @property
    def state(self) -> str:
        """Changes when the page has something else to show."""
        run = f"{self.run.pk}-{self.run.outcome}" if self.run else ""
        last = self.setup.last_sync_at if self.setup else None
        return f"{run}-{self.standing.icon}-{last.timestamp() if last else ''}"

    @property
    def can_sync(self) -> bool:
        """Whether a sync could be started now."""
        is_open = self.run is not None and self.run.is_open
        return bool(self.setup and self.setup.enabled and not self.setup.trouble and not is_open)


# --- What needs me ---------------------------------------------------------------------------------------------------


def needs_of_sync(setup: ExchangeSync, run: SyncRun | None) -> list[Need]:
    """What stands in the way of the sync as a whole. `run` is the setup's `latest_run`."""
    found = []
    if setup.is_first_sync and not (run and run.is_open):
        found += [ready_preview(preview) for preview in setup.runs.all()[:1] if is_ready_preview(preview)]
    if run and run.outcome == Outcome.HELD:
        why = " ".join(brake.sentence for brake in words.brakes(run))
        is_undo = run.kind == Kind.UNDO
        text = _("An undo waits for your decision") if is_undo else _("Your sync is held")
        url = run.get_absolute_url()
        found.append(Need("hand", "warn", text, why, _("Look and decide"), url, is_decision=True))
    if setup.trouble:
        found.append(trouble(setup.trouble))
    elif run and run.outcome == Outcome.FAILED and setup.enabled:
        found.append(trouble(run.error))
    return found


def ready_preview(preview: SyncRun) -> Need:
    """The first sync begins with its preview, which the person may have left."""
    text, more = _("The preview of your first sync is ready."), words.result(preview)
    return Need("eye", "info", text, more, _("Look and apply"), reverse("sync:preview", args=[preview.pk]))


def trouble(error: str) -> Need:
    advice = reasons.trouble(error)
    caption = advice.button.caption if advice.button else _("Open the setup")
    url = advice.url() or reverse("exchange_setup:setup")
    return Need("triangle-alert", "bad", advice.happened, advice.can_do, caption, url)


def needs_of_contacts(problems: Counter[str]) -> list[Need]:
    """One row for each reason for which contacts wait for me."""
    page = reverse("sync:left-out")
    return [
        Need(
            question.icon,
            "warn",
            words.counted(question.phrase, problems[reason]),
            reasons.REASONS[reason].can_do,
            question.button % {"count": problems[reason]},
            f"{page}?reason={reason}",
        )
        for reason, question in QUESTIONS.items()
        if problems[reason]
    ]


def needs_of_others(user: AbstractBaseUser) -> Iterator[Need]:
    """For an administrator, how many of the others' mailboxes need a look."""
    if not getattr(user, "is_administrator", False):
        return
    troubled = mailboxes(timezone.now()).exclude(pk=user.pk).filter(health__in=NEED_A_LOOK)
    counts = dict(troubled.order_by().values_list("health").annotate(number=Count("pk")))
    if counts:
        total = sum(counts.values())
        found = [(counts[health], str(health.label).lower()) for health in NEED_A_LOOK if health in counts]
        more = ", ".join(f"{words.number(count)} {label}" for count, label in found)
        see, page = SEE_WHICH % {"count": total}, reverse("sync:mailbox-list") + "?health=look"
        yield Need("mailbox", "warn", words.counted(OTHERS, total), more, see, page)


# --- What changed ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BusyRun:
    """A run that changed something: how many contacts on each side."""

    pk: int
    finished_at: datetime
    outlook: int
    crm: int


def runs_with_changes(setup: ExchangeSync, today: date) -> list[BusyRun]:
    """The runs of the days that the chart shows, the newest first. One query: runs that did nothing are left there."""
    since = timezone.now() - timedelta(days=DAYS)
    ended = setup.runs.filter(outcome__in=ENDED, finished_at__gte=since).exclude(kind=Kind.PREVIEW)
    rows = ended.filter(Exists(SyncChange.objects.filter(run=OuterRef("pk"), outcome=ChangeOutcome.DONE)))
    return [
        BusyRun(pk, at, sum(counts.get(Side.OUTLOOK, {}).values()), sum(counts.get(Side.CRM, {}).values()))
        for pk, at, counts in rows.values_list("pk", "finished_at", "counts")
    ]


def per_day(busy: list[BusyRun]) -> dict[date, tuple[int, int]]:
    """(to Outlook, to the CRM) by the day on which the run ended, in the reader's time zone."""
    outlook: Counter[date] = Counter()
    crm: Counter[date] = Counter()
    for run in busy:
        day = timezone.localdate(run.finished_at)
        outlook[day] += run.outlook
        crm[day] += run.crm
    return {day: (outlook[day], crm[day]) for day in outlook}


def recent_changes(busy: list[BusyRun]) -> list[Recent]:
    """The last few changes that were carried out. One query, among the runs that hold them; none without any."""
    runs, held = [], 0
    for run in busy:
        if held < RECENT:
            runs.append(run.pk)
            held += run.outlook + run.crm
    if not runs:
        return []
    done = SyncChange.objects.filter(run__in=runs, outcome=ChangeOutcome.DONE).select_related("contact")
    return [recent(change) for change in done.order_by("-pk")[:RECENT]]


def recent(change: SyncChange) -> Recent:
    row = change_row(change)
    named = ", ".join(str(field.label) for field in row.fields[:3]) if not row.summary else row.summary
    return Recent(row, named, change.applied_at or change.created_at)
