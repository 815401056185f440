"""What was decided about a held run, by whom and when: a row for each cause that the word was about."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from crmsync.sync.leave import Verdict


class Ruling(models.Model):
    """A word on one cause of a held run, or on all of a run without a plan; `by` nobody where its time ran out."""

    run = models.ForeignKey("sync.SyncRun", models.CASCADE, related_name="rulings")
    verdict = models.CharField(max_length=10, choices=Verdict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    side = models.CharField(max_length=10, blank=True)
    action = models.CharField(max_length=10, blank=True)
    cause = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=30, blank=True)
    count = models.PositiveIntegerField(default=0, help_text="About so many contacts.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.verdict} {self.count} {self.action} {self.cause}"


def note(run: Any, verdict: Verdict, by: Any, groups: Iterable[Any]) -> None:
    """Keep a word on these groups of a run's plan (`plan_groups.Group`); without any, one row that names no cause."""
    rows = [
        {"side": group.side, "action": group.action, "cause": group.cause, "reason": group.reason, "count": group.count}
        for group in groups
    ]
    now = timezone.now()
    Ruling.objects.bulk_create(Ruling(run=run, verdict=verdict, by=by, at=now, **row) for row in rows or [{}])
