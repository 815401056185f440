"""One comparison of both sides in the foreground."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crmsync.sync.choices import Outcome, Trigger
from crmsync.sync.differences import Explanation
from crmsync.sync.engine import perform
from crmsync.sync.management.commands.sync_contacts import setup_of
from crmsync.sync.runs import NotReady
from crmsync.sync.verifications import as_json, as_text
from crmsync.sync.verify import request_verify

UNEXPLAINED = 4


class Command(BaseCommand):
    help = (
        "Compare one user's contacts with the whole Outlook folder; nothing is written on either side. "
        "Exit 0: done, 1: failed, 4: something differs for a cause that nobody knows."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, metavar="EMAIL", help="the user's e-mail, or authentication email")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, user: str, **options: Any) -> None:
        setup = setup_of(user)
        try:
            run, is_new = request_verify(setup, trigger=Trigger.COMMAND, by=setup.user, enqueue=False)
        except NotReady as error:
            raise CommandError(str(error.message)) from error
        if not is_new:
            raise CommandError(f"A run of this mailbox is open already (run {run.pk}). Try again when it has ended.")
        perform(run.pk, budget=float("inf"))
        run.refresh_from_db()
        form = options["format"]
        self.stdout.write(json.dumps(as_json(run), ensure_ascii=False, indent=2) if form == "json" else as_text(run))
        if run.outcome != Outcome.DONE:
            raise SystemExit(1)
        if run.counts["differ"].get(Explanation.UNKNOWN):
            raise SystemExit(UNEXPLAINED)
