"""One undo in the foreground."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crmsync.sync.choices import Outcome, Trigger
from crmsync.sync.engine import perform
from crmsync.sync.management.commands.sync_contacts import report, setup_of
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import NotReady, approve, reject
from crmsync.sync.undo import can_be_undone, request_undo
from exchange_setup.models import ExchangeSync


class Command(BaseCommand):
    help = (
        "Take back what one run did, on both sides, as far as it still is as the run left it. "
        "Exit 0: done, 1: failed, 3: held, since it is more than a limit lets through."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, metavar="RUN", help="the number of the run, as in its address")
        parser.add_argument("--user", required=True, metavar="EMAIL", help="the user's e-mail, or authentication email")
        parser.add_argument("--preview", action="store_true", help="only say what would be taken back")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, run: int, user: str, preview: bool, **options: Any) -> None:
        setup = setup_of(user)
        undo = plan(run_of(setup, run), setup)
        if undo.outcome == Outcome.HELD and preview:
            report(self.stdout, undo, options["format"], well=(Outcome.HELD,))
            reject(undo, setup.user)
            return
        if undo.outcome == Outcome.HELD and not undo.brakes:
            approve(undo, setup.user, enqueue=False)
            perform(undo.pk, budget=float("inf"))
            undo.refresh_from_db()
        report(self.stdout, undo, options["format"])


def run_of(setup: ExchangeSync, number: int) -> SyncRun:
    """The setup's run of that number, if anything of it can be taken back. Raises CommandError."""
    run = SyncRun.objects.select_related("setup__user").filter(setup=setup, pk=number).first()
    if run is None:
        raise CommandError(f"{setup.user} has no run {number}.")
    if not can_be_undone(run):
        raise CommandError(f"Run {number} changed nothing that could be undone.")
    return run


def plan(run: SyncRun, setup: ExchangeSync) -> SyncRun:
    """The undo, planned: held, or done where nothing is to be taken back. Raises CommandError."""
    try:
        undo, is_new = request_undo(run, by=setup.user, trigger=Trigger.COMMAND, enqueue=False)
    except NotReady as error:
        raise CommandError(str(error.message)) from error
    if not is_new:
        raise CommandError(f"A run of this mailbox is open already (run {undo.pk}). Try again when it has ended.")
    perform(undo.pk, budget=float("inf"))
    undo.refresh_from_db()
    return undo
