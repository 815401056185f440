"""Polling many mailboxes at once: where the organisation's own token opens them all, twenty cost one request.

A setup that is due and for which neither side has anything new is passed over: its bookmark and its watermark move on
as after a run that had nothing to do, and no run is opened. Whatever is not surely quiet gets its run.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.conf import settings
from django.db.models import Max, OuterRef, Q, Subquery

from contacts.filters import FilterError
from contacts.models import Contact
from crmsync.sync.choices import BOTH_WAYS, OPEN, LinkState, Outcome
from crmsync.sync.erasures import CopyOutcome, ErasedCopy
from crmsync.sync.matching import have_email_of
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.planning import LONGEST_TRANSACTION
from crmsync.sync.scope import plan_holds, wanted
from exchange_setup.graph.batch import LARGEST
from exchange_setup.graph.errors import RunError
from exchange_setup.graph.polling import unchanged
from exchange_setup.mailbox import ApplicationToken, registration, uses_application_access
from exchange_setup.models import ExchangeSync

logger = logging.getLogger(__name__)


def pass_over(due: Iterable[ExchangeSync], now: datetime) -> list[ExchangeSync]:
    """Those of `due` that need a run; the others are up to date, as of `now`."""
    waiting = list(due)
    if not (uses_application_access() and settings.M365_CONFIGURED):
        return waiting
    newest = Contact.objects.aggregate(newest=Max("modified_at"))["newest"]
    calm = [setup for setup in at_rest(waiting) if crm_is_quiet(setup, newest)]
    if len(calm) < 2:
        return waiting
    batches = (calm[start : start + LARGEST] for start in range(0, len(calm), LARGEST))
    done = {setup.pk for setups in batches for setup in poll(setups, now)}
    return [setup for setup in waiting if setup.pk not in done]


def at_rest(setups: list[ExchangeSync]) -> Iterator[ExchangeSync]:
    """Those that a run has left with nothing open, in their settings, links and copies to erase. Three queries."""
    keys = [setup.pk for setup in setups]
    syncs = SyncRun.objects.filter(setup=OuterRef("pk"), kind__in=BOTH_WAYS)
    last = syncs.order_by("-pk").values("outcome")[:1]
    resting = ExchangeSync.objects.filter(pk__in=keys).annotate(last=Subquery(last)).filter(last=Outcome.DONE)
    unsettled = Q(dirty=True) | Q(missing=True) | Q(needs_extras=True) | Q(state=LinkState.CREATING)
    busy = set(ContactLink.objects.filter(unsettled, setup__in=keys).values_list("setup", flat=True).distinct())
    busy |= set(ErasedCopy.objects.filter(setup__in=keys, outcome=CopyOutcome.PENDING).values_list("setup", flat=True))
    calm = set(resting.values_list("pk", flat=True)) - busy
    for setup in setups:
        has_read = setup.delta_link and not setup.delta_next_link and not setup.reading_whole and setup.last_sync_at
        same = setup.mirrored_folder_id == setup.folder_id and plan_holds(setup)
        if setup.pk in calm and has_read and same and setup.mailbox.lower() == setup.user.authentication_email.lower():
            yield setup


def crm_is_quiet(setup: ExchangeSync, newest: datetime | None) -> bool:
    """Whether no contact has changed that is in this Outlook, or wanted there, or has an e-mail of an item there.

    Three queries; none while the `newest` edit of any contact is older than the last sync.
    """
    since = setup.last_sync_at - LONGEST_TRANSACTION
    if newest is None or newest < since:
        return True
    modified = Contact.objects.filter(modified_at__gte=since)
    links = ContactLink.objects.filter(setup=setup)
    try:
        in_filter = wanted(setup, modified.alive()).exists()
    except FilterError:
        return False
    return not (
        in_filter
        or links.filter(contact__in=modified.values("pk")).exists()
        or have_email_of(links.filter(state=LinkState.SEEN), modified).exists()
    )


def poll(setups: Iterable[ExchangeSync], now: datetime) -> list[ExchangeSync]:
    """Those of up to twenty whose Outlook has nothing new, moved on to `now`."""
    by_link = {setup.delta_link: setup for setup in setups}
    try:
        found = unchanged(settings.M365_GRAPH_URL, ApplicationToken(registration()), list(by_link))
    except RunError as error:
        logger.warning("%s mailboxes could not be polled together: %s", len(by_link), error)
        return []
    return [by_link[link] for link, new in found.items() if move_on(by_link[link], new, now)]


def move_on(setup: ExchangeSync, delta_link: str, now: datetime) -> bool:
    """Store the new bookmark and watermark, unless a run or a person was at the setup meanwhile."""
    setup.schedule_next(now)
    as_read = {name: getattr(setup, name) for name in ("delta_link", "last_sync_at", "folder_id", "mailbox")}
    same = ExchangeSync.objects.filter(pk=setup.pk, delta_next_link="", trouble="", enabled=True, **as_read)
    same = same.exclude(pk__in=SyncRun.objects.filter(outcome__in=OPEN, setup=setup.pk).values("setup"))
    return bool(same.update(delta_link=delta_link, last_sync_at=now, next_sync_at=setup.next_sync_at))
