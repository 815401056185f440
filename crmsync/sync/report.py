"""A run as `sync_contacts` prints it: as data, in the form of every plan, and as text."""

from typing import Any

from crmsync.sync.models import EMPTY_COUNTS, SyncRun
from crmsync.sync.plan_format import head_of, rows_of


def as_json(run: SyncRun) -> dict[str, Any]:
    """The run in the form that scripts rely on (docs/plan-format.md)."""
    return {**head_of(run), "changes": list(rows_of(run))}


def as_text(run: SyncRun) -> str:
    """The run for a terminal: a line of counts, then a line per change."""
    counts = {**EMPTY_COUNTS, **run.counts}
    lines = [
        f"{run.get_kind_display()} {run.pk}: {run.get_outcome_display()}"
        + (f" ({run.error}: {run.error_detail})" if run.error else "")
    ]
    for side in ("outlook", "crm"):
        lines.append(f"  {side}: " + ", ".join(f"{number} {what}" for what, number in counts[side].items()))
    lines.append(
        "  "
        + ", ".join(f"{what} {counts[what]}" for what in ("paired", "skipped", "conflicts", "failed"))
        + f", requests {run.requests}"
    )
    for change in run.changes.order_by("pk").iterator(chunk_size=500):
        reason = f" [{change.get_reason_display()}]" if change.reason else ""
        lines.append(f"  {change.outcome:8} {change.action} in {change.side}: {change.name}{reason}")
    return "\n".join(lines)
