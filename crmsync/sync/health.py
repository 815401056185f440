"""How each mailbox is doing, in exactly one word. The database works it out: a list can be narrowed to a word."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import LessThan
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crmsync.sync.choices import NO_SYNC, OPEN, Outcome
from crmsync.sync.models import LEASE, SyncRun
from exchange_setup.models import ExchangeSync, SignInStatus, Trouble

PATIENCE = 2  # intervals without a complete sync


class Health(models.TextChoices):
    """In the order in which an administrator wants to hear of them."""

    ERROR = "error", _("Error")
    NEEDS_SIGN_IN = "needs_sign_in", _("Needs sign-in")
    HELD = "held", _("Held")
    LATE = "late", _("Late")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    WAITING = "waiting", _("First sync waits")
    OK = "ok", _("In sync")
    NOT_SET_UP = "not_set_up", _("Not set up")


NEED_A_LOOK = (Health.ERROR, Health.NEEDS_SIGN_IN, Health.HELD, Health.LATE)

LOOKS = {
    Health.ERROR: ("circle-alert", "bad"),
    Health.NEEDS_SIGN_IN: ("key-round", "bad"),
    Health.HELD: ("hand", "warn"),
    Health.LATE: ("clock-alert", "warn"),
    Health.RUNNING: ("refresh-cw", "info"),
    Health.PAUSED: ("circle-pause", "muted"),
    Health.WAITING: ("circle-dashed", "info"),
    Health.OK: ("circle-check", "ok"),
    Health.NOT_SET_UP: ("plug", "muted"),
}


def is_late(setup: ExchangeSync, now: datetime) -> bool:
    """Whether an automatic sync has not come to its end for two intervals. The same rule as in `health`."""
    if setup.waits_for_first_sync:
        return False
    since = setup.last_sync_at or setup.enabled_at
    waited = timedelta(minutes=PATIENCE * setup.interval_minutes)
    return bool(setup.enabled and setup.auto_sync and since and since + waited < now)


def health_of(setup: ExchangeSync) -> Health:
    """The one word for one setup. One query."""
    return Health(mailboxes(timezone.now()).values_list("health", flat=True).get(pk=setup.user_id))


def mailboxes(now: datetime) -> models.QuerySet[Any]:
    """Users who have a setup or could have one, with `health`, `open_run` and `last_run` (keys of their runs)."""
    could_have_one = Q(is_active=True) & ~Q(authentication_email="")
    users = get_user_model().objects.filter(Q(exchange_sync__isnull=False) | could_have_one)
    runs = SyncRun.objects.filter(setup=OuterRef("exchange_sync__pk")).order_by("-pk")
    is_open = runs.filter(outcome__in=OPEN)
    ended = runs.exclude(outcome__in=OPEN).exclude(kind__in=NO_SYNC)
    return users.annotate(
        open_run=Subquery(is_open.values("pk")[:1]),
        open_outcome=Subquery(is_open.values("outcome")[:1]),
        heard_of=Subquery(is_open.values("heartbeat_at")[:1]),
        last_run=Subquery(ended.values("pk")[:1]),
        last_outcome=Subquery(ended.values("outcome")[:1]),
        sign_in_status=F("exchange_sync__sign_in__status"),
    ).annotate(health=health(now))


def health(now: datetime) -> Case:
    """One of `Health` for each of `mailboxes`. The first line that holds says it."""
    return Case(
        When(Q(exchange_sync=None) | of_setup(enabled=False, enabled_at=None), then=Value(Health.NOT_SET_UP)),
        When(open_outcome=Outcome.HELD, then=Value(Health.HELD)),
        When(heard_of__gte=now - LEASE, then=Value(Health.RUNNING)),
        When(cut_off(), then=Value(Health.NEEDS_SIGN_IN)),
        When(~of_setup(trouble="") | moved(), then=Value(Health.ERROR)),
        When(of_setup(enabled=False) | Q(is_active=False), then=Value(Health.PAUSED)),
        When(open_run__isnull=False, then=Value(Health.LATE)),  # no worker takes it, or its worker died
        When(of_setup(last_sync_at=None, first_sync_allowed=False), then=Value(Health.WAITING)),
        When(last_outcome=Outcome.FAILED, then=Value(Health.ERROR)),
        When(overdue(now), then=Value(Health.LATE)),
        default=Value(Health.OK),
        output_field=CharField(),
    )


def of_setup(**values: Any) -> Q:
    return Q(**{f"exchange_sync__{name}": value for name, value in values.items()})


def cut_off() -> Q:
    """Microsoft 365 does not accept the sign-in, or nobody has signed in where every user has to."""
    refused = of_setup(trouble=Trouble.NEEDS_SIGN_IN)
    if settings.M365_ACCESS != "delegated":
        return refused
    return refused | of_setup(enabled=True) & ~of_setup(sign_in__status=SignInStatus.CONNECTED)


def moved() -> Q:
    """The user card names no mailbox, or another one than the setup's."""
    another = ~of_setup(mailbox="") & ~of_setup(mailbox__iexact=F("authentication_email"))
    return of_setup(enabled=True) & (Q(authentication_email="") | another)


def overdue(now: datetime) -> Q:
    intervals = Cast("exchange_sync__interval_minutes", IntegerField()) * Value(timedelta(minutes=PATIENCE))
    waited = ExpressionWrapper(intervals, output_field=DurationField())
    since = Coalesce("exchange_sync__last_sync_at", "exchange_sync__enabled_at")
    expected = ExpressionWrapper(since + waited, output_field=DateTimeField())
    return of_setup(auto_sync=True) & Q(LessThan(expected, now))
