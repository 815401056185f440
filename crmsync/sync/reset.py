"""Resetting a mailbox: for an administrator who wants its next sync to begin as if it were the first."""

import logging

from django.db import IntegrityError, transaction
from django.utils import timezone

from crmsync.sync.choices import Kind, LinkState, Trigger
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import close_dead_run
from exchange_setup.models import ExchangeSync

logger = logging.getLogger(__name__)


class StillOpen(Exception):
    """A run is under way or held; it stands on the links."""


def reset_links(setup: ExchangeSync) -> None:
    """Forget which contact and which Outlook item belong together: the next sync pairs them again, by e-mail.

    Nothing is deleted in Outlook or the CRM. What pairs nothing stays as it is: items that are only in Outlook, with
    what was decided about them, and contacts that the user removed there, as a sync has said. Raises StillOpen.
    """
    close_dead_run(setup)
    try:
        with transaction.atomic():
            lock = SyncRun.objects.create(setup=setup, kind=Kind.FULL, trigger=Trigger.MANUAL)
            paired = setup.links.exclude(state__in=(LinkState.SEEN, LinkState.REMOVED))
            paired.exclude(state=LinkState.CREATING, contact=None).delete()  # but not what finds an erased one's copy
            ExchangeSync.objects.filter(pk=setup.pk).update(**begin_afresh(setup))
            lock.delete()
    except IntegrityError as error:
        raise StillOpen from error
    logger.info("the links of setup %s were reset", setup.pk)


def begin_afresh(setup: ExchangeSync) -> dict[str, object]:
    """What a setup remembers before its first sync, which is due now where it starts by itself."""
    return {
        "delta_link": "",
        "delta_next_link": "",
        "reading_whole": False,
        "last_sync_at": None,
        "planned_with": "",
        "next_sync_at": timezone.now() if setup.next_sync_at else None,
    }
