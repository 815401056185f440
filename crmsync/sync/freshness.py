"""How long an edit takes to the other side, from the journal: when it was made, and when it was carried over."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.models import Contact
from crmsync.sync.choices import Cause, ChangeOutcome
from crmsync.sync.models import ContactLink, SyncChange
from crmsync.sync.spans import unbroken
from exchange_setup.models import ExchangeSync

WINDOW = timedelta(days=7)
NEWEST = 5_000  # edits of one mailbox that are looked at
NEWEST_OF_ALL = 50_000
SLACK = timedelta(hours=1)  # an edit may become visible some time after it was made
FROM_CRM = {Cause.EDITED_IN_CRM, Cause.NEW_IN_CRM, Cause.TRASHED}
FROM_OUTLOOK = {Cause.EDITED_IN_OUTLOOK, Cause.NEW_IN_OUTLOOK, Cause.RESTORED}


def edited_at(setup: ExchangeSync, cause: str, contact: Contact | None, link: ContactLink | None) -> datetime | None:
    """When the edit was made that a change for this cause carries over.

    None where it carries none, or one from before the last complete sync: that came with a first sync, another filter
    or a decision, and says nothing about how fast a sync is.
    """
    made = None
    if cause in FROM_CRM and contact is not None:
        made = contact.modified_at
    elif cause in FROM_OUTLOOK and link is not None:
        made = link.outlook_modified_at
    since = setup.last_sync_at
    return made if made and since and made >= since - SLACK else None


@dataclass(frozen=True)
class Freshness:
    """Of `edits`, half arrived within `half`, 95% within `most`."""

    edits: int
    half: timedelta
    most: timedelta

    @classmethod
    def of(cls, spans: Iterable[timedelta]) -> Self | None:
        """None for no edits at all. Clocks differ: what seems to have come before it was made took no time."""
        known = sorted(max(span, timedelta()) for span in spans)
        return cls(len(known), rank(known, 0.5), rank(known, 0.95)) if known else None

    @property
    def sentence(self) -> str:
        """'Half of your edits of the last 7 days arrived within 4 min, 95% within 14 min.'"""
        values = {"half": in_minutes(self.half), "most": in_minutes(self.most)}
        if values["half"] == values["most"]:
            return _("95%% of your edits of the last 7 days arrived within %(most)s.") % values
        return _("Half of your edits of the last 7 days arrived within %(half)s, 95%% within %(most)s.") % values

    @property
    def about_others(self) -> str:
        """The same of somebody else's mailbox."""
        values = {"half": self.half_shown, "most": self.most_shown}
        if self.half_shown == self.most_shown:
            return _("95%% of the edits of the last 7 days arrived within %(most)s.") % values
        return _("Half of the edits of the last 7 days arrived within %(half)s, 95%% within %(most)s.") % values

    @property
    def half_shown(self) -> str:
        return in_minutes(self.half)

    @property
    def most_shown(self) -> str:
        return in_minutes(self.most)


def rank(known: Sequence[timedelta], share: float) -> timedelta:
    """The smallest of the sorted values that at least `share` of them do not exceed."""
    return known[max(math.ceil(share * len(known)) - 1, 0)]


def in_minutes(span: timedelta) -> str:
    """'8 s', '4 min', '3 h' or '2 days', rounded up: nobody waited longer."""
    seconds = math.ceil(span.total_seconds())
    if seconds < 60:
        return unbroken(_("%(count)s s") % {"count": max(seconds, 1)})
    if seconds <= 120 * 60:
        return unbroken(_("%(count)s min") % {"count": math.ceil(seconds / 60)})
    if seconds <= 48 * 3600:
        return unbroken(_("%(count)s h") % {"count": math.ceil(seconds / 3600)})
    days = math.ceil(seconds / 86_400)
    return unbroken(ngettext("%(count)s day", "%(count)s days", days) % {"count": days})


def edits(now: datetime) -> Any:
    """The changes of the window that carried over an edit."""
    return SyncChange.objects.filter(outcome=ChangeOutcome.DONE, edited_at__isnull=False, applied_at__gt=now - WINDOW)


def of_setup(setup: ExchangeSync, now: datetime) -> Freshness | None:
    """The freshness of one mailbox over the last seven days. One query, of its newest edits."""
    rows = edits(now).filter(run__setup=setup).order_by("-applied_at").values_list("edited_at", "applied_at")
    return Freshness.of(applied - made for made, applied in rows[:NEWEST])


def of_everybody(now: datetime) -> tuple[Freshness | None, dict[int, Freshness]]:
    """The freshness of all mailboxes together, and of each by its setup's key. One query."""
    rows = edits(now).order_by("-applied_at").values_list("run__setup", "edited_at", "applied_at")[:NEWEST_OF_ALL]
    spans: dict[int, list[timedelta]] = defaultdict(list)
    for setup, made, applied in rows:
        spans[setup].append(applied - made)
    each = {setup: fresh for setup, known in spans.items() if (fresh := Freshness.of(known))}
    return Freshness.of(span for known in spans.values() for span in known), each
