"""Whether the background worker still works: a tiny job that touches a file, asked for twice a minute."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.db import DatabaseError
from django_q.tasks import async_task
from redis.exceptions import RedisError

BEAT = "crmsync.demo.pulse.beat"
EVERY = 30.0
# Longer than any job may take (the queue's own timeout) and the worker's start together.
PATIENCE = 700.0


def beat(path: str) -> None:
    """The job itself, run by the worker."""
    Path(path).touch()


@dataclass
class Pulse:
    """`path` is the file that a beat touches."""

    path: Path
    asked: float = 0.0
    since: float = field(default_factory=time.time)

    def ask(self) -> None:
        """Ask for a beat, if the last time was long enough ago."""
        if time.time() - self.asked < EVERY:
            return
        self.asked = time.time()
        with suppress(DatabaseError, RedisError):
            async_task(BEAT, str(self.path), save=False)

    def last(self) -> float:
        """When the worker was last known to work."""
        return max(self.since, self.path.stat().st_mtime if self.path.exists() else 0.0)

    def felt(self) -> bool:
        """Whether there was a beat at all since this began."""
        self.ask()
        return self.last() > self.since

    def steady(self) -> bool:
        """False once there was no beat for too long; whoever hears that starts the worker again."""
        self.ask()
        if time.time() - self.last() < PATIENCE:
            return True
        self.since = time.time()
        return False
