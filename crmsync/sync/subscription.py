"""What a mailbox's subscription at Microsoft Graph is known by. Of the client state only the digest is kept."""

import hashlib
import secrets
from datetime import datetime

from django.db import models
from django.db.models import Q

from exchange_setup.models import ExchangeSync


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def genuine(self, told: dict[str, str]) -> list["Subscription"]:
        """Those that a notification is about: `told` is {subscription id: client state}. One query."""
        known = self.filter(subscription_id__in=[key for key in told if key])
        return [row for row in known if row.is_from(told[row.subscription_id])]


class Subscription(models.Model):
    """One per setup at most. Without a `subscription_id` it was asked for and is not there (yet)."""

    setup = models.OneToOneField(ExchangeSync, models.CASCADE, related_name="subscription")
    subscription_id = models.CharField(max_length=200, blank=True)
    folder_id = models.CharField(max_length=512, blank=True)
    client_state = models.CharField(max_length=64, blank=True, help_text="Its SHA-256.")
    expires_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True, help_text="When Graph was last asked for it, or to renew it.")

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription_id"], condition=~Q(subscription_id=""), name="one_setup_per_subscription"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.setup}: {self.subscription_id or 'none'}"

    def claim(self, now: datetime, not_since: datetime) -> bool:
        """Whether this worker is the one that asks Graph; nobody has since `not_since`."""
        row = Subscription.objects.filter(Q(asked_at=None) | Q(asked_at__lt=not_since), pk=self.pk)
        return bool(row.update(asked_at=now))

    def is_from(self, client_state: str) -> bool:
        """Whether a notification with this client state comes from where it should. Takes the same time for any."""
        return secrets.compare_digest(digest(client_state), self.client_state)


def digest(client_state: str) -> str:
    return hashlib.sha256(client_state.encode("utf-8", "surrogatepass")).hexdigest()
