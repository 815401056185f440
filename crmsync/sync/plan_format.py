"""A plan, and what became of it, as data: the one form of the command, the exports and the pages (docs/plan-format.md).

A run has a head and rows; a row is one change of one side of one contact.
"""

import csv
import json
from collections.abc import Iterator
from typing import Any

from contacts.transfer.cells import quoted
from contacts.transfer.exporting import Echo
from crmsync.sync.models import EMPTY_COUNTS, SyncChange, SyncRun

CHUNK = 500
BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for something else
# In CSV, a line for each field of a row; what a spreadsheet would run as a formula has a quote in front.
LINE = (
    "row", "contact", "name", "side", "action", "cause", "outcome", "reason", "detail", "leave", "field", "before",
    "after", "outlook_id",
)  # fmt: skip


def head_of(run: SyncRun) -> dict[str, Any]:
    """What is said of a run as a whole."""
    counts = {**EMPTY_COUNTS, **run.counts}
    return {
        "run": run.pk,
        "kind": run.kind,
        "plan_of": run.plan_of_id,
        "outcome": run.outcome,
        "requests": run.requests,
        "crm": counts["crm"],
        "outlook": counts["outlook"],
        "paired": counts["paired"],
        "skipped": counts["skipped"],
        "conflicts": counts["conflicts"],
        "failed": counts["failed"],
        "stale": counts["stale"],
        "error": run.error,
        "error_detail": run.error_detail,
        "brakes": run.brakes,
        "notes": run.notes,
    }


def row_of(change: SyncChange) -> dict[str, Any]:
    """One row. The change has its contact at hand."""
    return {
        "contact": change.contact.number if change.contact else None,
        "name": change.name,
        "outlook_id": change.outlook_id or None,
        "action": change.action,
        "side": change.side,
        "cause": change.cause,
        "fields": change.fields,
        "conflicts": change.conflicts,
        "outcome": change.outcome,
        "reason": change.reason,
        "detail": change.detail,
        "leave": change.leave,
    }


def rows_of(run: SyncRun) -> Iterator[dict[str, Any]]:
    """All rows of a run in the order of the plan, in constant memory."""
    changes = run.changes.select_related("contact").order_by("pk")
    return map(row_of, changes.iterator(chunk_size=CHUNK))


def as_json(run: SyncRun) -> Iterator[str]:
    """The run as one JSON object, piece by piece."""
    yield json.dumps(head_of(run), ensure_ascii=False)[:-1] + ', "changes": ['
    before = "\n"
    for row in rows_of(run):
        yield before + json.dumps(row, ensure_ascii=False)
        before = ",\n"
    yield "\n]}\n"


def as_csv(run: SyncRun) -> Iterator[str]:
    """The run's rows as lines of CSV, a header first; a row without fields has one line."""
    writer = csv.writer(Echo())
    yield BYTE_ORDER_MARK + str(writer.writerow(LINE))
    for number, row in enumerate(rows_of(run), start=1):
        for name, (before, after) in row["fields"].items() or [("", ("", ""))]:
            values = {**row, "row": number, "field": name, "before": before, "after": after}
            yield writer.writerow([quoted(str(values[column] or "")) for column in LINE])


FORMATS = {"csv": (as_csv, "text/csv; charset=utf-8"), "json": (as_json, "application/json")}
