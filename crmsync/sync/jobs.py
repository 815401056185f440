"""What the queue calls. A task is a doorbell: it says which run, the run's own row says the rest."""

from datetime import datetime

from django.core.management import call_command
from django.utils import timezone

from contacts.uploads import Upload
from crmsync.sync import purging, subscribing, watching
from crmsync.sync import push as pushing
from crmsync.sync import sweep as sweeping
from crmsync.sync.engine import perform


def run_sync(run_id: int) -> str:
    """Carry out one run; safe to call twice. The run's outcome, or '' when there was nothing to do."""
    outcome = perform(run_id)
    pushing.go_on_after(run_id)
    return outcome


def push(since: str) -> str:
    """Contacts were saved since then: sync the mailboxes that they concern."""
    return f"started {pushing.look(datetime.fromisoformat(since))}"


def sweep() -> str:
    """Once a minute: start what is due, take over what died, prune what is old. A short line of counts."""
    return sweeping.sweep()


def start_wanted() -> str:
    """Microsoft 365 told of changes: sync the mailboxes that are wanted."""
    return f"started {pushing.start_wanted()}"


def subscribe(setup_id: int) -> str:
    """Make, renew or give up the subscription of one mailbox; which of them."""
    return subscribing.subscribe(setup_id)


def watch() -> str:
    """Once a minute: mail people what they should know, look after the subscriptions. A short line of counts."""
    return f"{watching.watch()}, asked for {subscribing.look_after(timezone.now())} subscriptions"


def purge_trash() -> str:
    """Once a day: delete for good what was kept for long enough: contacts in the trash, files, forms of ended sessions.

    How many contacts that were.
    """
    Upload.objects.outdated().delete()
    call_command("clearsessions")
    return f"deleted {purging.purge_trash(timezone.now())}"
