"""How long the planning of a full preview takes, against the reading of the folder that comes before it.

    python -m tests.benchmarks.preview_speed [--contacts 10000]

The sandbox answers without any latency, so that the reading is as short as it can be; the budget is a ratio of 3.
"""

import argparse
import os
from typing import Any

from tests.benchmarks.stage import EMAIL, make_setup, people, prepare, run, sandbox, scratch, table, timed

BUDGET = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=10_000)
    options = parser.parse_args()
    with scratch() as folder, sandbox(folder) as tenant:
        os.environ["CRMSYNC_OVERWRITE_PERCENT"] = "1000"
        prepare(folder, tenant.url)
        tenant.add_person(EMAIL, "Jens")
        make_setup()
        people(options.contacts)
        run()
        measure()


def measure() -> None:
    """Two full previews: of sides that are the same, and of sides that differ in every contact."""
    from django.db import transaction

    from contacts.models import Contact

    rows = [row("nothing", *preview())]
    with transaction.atomic():
        Contact.objects.bulk_write(changed(list(Contact.objects.all())))
    rows.append(row("every contact", *preview()))
    table("Planning a full preview", ["what differs", "reading s", "planning s", "ratio", "budget", "rows"], rows)


def changed(contacts: list[Any]) -> list[Any]:
    for contact in contacts:
        contact.assign({"job_title": "Changed"}, by=None)
    return contacts


def row(name: str, reading: float, planning: float, rows: int) -> list[Any]:
    return [name, reading, planning, planning / reading, BUDGET, rows]


def preview() -> tuple[float, float, int]:
    """Seconds of reading and of planning, and how many rows the plan has."""
    from crmsync.sync.choices import Kind, Trigger
    from crmsync.sync.engine import plan_and_check
    from crmsync.sync.lease import claim
    from crmsync.sync.mirror import read
    from crmsync.sync.models import SyncRun
    from crmsync.sync.runs import cancel, request_run
    from crmsync.sync.work import Work
    from exchange_setup.mailbox import open_mailbox
    from exchange_setup.models import ExchangeSync

    setup = ExchangeSync.objects.select_related("user").get()
    opened, _ = request_run(setup, kind=Kind.PREVIEW, trigger=Trigger.COMMAND, whole=True, enqueue=False)
    lease = claim(opened.pk, budget=float("inf"))
    assert lease is not None
    opened.refresh_from_db()
    with open_mailbox(setup, wait=lease.wait) as graph:
        work = Work(opened, setup, graph, lease)
        reading, _ = timed(lambda: read(work, whole=True))
        planning, _ = timed(lambda: plan_and_check(work))
    rows = opened.changes.count()
    cancel(opened)
    SyncRun.objects.filter(pk=opened.pk).delete()
    return reading, planning, rows


if __name__ == "__main__":
    main()
