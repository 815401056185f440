"""The watch, once a minute: tells people, once, that their sync broke, and that it works again.

A run that is held has a mail of its own, at the moment it is held.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crmsync.sync import mail, reasons
from crmsync.sync.digest import send_digests
from crmsync.sync.health import Health, is_late, mailboxes
from crmsync.sync.models import SyncRun
from crmsync.sync.reasons import Advice
from crmsync.sync.secret import tell_of_expiry
from crmsync.sync.watch import Watch
from exchange_setup.models import ExchangeSync, Trouble

BREAKS = (Health.ERROR, Health.NEEDS_SIGN_IN, Health.LATE)
PASSING = {"throttled", "unreachable"}  # what the next sync mends by itself, most of the time
MOST_AT_ONCE = 200
LATE = Advice(
    _("Your contacts should sync by themselves, but no sync has come to its end for some time."),
    _("Nothing is lost: what changed meanwhile waits for the next sync."),
    _("Mostly nothing: it goes on as soon as it can. If it does not, tell your administrator."),
)


def watch() -> str:
    """One round; what it did, in a line."""
    now = timezone.now()
    if not settings.EMAIL_IS_SENT:
        return "no mail is sent from here"
    told = f"told of {tell_breaks(now)} breaks, {tell_recoveries(now)} recoveries"
    return f"{told}, {send_digests(now)} digests, {tell_of_expiry(now)} expiries"


def tell_breaks(now: datetime) -> int:
    """Mail the users whose sync has broken since somebody looked last. A constant number of queries while none has."""
    untold = Q(exchange_sync__watch=None) | Q(exchange_sync__watch__broken="")
    enabled = Q(exchange_sync__enabled=True, is_active=True)
    broken = watched(now).filter(untold, enabled, health__in=BREAKS)
    return sum(tell_break(user, run, now) for user, run in with_runs(broken))


def tell_recoveries(now: datetime) -> int:
    """Mail the users whose sync works again. A pause does not end a break."""
    told = watched(now).exclude(Q(exchange_sync__watch=None) | Q(exchange_sync__watch__broken=""))
    return sum(tell_recovery(user) for user in told.filter(health=Health.OK)[:MOST_AT_ONCE])


def watched(now: datetime) -> QuerySet[Any]:
    return mailboxes(now).select_related("exchange_sync__watch").order_by("pk")


def with_runs(users: QuerySet[Any]) -> Iterator[tuple[Any, SyncRun | None]]:
    """Each user with the last of their runs that ended. Two queries, or one where there is nobody."""
    found = list(users[:MOST_AT_ONCE])
    runs = SyncRun.objects.in_bulk([user.last_run for user in found if user.last_run]) if found else {}
    for user in found:
        yield user, runs.get(user.last_run)


def tell_break(user: Any, run: SyncRun | None, now: datetime) -> bool:
    """Write to the user, unless it may well pass by itself or another worker was faster."""
    setup: ExchangeSync = user.exchange_sync
    if may_pass(setup, run, Health(user.health), now):
        return False
    note = Watch.objects.of(setup)
    if not note.note_break(user.health, now):
        return False
    advice = what_broke(user, run)
    url = advice.url() or reverse("exchange_setup:setup")
    sent = mail.send(user, "sync_broken", {"advice": advice, "setup": setup, "url": url})
    if not sent:
        note.put_back()
    return sent


def may_pass(setup: ExchangeSync, run: SyncRun | None, health: Health, now: datetime) -> bool:
    """Whether to wait with the mail: Microsoft was busy once, and the next sync tries again by itself."""
    busy = health == Health.ERROR and not setup.trouble and run is not None and run.error in PASSING
    return busy and setup.auto_sync and not is_late(setup, now)


def what_broke(user: Any, run: SyncRun | None) -> Advice:
    """What happened, what we did, what they can do."""
    setup: ExchangeSync = user.exchange_sync
    if user.health == Health.NEEDS_SIGN_IN:
        return reasons.trouble(Trouble.NEEDS_SIGN_IN)
    if user.health == Health.LATE:
        return LATE
    if setup.trouble:
        return reasons.trouble(setup.trouble)
    if run is not None and run.error and setup.belongs_to(user.authentication_email):
        return reasons.trouble(run.error)
    return reasons.trouble(Trouble.MAILBOX_CHANGED)


def tell_recovery(user: Any) -> bool:
    setup: ExchangeSync = user.exchange_sync
    note: Watch = setup.watch
    if not note.note_recovery():
        return False
    sent = mail.send(user, "sync_recovered", {"setup": setup, "broken_at": note.broken_at, "url": reverse("home")})
    if not sent:
        note.put_back()
    return sent
