"""One run in the foreground."""

import json
from argparse import ArgumentParser
from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.models import SyncRun
from crmsync.sync.report import as_json, as_text
from crmsync.sync.runs import NotReady, request_run
from exchange_setup.models import ExchangeSync

FAILED, HELD = 1, 3


class Command(BaseCommand):
    help = "Sync one user's contacts with Microsoft 365 and wait for the end. Exit 0: done, 1: failed, 3: held."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, metavar="EMAIL", help="the user's e-mail, or authentication email")
        parser.add_argument("--full", action="store_true", help="everything both ways, whatever the dates")
        parser.add_argument("--preview", action="store_true", help="only say what would be done")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, user: str, full: bool, preview: bool, **options: Any) -> None:
        kind = Kind.PREVIEW if preview else Kind.FULL if full else Kind.SYNC
        setup = setup_of(user)
        try:
            run, is_new = request_run(
                setup, kind=kind, whole=full, trigger=Trigger.COMMAND, by=setup.user, enqueue=False
            )
        except NotReady as error:
            raise CommandError(str(error.message)) from error
        if is_new:
            perform(run.pk, budget=float("inf"))
            run.refresh_from_db()
        elif run.outcome != Outcome.HELD:
            raise CommandError(
                f"A sync of this mailbox is under way already (run {run.pk}). Try again when it has ended."
            )
        report(self.stdout, run, options["format"])


def report(out: Any, run: SyncRun, form: str, *, well: Collection[str] = (Outcome.DONE,)) -> None:
    """Print the run, and end with its exit code unless its outcome is among those that are `well`."""
    out.write(json.dumps(as_json(run), ensure_ascii=False, indent=2) if form == "json" else as_text(run))
    if run.outcome not in well:
        raise SystemExit(HELD if run.outcome == Outcome.HELD else FAILED)


def setup_of(email: str) -> ExchangeSync:
    """The setup of the user with this e-mail. Raises CommandError."""
    users = get_user_model().objects
    user = users.filter(email__iexact=email).first() or users.filter(authentication_email__iexact=email).first()
    if user is None:
        raise CommandError(f"There is no user with the e-mail {email}.")
    setup = ExchangeSync.objects.select_related("user").filter(user=user).first()
    if setup is None:
        raise CommandError(
            f"{user} has no Exchange sync setup yet. Make one with: manage.py exchange_setup --user {email}"
        )
    return setup
