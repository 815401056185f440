"""The product as a whole, for its administrators: what works, what the last day's runs did, how fast edits arrive."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from crmsync.sync import words
from crmsync.sync.choices import Outcome
from crmsync.sync.freshness import Freshness, in_minutes, of_everybody
from crmsync.sync.health import LOOKS, Health, mailboxes
from crmsync.sync.models import SyncRun
from crmsync.sync.secret import days_left, threshold
from crmsync.sync.subscribing import address
from crmsync.sync.subscription import Subscription
from crmsync.sync.tables import DAY
from crmsync.sync.templatetags.sync import RUN_LOOKS
from crmsync.sync.vitals import Vitals
from crmsync.sync.words import Text
from exchange_setup.models import ExchangeSync

SLOWEST = 20
DAYS_LEFT = ngettext_lazy("Expires in %(shown)s day", "Expires in %(shown)s days", "count")
TOLD = ngettext_lazy(
    "Microsoft 365 tells us of changes in %(shown)s mailbox.",
    "Microsoft 365 tells us of changes in %(shown)s mailboxes.",
    "count",
)


@dataclass(frozen=True)
class Sign:
    """One thing that works or does not: its name, an icon and a word, and a sentence."""

    name: Text
    icon: str
    tone: str
    text: Text
    more: Text = ""


@dataclass(frozen=True)
class Share:
    """How many there are of one kind; `slug` is its value in the URL of the list that shows them."""

    slug: str
    label: Text
    icon: str
    tone: str
    count: int


@dataclass(frozen=True)
class Slow:
    """How fast edits arrive in one mailbox."""

    user: Any
    freshness: Freshness


@dataclass(frozen=True)
class Status:
    """What the status page shows. `requests` counts those to Microsoft 365 in the last day."""

    vitals: Vitals
    signs: list[Sign]
    health: list[Share]
    runs: list[Share]
    requests: int
    freshness: Freshness | None
    slowest: list[Slow]

    @property
    def well(self) -> bool:
        """Whether no sign is bad; `/healthz` looks only at what keeps everybody's syncs from running in time."""
        return all(sign.tone != "bad" for sign in self.signs)

    @classmethod
    def now(cls) -> Self:
        """A constant number of queries."""
        vitals = Vitals.take()
        runs, requests = runs_of_the_day(vitals.now)
        everybody, each = of_everybody(vitals.now)
        return cls(vitals, signs_of(vitals), by_health(vitals.now), runs, requests, everybody, slowest(each))


def signs_of(vitals: Vitals) -> list[Sign]:
    return [
        plain(gettext_lazy("Database"), vitals.database),
        plain(gettext_lazy("Cache"), vitals.cache, _("Redis does not answer. See whether it runs.")),
        of_workers(vitals),
        of_waiting(vitals),
        of_real_time(vitals.now),
        of_mail(),
        of_secret(days_left(timezone.localdate(vitals.now))),
    ]


def plain(name: Text, works: bool, more: str = "") -> Sign:
    return good(name, _("Answers")) if works else bad(name, _("Does not answer"), more)


def good(name: Text, text: Text, more: Text = "") -> Sign:
    return Sign(name, "circle-check", "ok", text, more)


def bad(name: Text, text: Text, more: Text = "") -> Sign:
    return Sign(name, "circle-alert", "bad", text, more)


def of_workers(vitals: Vitals) -> Sign:
    name = _("Background workers")
    if vitals.silence is None:
        return bad(name, _("Not heard of yet"), _("Start one with manage.py qcluster; it is heard of in a minute."))
    heard = _("Last heard of %(time)s ago.") % {"time": in_minutes(timedelta(seconds=vitals.silence))}
    if vitals.worker:
        return good(name, _("At work"), heard)
    gone = _("Nothing syncs by itself. See whether the workers run, and their log.")
    return bad(name, _("Silent"), f"{heard} {gone}")


def of_waiting(vitals: Vitals) -> Sign:
    name = _("Oldest sync that is due")
    if vitals.oldest_due is None:
        return good(name, _("None waits"))
    waits = _("Due for %(time)s") % {"time": in_minutes(timedelta(seconds=vitals.waited))}
    if vitals.in_time:
        return good(name, waits)
    return bad(name, waits, _("The workers do not keep up, or stand still. More of them help with more mailboxes."))


def of_real_time(now: datetime) -> Sign:
    name = _("Real time")
    if not address():
        more = _(
            "Microsoft 365 tells us of changes only where CRMSYNC_BASE_URL is a public https address. Without it, each "
            "mailbox is read at its interval."
        )
        return Sign(name, "circle-dashed", "muted", _("Off"), more)
    told = words.counted(TOLD, Subscription.objects.filter(expires_at__gt=now).count())
    return good(name, _("On"), f"{told} " + _("The others are read at their interval."))


def of_mail() -> Sign:
    name = _("Mail")
    if settings.EMAIL_FOLDER and settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"):
        where = _("Mails are written to files in %(folder)s.") % {"folder": settings.EMAIL_FOLDER}
        return Sign(name, "folder", "info", _("Into a folder"), where)
    if settings.EMAIL_IS_SENT:
        return good(name, _("Is sent"), _("Users are told once when their sync breaks, and once when it works again."))
    more = _("Nobody is told by mail when a sync breaks. Set CRMSYNC_EMAIL_HOST.")
    return Sign(name, "circle-dashed", "muted", _("Is not sent"), more)


def of_secret(days: int | None) -> Sign:
    name = _("Client secret for Microsoft 365")
    if days is None:
        more = _("Set M365_CLIENT_SECRET_EXPIRES to be told 30, 7 and 1 days before.")
        return Sign(name, "circle-dashed", "muted", _("Expiry not known"), more)
    if days < 0:
        return bad(
            name, _("Expired"), _("Nobody's contacts sync. Add a new secret to the app registration and set it.")
        )
    left = words.counted(DAYS_LEFT, days)
    if threshold(days) is None:
        return good(name, left)
    more = _("Add a new secret to the app registration and set it before that day.")
    return Sign(name, "triangle-alert", "bad" if days <= 7 else "warn", left, more)


def by_health(now: datetime) -> list[Share]:
    """How many mailboxes there are of each health."""
    counts = dict(mailboxes(now).order_by().values_list("health").annotate(number=Count("pk")))
    found = [(health, counts.get(health, 0), *LOOKS[health]) for health in Health]
    return [
        Share(health.value, health.label, icon, tone if count else "muted", count)
        for health, count, icon, tone in found
    ]


def runs_of_the_day(now: datetime) -> tuple[list[Share], int]:
    """How many runs of every kind began in the last day, by outcome, and their requests to Microsoft 365."""
    rows = SyncRun.objects.filter(created_at__gt=now - DAY).order_by()
    counted = {
        row["outcome"]: row for row in rows.values("outcome").annotate(number=Count("pk"), requests=Sum("requests"))
    }
    shares = [
        Share(outcome.value, outcome.label, *RUN_LOOKS[outcome], counted[outcome]["number"])
        for outcome in Outcome
        if outcome in counted
    ]
    return shares, sum(row["requests"] or 0 for row in counted.values())


def slowest(each: dict[int, Freshness]) -> list[Slow]:
    """The mailboxes in which edits take longest, the slowest first."""
    keys = sorted(each, key=lambda setup: each[setup].most, reverse=True)[:SLOWEST]
    users = {setup.pk: setup.user for setup in ExchangeSync.objects.filter(pk__in=keys).select_related("user")}
    return [Slow(users[key], each[key]) for key in keys if key in users]
