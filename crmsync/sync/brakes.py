"""Check: the brakes that hold a run before a mass change. Nothing is applied until a person has decided."""

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.db.models import Count

from crmsync.sync.choices import WAITING, Action, Cause, LinkState, Side
from crmsync.sync.counting import counts
from crmsync.sync.models import ContactLink, SyncRun

FEWEST_FOR_EMPTY = 2
ACTIONS = {"deletions": (Action.DELETE, Action.UNLINK), "overwrites": (Action.UPDATE,)}
Found = list[dict[str, Any]]


def check(run: SyncRun) -> Found:
    """Why the plan must be held, cause by cause; empty when it may go on.

    What is left out of it does not count, nor what a first sync writes to pair both sides: for that it was asked for.
    """
    planned = run.changes.filter(outcome__in=WAITING, leave="").exclude(cause=Cause.ERASED)
    if run.setup.is_first_sync:
        planned = planned.exclude(cause=Cause.FIRST_SIGHT)
    counted = planned.order_by().values("side", "action", "cause").annotate(number=Count("pk"))
    deletions: dict[str, dict[str, int]] = defaultdict(dict)
    overwrites: dict[str, dict[str, int]] = defaultdict(dict)
    for row in counted:
        if row["action"] in ACTIONS["deletions"]:
            deletions[row["side"]][row["cause"]] = row["number"] + deletions[row["side"]].get(row["cause"], 0)
        elif row["action"] in ACTIONS["overwrites"]:
            overwrites[row["side"]][row["cause"]] = row["number"]
    links = ContactLink.objects.filter(setup=run.setup_id, state=LinkState.LINKED)
    linked = links.count()
    found = over("deletions", deletions, limit(linked, settings.SYNC_DELETE_PERCENT))
    found += over("overwrites", overwrites, limit(linked, settings.SYNC_OVERWRITE_PERCENT))
    if linked >= FEWEST_FOR_EMPTY and not links.filter(gone=False).exists():
        found.append({"brake": "folder_empty", "side": Side.OUTLOOK, "cause": "", "count": linked, "limit": 0})
    return found


def recount(run: SyncRun) -> None:
    """Store what a plan comes to now that some of its rows wait no more: its counts, and those of what holds it."""
    waiting = run.changes.filter(outcome__in=WAITING)
    for row in run.brakes:
        if row["limit"]:
            rows = waiting.filter(side=row["side"], cause=row["cause"], action__in=ACTIONS[row["brake"]])
            row["count"] = rows.count()
    run.brakes = [row for row in run.brakes if row["count"]]
    SyncRun.objects.filter(pk=run.pk).update(brakes=run.brakes, counts=counts(run))


def limit(linked: int, percent: int) -> int:
    return max(settings.SYNC_DELETE_LIMIT, linked * percent // 100)


def goes_beyond(found: Found, agreed: Found) -> bool:
    """Whether the plan is held by more than what a person has agreed to already."""
    most = {(row["brake"], row["side"], row["cause"]): row["count"] for row in agreed}
    return any(row["count"] > most.get((row["brake"], row["side"], row["cause"]), -1) for row in found)


def over(brake: str, by_side: dict[str, dict[str, int]], most: int) -> Found:
    """One entry per cause for each side on which the sum is above the limit."""
    return [
        {"brake": brake, "side": side, "cause": cause, "count": number, "limit": most}
        for side, causes in by_side.items()
        if sum(causes.values()) > most
        for cause, number in causes.items()
    ]
