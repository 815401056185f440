"""Whom a setup wants in its Outlook, and by which rules. Runs, the answer to "why?" and a filter's impact share it."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone

from contacts.filters import as_q, moves_on
from contacts.models import Contact, ContactType
from crmsync.sync.choices import Action, LinkState, Preference
from crmsync.sync.models import ContactLink, SyncRun
from crmsync.sync.plan import ConflictChoice, RemovedChoice, Rules
from exchange_setup.models import ExchangeSync, LeftFilterRule, RemovedRule, TrashedRule

HELD = (LinkState.LINKED, LinkState.CREATING)


def preferred(setup: ExchangeSync, choice: Preference) -> QuerySet[Any, Any]:
    """The keys of the contacts that the setup's user set to `choice`."""
    return setup.preferences.filter(choice=choice).values("contact_id")


def wanted(setup: ExchangeSync, among: QuerySet[Contact] | None = None) -> QuerySet[Contact]:
    """People that the setup wants in Outlook: in its filter or set to "always", and not set to "never".

    `among` are contacts out of the trash, all of them if it is not given. Raises FilterError.
    """
    people = (Contact.objects.alive() if among is None else among).filter(type=ContactType.PERSON)
    people = people.exclude(pk__in=preferred(setup, Preference.NEVER))
    passes = as_q(setup.contact_filter, setup.user)
    # An empty condition OR another one would be that other one.
    return people.filter(passes | Q(pk__in=preferred(setup, Preference.ALWAYS))) if passes else people


def plan_holds(setup: ExchangeSync) -> bool:
    """Whether the last sync was planned with the settings as they are, and on a day that the filter reads as today's.

    Raises FilterError.
    """
    if setup.planned_with != setup.settings_fingerprint() or setup.last_sync_at is None:
        return False
    return timezone.localdate(setup.last_sync_at) == timezone.localdate() or not moves_on(setup.contact_filter)


def rules_of(setup: ExchangeSync) -> Rules:
    """The choices of the setup that bend every pair's plan."""
    return Rules(
        conflict=ConflictChoice(setup.conflict_rule),
        removed=RemovedChoice(setup.removed_rule),
        remove_trashed=setup.trashed_rule == TrashedRule.REMOVE,
    )


def rules_for(setup: ExchangeSync, link: ContactLink) -> Rules:
    """The setup's rules for one pair, which `with_scope` has looked at: has it to leave the folder?"""
    left = setup.left_filter_rule == LeftFilterRule.REMOVE and link.was_in_filter and not link.in_filter
    rules = rules_of(setup)
    remove_trashed = rules.remove_trashed and not link.left_by_undo
    return Rules(rules.conflict, rules.removed, remove_trashed, leaves=left or link.never)


def with_scope(setup: ExchangeSync, links: QuerySet[ContactLink]) -> QuerySet[ContactLink]:
    """`links` with `in_filter` and `never`: is the contact wanted, and was it set to "never"? Raises FilterError."""
    in_filter = Exists(wanted(setup).filter(pk=OuterRef("contact_id")))
    never = Exists(preferred(setup, Preference.NEVER).filter(contact_id=OuterRef("contact_id")))
    return links.annotate(in_filter=in_filter, never=never)


def first_with_email(
    setup: ExchangeSync, emails: Iterable[str], run: SyncRun | None = None, *, puts_back: bool = False
) -> dict[str, str]:
    """Which contact's number goes to Outlook for each e-mail: one that is there already, else the lowest.

    What `run` has planned already counts as being there; whose item is gone goes after that. Who was removed there does
    not go, unless everybody who was is yet to be put back (`puts_back`).
    """
    links = setup.links.filter(contact_id=OuterRef("pk"), state__in=HELD)
    held, there = Exists(links), Exists(links.filter(gone=False))
    planned: Any = Value(False)
    if run is not None:
        planned = Exists(run.planned.filter(contact_id=OuterRef("pk"), action__in=(Action.LINK, Action.CREATE)))
    may_go = Q(pk__in=wanted(setup).filter(pk__in=Contact.objects.reachable())) | Q(held=True)
    rows = Contact.objects.alive().annotate(email_lower=Lower("email"), held=held, there=there, planned=planned)
    stays_out = Exists(stay_out(setup, puts_back=puts_back).filter(contact_id=OuterRef("pk")))
    rows = rows.filter(Q(planned=True) | ~stays_out)
    rows = rows.filter(email_lower__in=emails).filter(may_go).order_by("-there", "-planned", "-held", "number")
    first: dict[str, str] = {}
    for email, number in rows.values_list("email_lower", "number"):
        first.setdefault(email, number)
    return first


def stay_out(setup: ExchangeSync, *, puts_back: bool = False) -> QuerySet[ContactLink]:
    """Of contacts that the user removed in Outlook: those that are not put back."""
    removed = setup.links.filter(state=LinkState.REMOVED)
    if puts_back:
        return removed.none()
    return removed.filter(left_by_undo=True) if setup.removed_rule == RemovedRule.PUT_BACK else removed
