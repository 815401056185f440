"""Check: the brakes that hold a run before a mass change. Nothing is applied until a person has decided."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Count, Q

from crmsync.sync.choices import WAITING, Action, Cause, LinkState, Side
from crmsync.sync.counting import counts
from crmsync.sync.models import ContactLink, SyncRun

FEWEST_FOR_EMPTY = 2
# What is counted. Whoever is paired is overwritten where the CRM's values win over the item's.
COUNTED = {
    "deletions": Q(action__in=(Action.DELETE, Action.UNLINK)),
    "overwrites": Q(action=Action.UPDATE) | (Q(action=Action.LINK) & ~Q(conflicts={})),
}
Found = list[dict[str, Any]]


def check(run: SyncRun) -> Found:
    """Why the plan must be held, cause by cause; empty when it may go on.

    What is left out of it does not count, nor what a first sync writes to pair both sides: for that it was asked for.
    """
    planned = run.changes.filter(outcome__in=WAITING, leave="").exclude(cause=Cause.ERASED)
    if run.setup.is_first_sync:
        planned = planned.exclude(cause=Cause.FIRST_SIGHT)
    numbers = {brake: Count("pk", filter=rows) for brake, rows in COUNTED.items()}
    counted = list(planned.order_by().values("side", "cause").annotate(**numbers))
    links = ContactLink.objects.filter(setup=run.setup_id, state=LinkState.LINKED)
    linked = links.count()
    found = over("deletions", counted, limit(linked, settings.SYNC_DELETE_PERCENT))
    found += over("overwrites", counted, limit(linked, settings.SYNC_OVERWRITE_PERCENT))
    if linked >= FEWEST_FOR_EMPTY and not links.filter(gone=False).exists():
        found.append({"brake": "folder_empty", "side": Side.OUTLOOK, "cause": "", "count": linked, "limit": 0})
    return found


def recount(run: SyncRun) -> None:
    """Store what a plan comes to now that some of its rows wait no more: its counts, and those of what holds it."""
    waiting = run.changes.filter(outcome__in=WAITING)
    for row in run.brakes:
        if row["brake"] in COUNTED:
            row["count"] = waiting.filter(COUNTED[row["brake"]], side=row["side"], cause=row["cause"]).count()
    run.brakes = [row for row in run.brakes if row["count"]]
    SyncRun.objects.filter(pk=run.pk).update(brakes=run.brakes, counts=counts(run))


def limit(linked: int, percent: int) -> int:
    return max(settings.SYNC_DELETE_LIMIT, linked * percent // 100)


def goes_beyond(found: Found, agreed: Found) -> bool:
    """Whether the plan is held by more than what a person has agreed to already."""
    most = {(row["brake"], row["side"], row["cause"]): row["count"] for row in agreed}
    return any(row["count"] > most.get((row["brake"], row["side"], row["cause"]), -1) for row in found)


def over(brake: str, counted: Iterable[Mapping[str, Any]], most: int) -> Found:
    """One entry per cause for each side on which the sum is above the limit."""
    by_side: dict[str, dict[str, int]] = defaultdict(dict)
    for row in counted:
        if row[brake]:
            by_side[row["side"]][row["cause"]] = row[brake]
    return [
        {"brake": brake, "side": side, "cause": cause, "count": number, "limit": most}
        for side, causes in by_side.items()
        if sum(causes.values()) > most
        for cause, number in causes.items()
    ]
