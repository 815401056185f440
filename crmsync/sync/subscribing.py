"""Change notifications of Microsoft Graph: asked for, renewed and given up, where Graph can reach us at all.

They are doorbells like any other: one only says that somebody should look at a mailbox now. Polling stays the truth, so
a notification that is lost, late or doubled costs nothing but time.
"""

import logging
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django_q.tasks import async_task

from crmsync.sync.subscription import Subscription, digest
from exchange_setup.graph.client import GraphClient
from exchange_setup.graph.errors import GraphError, NotFound
from exchange_setup.mailbox import open_mailbox
from exchange_setup.models import ExchangeSync

logger = logging.getLogger(__name__)
SUBSCRIBE = "crmsync.sync.jobs.subscribe"
LASTS = timedelta(minutes=10_000)  # Graph gives contacts 10,080 at most
RENEWED = timedelta(days=2)  # before its end
ASKED_AGAIN = timedelta(minutes=15)  # after a refusal
MOST_AT_ONCE = 100
TIMEOUT = (5.0, 30.0)


def address() -> str:
    """Where Graph sends notifications; '' where it cannot reach us, or nobody wants them."""
    return settings.NOTIFICATION_BASE + reverse("sync:notifications") if settings.NOTIFICATION_BASE else ""


def look_after(now: datetime) -> int:
    """Have a worker ask for what is missing or runs out, and give up what is no longer wanted; how many were asked for.

    A constant number of queries while there is nothing to do.
    """
    unwanted = Subscription.objects.exclude(setup__in=ExchangeSync.objects.by_themselves() if address() else [])
    waiting = [*unwanted[:MOST_AT_ONCE], *missing(now)] if address() else list(unwanted[:MOST_AT_ONCE])
    asked = [row.setup_id for row in waiting if row.claim(now, now - ASKED_AGAIN)]
    for setup in asked:
        async_task(SUBSCRIBE, setup, save=False)
    return len(asked)


def missing(now: datetime) -> list[Subscription]:
    """The rows of setups that sync by themselves and have no subscription, one that ends soon, or another folder's."""
    setups = ExchangeSync.objects.by_themselves().exclude(folder_id="")
    new = setups.filter(subscription=None).values_list("pk", flat=True)[:MOST_AT_ONCE]
    Subscription.objects.bulk_create([Subscription(setup_id=pk) for pk in new], ignore_conflicts=True)
    return list(ending(setups, now).select_related("setup")[:MOST_AT_ONCE])


def ending(setups: QuerySet[ExchangeSync], now: datetime) -> QuerySet[Subscription]:
    soon = Q(expires_at=None) | Q(expires_at__lt=now + RENEWED)
    quiet = Q(asked_at=None) | Q(asked_at__lt=now - ASKED_AGAIN)
    return Subscription.objects.filter(soon | ~Q(folder_id=F("setup__folder_id")), quiet, setup__in=setups)


def subscribe(setup_id: int) -> str:
    """Make, renew or give up one setup's subscription, as it should be; which of them."""
    row = Subscription.objects.select_related("setup__user").filter(setup=setup_id).first()
    if row is None:
        return "gone"
    setup = row.setup
    wanted = address() and ExchangeSync.objects.by_themselves().filter(pk=setup.pk).exclude(folder_id="").exists()
    try:
        with open_mailbox(setup, timeout=TIMEOUT) as graph:
            if row.subscription_id and (not wanted or row.folder_id != setup.folder_id):
                graph.unsubscribe(row.subscription_id)
                forget(row)
            if wanted:
                return "renewed" if renew(row, graph) else make(row, graph)
    except GraphError as error:
        logger.warning("setup %s: no subscription: %s", setup_id, error)
        if wanted:
            return "refused"
    row.delete()  # where Graph could not be told it ends by itself; until then its notifications are nobody's
    return "given up"


def renew(row: Subscription, graph: GraphClient) -> bool:
    """Whether there was one to renew."""
    if not row.subscription_id:
        return False
    try:
        row.expires_at = graph.renew_subscription(row.subscription_id, timezone.now() + LASTS)
    except NotFound:
        forget(row)
        return False
    row.save(update_fields=["expires_at"])
    return True


def make(row: Subscription, graph: GraphClient) -> str:
    """Ask for a new one. Graph calls us back, to see that we are there, before it answers."""
    state, folder_id = secrets.token_urlsafe(48), row.setup.folder_id
    row.subscription_id, row.expires_at = graph.subscribe(folder_id, address(), state, timezone.now() + LASTS)
    row.folder_id, row.client_state = folder_id, digest(state)
    row.save(update_fields=["subscription_id", "expires_at", "folder_id", "client_state"])
    return "made"


def forget(row: Subscription) -> None:
    row.subscription_id, row.folder_id, row.client_state, row.expires_at = "", "", "", None
    row.save(update_fields=["subscription_id", "folder_id", "client_state", "expires_at"])
