"""The daily mail that a user may ask for: what the last day's syncs did, and what waits for them."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone, translation

from crmsync.sync import mail, words
from crmsync.sync.choices import LOOKS_ONLY, Kind, Outcome
from crmsync.sync.freshness import of_setup
from crmsync.sync.home import ENDED, Need, needs_of_contacts, needs_of_sync
from crmsync.sync.models import EMPTY_COUNTS, SyncRun
from crmsync.sync.standing import latest_run, standing
from crmsync.sync.watch import Watch
from exchange_setup.models import ExchangeSync

FROM_HOUR, TO_HOUR = 7, 12  # o'clock, in CRMSYNC_TIME_ZONE
DAY = timedelta(days=1)
MOST_AT_ONCE = 200


def send_digests(now: datetime) -> int:
    """Mail everybody who asked for it and has not had today's; how many were sent. No query at any other hour."""
    local = timezone.localtime(now)
    if not FROM_HOUR <= local.hour < TO_HOUR:
        return 0
    unsent = Q(watch=None) | Q(watch__digest_on=None) | Q(watch__digest_on__lt=local.date())
    asked = ExchangeSync.objects.filter(unsent, daily_digest=True, enabled=True, user__is_active=True)
    return sum(send_digest(setup, now) for setup in asked.select_related("user").order_by("pk")[:MOST_AT_ONCE])


def send_digest(setup: ExchangeSync, now: datetime) -> bool:
    note = Watch.objects.of(setup)
    if not note.note_digest(timezone.localdate(now)):
        return False
    with translation.override(setup.user.language):
        context = contents(setup, now)
    sent = mail.send(setup.user, "digest", context | {"url": reverse("home")})
    if not sent:
        note.put_back()
    return sent


def contents(setup: ExchangeSync, now: datetime) -> dict[str, Any]:
    """What the mail says, in the active language."""
    ended = list(setup.runs.filter(outcome__in=ENDED, finished_at__gt=now - DAY).exclude(kind__in=LOOKS_ONLY))
    done = SyncRun(kind=Kind.SYNC, outcome=Outcome.DONE, counts=total(ended))
    return {
        "standing": standing(setup.user),
        "runs": len(ended),
        "failed": sum(run.outcome == Outcome.FAILED for run in ended),
        "changes": words.changes(done) + words.remarks(done),
        "needs": needs(setup),
        "freshness": of_setup(setup, now),
    }


def total(runs: list[SyncRun]) -> dict[str, Any]:
    """The counts of several runs, added up."""
    added: dict[str, Any] = {}
    for key, empty in EMPTY_COUNTS.items():
        if isinstance(empty, dict):
            sides = [run.counts.get(key, {}) for run in runs]
            added[key] = {verb: sum(side.get(verb, 0) for side in sides) for verb in empty}
        else:
            added[key] = sum(run.counts.get(key, 0) for run in runs)
    return added


def needs(setup: ExchangeSync) -> list[Need]:
    problems = setup.links.left_out().order_by().values_list("problem").annotate(number=Count("pk"))
    return [*needs_of_sync(setup, latest_run(setup)), *needs_of_contacts(Counter(dict(problems)))]
