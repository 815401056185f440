"""Numbers for Prometheus, in its text format. Counters only grow: they are kept beside the journal, which is pruned.

What has ended is added to the counters once a minute, by the sweep; the rest is looked up when it is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from crmsync.sync.choices import OPEN, ChangeOutcome
from crmsync.sync.health import Health, mailboxes
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.secret import days_left
from crmsync.sync.vitals import Vitals
from crmsync.sync.watch import Mark, Tally

TALLIED = "tally"
SETTLING = timedelta(minutes=2)  # what ended just now may not be visible yet
LONGEST_ROUND = timedelta(hours=6)  # of history at once, after a long time without a sweep
BUCKETS = (5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 14_400, 86_400)  # seconds
RUNS, SECONDS, REQUESTS = "runs", "run_seconds", "requests"
LATENCY, LATENCY_SUM = "edit_latency", "edit_latency_sum"
MORE = "+Inf"
Sample = tuple[str, float]


# --- Counting --------------------------------------------------------------------------------------------------------


def tally(now: datetime) -> int:
    """Add to the counters what has ended since the last time; how many runs that were.

    The mark is moved on and the counters raised in one transaction, by whichever worker moves it: nothing counts twice.
    """
    until = now - SETTLING
    if Mark.objects.first_time(TALLIED, until):
        return 0
    since = Mark.objects.when(TALLIED)
    if since is None or since >= until:
        return 0
    until = min(until, since + LONGEST_ROUND)
    with transaction.atomic():
        if not Mark.objects.filter(name=TALLIED, at=since).update(at=until):
            return 0
        runs = list(ended(since, until))
        Tally.objects.add({**of_runs(runs), **of_edits(since, until)})
    return len(runs)


def ended(since: datetime, until: datetime) -> Iterable[SyncRun]:
    rows = SyncRun.objects.filter(finished_at__gt=since, finished_at__lte=until).exclude(outcome__in=OPEN)
    return rows.only("kind", "outcome", "requests", "started_at", "finished_at", "waited")


def of_runs(runs: Iterable[SyncRun]) -> dict[tuple[str, str], float]:
    totals: Counter[tuple[str, str]] = Counter()
    for run in runs:
        totals[RUNS, f"{run.kind} {run.outcome}"] += 1
        totals[REQUESTS, ""] += run.requests
        totals[SECONDS, run.kind] += run.duration.total_seconds() if run.duration else 0
    return dict(totals)


def of_edits(since: datetime, until: datetime) -> dict[tuple[str, str], float]:
    """How many edits took how long to the other side, by bucket."""
    rows = SyncChange.objects.filter(outcome=ChangeOutcome.DONE, edited_at__isnull=False)
    rows = rows.filter(applied_at__gt=since, applied_at__lte=until).values_list("edited_at", "applied_at")
    totals: Counter[tuple[str, str]] = Counter()
    for made, applied in rows.iterator(chunk_size=2000):
        seconds = max((applied - made).total_seconds(), 0)
        totals[LATENCY, next((str(bucket) for bucket in BUCKETS if seconds <= bucket), MORE)] += 1
        totals[LATENCY_SUM, ""] += seconds
    return dict(totals)


# --- Showing ---------------------------------------------------------------------------------------------------------


def exposition() -> str:
    """All numbers, in Prometheus' text format. A constant number of queries."""
    vitals = Vitals.take()
    lines = [*of_vitals(vitals)]
    if vitals.database:
        lines += [*of_health(vitals.now), *of_open_runs(), *of_counters()]
    return "\n".join(lines) + "\n"


def of_vitals(vitals: Vitals) -> Iterator[str]:
    up = [(f'{{part="{part}"}}', works) for part, works in parts(vitals)]
    yield from metric("up", "gauge", "Whether a part of the product works.", up)
    if vitals.silence is not None:
        told = "Seconds since a background worker was heard of."
        yield from metric("worker_silence_seconds", "gauge", told, [("", vitals.silence)])
    told = "Seconds that the oldest sync has been due."
    yield from metric("oldest_due_seconds", "gauge", told, [("", vitals.waited)])
    days = days_left(timezone.localdate(vitals.now))
    if days is not None:
        yield from metric("client_secret_days", "gauge", "Days until the client secret expires.", [("", days)])


def parts(vitals: Vitals) -> list[tuple[str, bool]]:
    return [("database", vitals.database), ("cache", vitals.cache), ("worker", vitals.worker)]


def of_health(now: datetime) -> Iterator[str]:
    counts = dict(mailboxes(now).order_by().values_list("health").annotate(number=Count("pk")))
    samples = [(f'{{health="{health.value}"}}', counts.get(health, 0)) for health in Health]
    yield from metric("mailboxes", "gauge", "Mailboxes by health.", samples)


def of_open_runs() -> Iterator[str]:
    counts = dict(SyncRun.objects.open().order_by().values_list("outcome").annotate(number=Count("pk")))
    samples = [(f'{{state="{state.value}"}}', counts.get(state, 0)) for state in OPEN]
    yield from metric("runs_open", "gauge", "Runs that have not ended.", samples)


def of_counters() -> Iterator[str]:
    values: dict[str, dict[str, float]] = {}
    for name, label, value in Tally.objects.order_by("name", "label").values_list("name", "label", "value"):
        values.setdefault(name, {})[label] = value
    runs = [
        (f'{{kind="{kind}",outcome="{outcome}"}}', value)
        for (kind, _space, outcome), value in ((label.partition(" "), value) for label, value in items(values, RUNS))
    ]
    yield from metric("runs_total", "counter", "Runs that ended.", runs)
    seconds = [(f'{{kind="{kind}"}}', value) for kind, value in items(values, SECONDS)]
    told = "Seconds that runs took, without the time in which they waited for a decision."
    yield from metric("run_seconds_total", "counter", told, seconds)
    requests = values.get(REQUESTS, {}).get("", 0)
    yield from metric("graph_requests_total", "counter", "Requests to Microsoft Graph.", [("", requests)])
    yield from of_latency(values.get(LATENCY, {}), values.get(LATENCY_SUM, {}).get("", 0))


def items(values: dict[str, dict[str, float]], name: str) -> Iterable[Sample]:
    return values.get(name, {}).items()


def of_latency(counts: dict[str, float], total: float) -> Iterator[str]:
    """A histogram: each bucket counts all that took at most so long."""
    samples, so_far = [], 0.0
    for bucket in (*map(str, BUCKETS), MORE):
        so_far += counts.get(bucket, 0)
        samples.append((f'_bucket{{le="{bucket}"}}', so_far))
    samples += [("_sum", total), ("_count", so_far)]
    told = "Seconds from an edit to its arrival on the other side."
    yield from metric("edit_latency_seconds", "histogram", told, samples)


def metric(name: str, kind: str, told: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP crmsync_{name} {told}"
    yield f"# TYPE crmsync_{name} {kind}"
    yield from (f"crmsync_{name}{suffix} {float(value):.15g}" for suffix, value in samples)
