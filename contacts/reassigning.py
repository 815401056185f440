"""Handing contacts over: from one salesperson to another, all of them or those that a filter selects."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.db.models import Q

from contacts.filters import as_q
from contacts.models import CHUNK, Contact, ContactQuerySet

SALESPERSON = "salesperson"


def held_by(salesperson: models.Model, contact_filter: Mapping[str, str], me: models.Model | None) -> ContactQuerySet:
    """The salesperson's contacts that the filter selects, companies too. Raises FilterError."""
    return Contact.objects.alive().filter(as_q(contact_filter, me), salesperson=salesperson)


def reassign(contacts: ContactQuerySet, to: models.Model, *, by: models.Model | None) -> int:
    """Make `to` the salesperson of these contacts; how many that were. Safe to repeat after a crash."""
    done = 0
    while True:
        with transaction.atomic():
            chunk = list(contacts.exclude(salesperson=to).select_for_update(of=["self"]).order_by("pk")[:CHUNK])
            if not chunk:
                return done
            Contact.objects.bulk_write([contact.assign({SALESPERSON: to}, by=by) for contact in chunk])
        done += len(chunk)


def passing(salespeople: Iterable[Any], contact_filter: Mapping[str, str], me: models.Model | None) -> set[Any]:
    """Those of `salespeople` (keys) whose contacts pass what the filter says about the salesperson. At most one query.

    Raises FilterError.
    """
    expression = contact_filter.get(SALESPERSON, "")
    if not expression.strip():
        return set(salespeople)
    condition = about_users(as_q({SALESPERSON: expression}, me))
    users = get_user_model().objects.filter(condition, pk__in=list(salespeople))
    return set(users.values_list("pk", flat=True))


def about_users(condition: Q) -> Q:
    """A condition on contacts' salespeople as one on the users themselves."""
    parts = [about_users(part) if isinstance(part, Q) else (of_user(part[0]), part[1]) for part in condition.children]
    return Q.create(parts, connector=condition.connector, negated=condition.negated)


def of_user(path: str) -> str:
    """`salesperson__code__glob` as `code__glob`, and the salesperson alone as the key."""
    inner = path.removeprefix(f"{SALESPERSON}__")
    return f"pk__{inner}" if inner == "in" else inner
