"""The client secret runs out on a day that only its administrators know: they are told 30, 7 and 1 days before."""

from datetime import date, datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from crmsync.sync import mail
from crmsync.sync.watch import Mark

THRESHOLDS = (1, 7, 30)  # days before


def days_left(today: date) -> int | None:
    """Days until the client secret expires, below zero after; None where nobody said when."""
    expires = settings.M365_CLIENT_SECRET_EXPIRES
    return (expires - today).days if expires else None


def threshold(days: int | None) -> int | None:
    """Which of the thresholds has been reached; None before the first."""
    return next((at for at in THRESHOLDS if days is not None and days <= at), None)


def tell_of_expiry(now: datetime) -> int:
    """One mail to each administrator at each threshold; how many were sent. No query before the first threshold."""
    days = days_left(timezone.localdate(now))
    reached = threshold(days)
    if reached is None or not 7 <= timezone.localtime(now).hour < 20:
        return 0
    expires = settings.M365_CLIENT_SECRET_EXPIRES
    return sum(tell(user, days, f"secret {expires} {reached} {user.pk}", now) for user in administrators())


def administrators() -> list[object]:
    return list(get_user_model().objects.administrators())


def tell(user: object, days: int | None, name: str, now: datetime) -> bool:
    """Mail one administrator, unless that has been done."""
    if not Mark.objects.first_time(name, now):
        return False
    context = {"days": days, "expires": settings.M365_CLIENT_SECRET_EXPIRES, "url": reverse("sync:status")}
    if sent := mail.send(user, "secret_expires", context):
        return sent
    Mark.objects.filter(name=name, at=now).delete()
    return False
