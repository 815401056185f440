"""A filter may name users by code or e-mail. When one gets another, or is deleted, other contacts pass that filter.

Neither a contact nor a setup changes by that, so nothing else would tell: the next run of each such setup plans
everything anew. When that was is noted in place of what the setup was planned with, since a run that has begun before
may have planned with the former names.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from contacts.filters import FilterError, names_people
from exchange_setup.models import ExchangeSync

NAMES = {"code", "email"}
RENAMED = "renamed "


def note_names(sender: Any, instance: Any, update_fields: Any = None, **signal: Any) -> None:
    """Receives `pre_save`: is the user about to get another code or e-mail?"""
    names = NAMES if update_fields is None else NAMES & set(update_fields)
    stored = sender.objects.filter(pk=instance.pk).values(*names).first() if names and instance.pk else None
    instance.is_renamed = bool(stored) and any(getattr(instance, name) != value for name, value in stored.items())


def note_saved(instance: Any, **signal: Any) -> None:
    """Receives `post_save`."""
    if instance.is_renamed:
        plan_anew()


def note_deleted(**signal: Any) -> None:
    """Receives `post_delete`."""
    plan_anew()


def plan_anew() -> None:
    """Have everything looked at by the next run of every setup whose filter names somebody."""
    named = Q(contact_filter__has_key="salesperson") | Q(contact_filter__has_key="modified_by")
    for setup in ExchangeSync.objects.filter(named).only("contact_filter"):
        with suppress(FilterError):  # such a filter stops its run, and is another one when it was put right
            if names_people(setup.contact_filter):
                ExchangeSync.objects.filter(pk=setup.pk).update(planned_with=renamed(timezone.now()))


def renamed(at: datetime) -> str:
    """What a setup was planned with, once somebody has got another name then; later ones are greater."""
    return RENAMED + at.astimezone(UTC).isoformat(timespec="microseconds")


def note_planned(setup: ExchangeSync, since: datetime) -> None:
    """Store that all was planned with the settings of `setup`, unless somebody has got another name since `since`."""
    later = Q(planned_with__startswith=RENAMED, planned_with__gte=renamed(since))
    same = ExchangeSync.objects.filter(pk=setup.pk, folder_id=setup.folder_id, mailbox=setup.mailbox)
    same.exclude(later).update(planned_with=setup.settings_fingerprint())
