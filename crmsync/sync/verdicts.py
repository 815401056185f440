"""A person's word on a held run, cause by cause.

Approved: carried out now, exactly as planned. Rejected: dropped now; the next sync compares these contacts afresh, and
asks again if it still is a mass change. Parked: nothing happens to them; the rest goes through, and then the run is
held again, for them alone. While a run is held no other one of the mailbox starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crmsync.sync.brakes import recount
from crmsync.sync.choices import WAITING, Cause, ChangeOutcome, Outcome
from crmsync.sync.leave import Verdict
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.narrowing import leave_all_for_later
from crmsync.sync.plan_groups import Group, causes_of, with_followers
from crmsync.sync.rulings import note
from crmsync.sync.runs import AlreadyDecided, drop, move_on, start
from crmsync.sync.work import PAGE


def decide(run: SyncRun, verdicts: Mapping[Group, Verdict], by: AbstractBaseUser | None) -> None:
    """Carry out what is approved, drop what is rejected, keep what is parked. Raises AlreadyDecided.

    What `verdicts` says nothing about is parked.
    """
    with transaction.atomic():
        if not SyncRun.objects.select_for_update().filter(pk=run.pk, outcome=Outcome.HELD).exists():
            raise AlreadyDecided
        said = {group.slug: verdict for group, verdict in verdicts.items()}
        words = {group: said.get(group.slug, Verdict.PARK) for group in causes_of(run)}
        for verdict in Verdict:
            if groups := [group for group, word in words.items() if word == verdict]:
                note(run, verdict, by, groups)
        run.changes.filter(outcome__in=WAITING).exclude(cause=Cause.ERASED).update(outcome=ChangeOutcome.PARKED)
        for group, verdict in words.items():
            if verdict != Verdict.PARK:
                say(run, run.changes.filter(group.rows, outcome=ChangeOutcome.PARKED, leads=True), verdict)
        if run.changes.filter(outcome=ChangeOutcome.PLANNED).exists():
            move_on(run, Outcome.QUEUED)
            start(run)
        elif not run.changes.filter(outcome=ChangeOutcome.PARKED).exists():
            drop(run)
        else:
            recount(run)


def say(run: SyncRun, leading: QuerySet[SyncChange], verdict: Verdict) -> None:
    """Approve or reject all rows about whom the `leading` ones are about."""
    theirs = run.changes.filter(with_followers(leading), outcome=ChangeOutcome.PARKED)
    if verdict == Verdict.APPROVE:
        theirs.update(outcome=ChangeOutcome.PLANNED)
        return
    rows = list(theirs.values_list("pk", flat=True))
    for at in range(0, len(rows), PAGE):
        leave_all_for_later(run.setup, run.changes.filter(pk__in=rows[at : at + PAGE]))


@dataclass(frozen=True)
class Said:
    """One word of one person, and all that it was about."""

    sentence: str
    at: datetime
    about: list[Group]


def said_of(run: SyncRun) -> list[Said]:
    """All that was decided about a run, in order. One query."""
    words = groupby(run.rulings.select_related("by"), key=lambda row: (row.verdict, row.by, row.at))
    return [
        Said(sentence(verdict, by), at, [Group(row.side, row.action, row.cause, row.reason, row.count) for row in rows])
        for (verdict, by, at), rows in words
    ]


def sentence(verdict: str, by: Any) -> str:
    """'Approved by Jens Rask'."""
    if by is None:
        return _("Approved") if verdict == Verdict.APPROVE else _("Dropped, since nobody decided")
    match verdict:
        case Verdict.APPROVE:
            return _("Approved by %(user)s") % {"user": by}
        case Verdict.REJECT:
            return _("Rejected by %(user)s") % {"user": by}
    return _("Parked by %(user)s") % {"user": by}
