"""Handing contacts over, as each Outlook will feel it: how many come in, how many drop out of the filter.

The contacts pass each setup's other conditions as before; only who their salesperson is changes. So a setup costs at
most two queries, however many contacts move: whether the one and the other salesperson pass its filter, and the counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q

from contacts.filters import FilterError, as_q
from contacts.models import ContactQuerySet
from contacts.reassigning import SALESPERSON, passing
from crmsync.sync.choices import LinkState
from crmsync.sync.models import ContactLink
from crmsync.sync.scope import stay_out
from exchange_setup.models import ExchangeSync, LeftFilterRule


@dataclass(frozen=True)
class Effect:
    """What a handover does to one Outlook. Those that drop out of the filter are removed or kept, as the rule says."""

    setup: ExchangeSync
    comes_in: int
    drops_out: int

    @property
    def removes(self) -> bool:
        return self.setup.left_filter_rule == LeftFilterRule.REMOVE


def effects(moving: ContactQuerySet, giver: Any, taker: Any, *, but: ExchangeSync | None = None) -> list[Effect]:
    """One for each enabled setup, other than `but`, to which it makes a difference; the biggest first."""
    setups = ExchangeSync.objects.filter(enabled=True, user__is_active=True).select_related("user")
    found = felt(setups.exclude(pk=but.pk) if but else setups, moving, giver, taker)
    return sorted(found, key=lambda effect: (-effect.comes_in - effect.drops_out, str(effect.setup.user)))


def felt(setups: Iterable[ExchangeSync], moving: ContactQuerySet, giver: Any, taker: Any) -> Iterator[Effect]:
    for setup in setups:
        try:
            pass_now = passing([giver.pk, taker.pk], setup.contact_filter, setup.user)
            if (giver.pk in pass_now) == (taker.pk in pass_now):
                continue
            comes_in, drops_out = counted(setup, moving)
        except FilterError:  # its next sync says so itself
            continue
        comes_in, drops_out = (comes_in, 0) if taker.pk in pass_now else (0, drops_out)
        if comes_in or drops_out:
            yield Effect(setup, comes_in, drops_out)


def counted(setup: ExchangeSync, moving: ContactQuerySet) -> tuple[int, int]:
    """Of the moving contacts that pass the rest of the filter: those who may come into this Outlook, and those in it.

    Whom its owner removed there stays out, and what is private or gone there nobody removes.
    """
    rest = {name: text for name, text in setup.contact_filter.items() if name != SALESPERSON}
    by_filter = moving.reachable().filter(as_q(rest, setup.user)).exclude(pk__in=setup.preferences.values("contact_id"))
    here = ContactLink.objects.filter(setup=setup, contact_id=OuterRef("pk"), state=LinkState.LINKED)
    stays = Exists(here) | Exists(stay_out(setup).filter(contact_id=OuterRef("pk")))
    numbers = by_filter.annotate(stays=stays, there=Exists(here.filter(private=False, gone=False))).aggregate(
        out=Count("pk", filter=Q(stays=False)), here=Count("pk", filter=Q(there=True))
    )
    return numbers["out"], numbers["here"]
