"""What a run did, as numbers."""

from typing import Any

from django.db.models import Count

from crmsync.sync.choices import WAITING, Action, ChangeOutcome, Kind
from crmsync.sync.models import EMPTY_COUNTS, SyncRun

COUNTED = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.DELETE: "deleted",
    Action.RESTORE: "created",
}


def counts(run: SyncRun) -> dict[str, Any]:
    """What the run did, each way; of a preview or a held run, what it would do."""
    if run.kind == Kind.VERIFY:
        return dict(run.counts)
    total = {key: dict(value) if isinstance(value, dict) else value for key, value in EMPTY_COUNTS.items()}
    rows = run.changes.order_by().values("side", "action", "outcome").annotate(number=Count("pk"))
    for row in rows:
        is_done = row["outcome"] in (ChangeOutcome.DONE, *WAITING)
        if is_done and row["action"] in COUNTED:
            total[row["side"]][COUNTED[row["action"]]] += row["number"]
        elif is_done and row["action"] == Action.LINK:
            total["paired"] += row["number"]
        elif row["outcome"] == ChangeOutcome.SKIPPED:
            total["skipped"] += row["number"]
        elif row["outcome"] == ChangeOutcome.FAILED:
            total["failed"] += row["number"]
        elif row["outcome"] == ChangeOutcome.STALE:
            total["stale"] += row["number"]
    total["conflicts"] = run.changes.exclude(conflicts={}).count()
    return total
