"""Whose turn it is: a run belongs to one worker at a time, for as long as that worker gives signs of life.

The run's row is the lease. Every sign of life is a conditional UPDATE on the fence that the claim counted up, so a
worker that was thought dead and comes back finds out before it writes anything.
"""

import os
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F
from django.utils import timezone

from crmsync.sync.choices import Outcome
from crmsync.sync.models import LEASE, SyncRun

HOST = socket.gethostname()
BUDGET_SECONDS = 240.0


class LeaseLost(Exception):
    """Another worker has the run now, or it was deleted: stop at once and write nothing more."""


class Cancelled(Exception):
    """A person asked the run to stop."""


class OutOfTime(Exception):
    """The run has used its share of a worker's time and goes on in a task of its own."""


@dataclass
class Lease:
    """One worker's hold on one run."""

    run_id: int
    fence: int
    budget: float = BUDGET_SECONDS
    began: float = field(default_factory=time.monotonic)

    def hold(self, **progress: Any) -> None:
        """Give a sign of life and note progress; in a transaction it keeps a takeover waiting. Raises LeaseLost."""
        rows = SyncRun.objects.filter(pk=self.run_id, fence=self.fence, outcome=Outcome.RUNNING)
        if not rows.update(heartbeat_at=timezone.now(), **progress):
            raise LeaseLost

    def rest(self, **progress: Any) -> None:
        """`hold`, at a place where the run may stop. Raises Cancelled and OutOfTime too."""
        self.hold(**progress)
        if SyncRun.objects.filter(pk=self.run_id, cancel_requested=True).exists():
            raise Cancelled
        if time.monotonic() - self.began > self.budget:
            raise OutOfTime

    def wait(self, seconds: float) -> None:
        """Sleep at most five seconds of a longer pause, with a sign of life."""
        time.sleep(seconds)
        self.hold()


def claim(run_id: int, *, budget: float = BUDGET_SECONDS) -> Lease | None:
    """Take a run that waits, or whose worker died. None when there is nothing to take."""
    now = timezone.now()
    run = SyncRun.objects.filter(pk=run_id)
    mine = {"outcome": Outcome.RUNNING, "fence": F("fence") + 1, "heartbeat_at": now, "worker": f"{HOST}:{os.getpid()}"}
    if not run.filter(outcome=Outcome.QUEUED).update(**mine):
        if not run.filter(outcome=Outcome.RUNNING, heartbeat_at__lt=now - LEASE).update(**mine):
            return None
        # What the dead worker left half-way may have changed both sides: plan anew, unless a person approved this plan.
        run.filter(decided_at=None).update(planned_with="")
    SyncRun.objects.filter(pk=run_id, started_at=None).update(started_at=now)
    return Lease(run_id, SyncRun.objects.values_list("fence", flat=True).get(pk=run_id), budget)


def is_dead(run: SyncRun) -> bool:
    """Whether nobody works on a run that should be: its lease ran out, or its process on this host is gone."""
    if run.outcome not in (Outcome.QUEUED, Outcome.RUNNING):
        return False
    if run.heartbeat_at < timezone.now() - LEASE:
        return True
    host, _, process = run.worker.partition(":")
    return run.outcome == Outcome.RUNNING and host == HOST and process.isdigit() and not is_alive(int(process))


def is_alive(process: int) -> bool:
    """Whether this host runs such a process, zombies not counted."""
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return not os.path.isdir("/proc/self")
    except (OSError, IndexError):
        return True
