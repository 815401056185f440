"""Whether the product as a whole works: database, cache, workers, and how long the oldest sync has been due.

Numbers only, nobody's data: `/healthz` shows them to whoever asks.
"""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.models import Max, Min
from django.utils import timezone
from redis.exceptions import RedisError

from crmsync.sync.choices import Outcome
from crmsync.sync.models import SyncRun
from crmsync.sync.watch import Mark
from exchange_setup.models import ExchangeSync

logger = logging.getLogger(__name__)
HEARTBEAT = "sweep"
SILENCE = timedelta(minutes=5)  # the sweep comes once a minute, behind whatever else waits
LONGEST_DUE = timedelta(minutes=30)
OK, BROKEN = "ok", "broken"


@dataclass(frozen=True)
class Vitals:
    """`heartbeat` is when a worker was last heard of, `oldest_due` since when a sync waits; None for never and none."""

    now: datetime
    database: bool
    cache: bool
    heartbeat: datetime | None = None
    oldest_due: datetime | None = None

    @classmethod
    def take(cls) -> Self:
        now = timezone.now()
        try:
            return cls(now, database_answers(), cache_answers(), last_heartbeat(), oldest_due(now))
        except DatabaseError as error:
            logger.error("the database does not answer: %s", type(error).__name__)
            return cls(now, False, cache_answers())

    @property
    def worker(self) -> bool:
        return self.heartbeat is not None and self.now - self.heartbeat < SILENCE

    @property
    def in_time(self) -> bool:
        return self.oldest_due is None or self.now - self.oldest_due < LONGEST_DUE

    @property
    def well(self) -> bool:
        return self.database and self.cache and self.worker and self.in_time

    @property
    def silence(self) -> float | None:
        """Seconds since a worker was heard of."""
        return (self.now - self.heartbeat).total_seconds() if self.heartbeat else None

    @property
    def waited(self) -> float:
        """Seconds that the oldest sync has been due."""
        return (self.now - self.oldest_due).total_seconds() if self.oldest_due else 0

    def as_json(self) -> dict[str, object]:
        """What `/healthz` answers."""
        return {
            "web": OK,
            "database": word(self.database),
            "cache": word(self.cache),
            "worker": word(self.worker),
            "worker_heard_of_seconds_ago": None if self.silence is None else round(self.silence),
            "runs": word(self.in_time),
            "oldest_due_seconds": round(self.waited),
        }


def word(works: bool) -> str:
    return OK if works else BROKEN


def database_answers() -> bool:
    """True; or DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def cache_answers() -> bool:
    """Whether the cache gives back what it was given."""
    value = uuid.uuid4().hex
    try:
        cache.set(f"vitals-{value}", value, 10)
        return cache.get(f"vitals-{value}") == value
    except (RedisError, OSError) as error:
        logger.error("the cache does not answer: %s", type(error).__name__)
        return False


def last_heartbeat() -> datetime | None:
    """When the sweep last began, or a worker at a run last gave a sign of life; the sweep may wait behind long runs."""
    swept = Mark.objects.when(HEARTBEAT)
    working = SyncRun.objects.filter(outcome=Outcome.RUNNING).aggregate(last=Max("heartbeat_at"))["last"]
    return max((at for at in (swept, working) if at), default=None)


def oldest_due(now: datetime) -> datetime | None:
    """Since when the oldest sync has been due that has not begun; one that waits in the queue is due too."""
    waiting = SyncRun.objects.filter(outcome=Outcome.QUEUED, started_at=None).aggregate(first=Min("created_at"))
    due = ExchangeSync.objects.due(now).exclude(runs__in=SyncRun.objects.open()).aggregate(first=Min("next_sync_at"))
    return min((row["first"] for row in (waiting, due) if row["first"]), default=None)
