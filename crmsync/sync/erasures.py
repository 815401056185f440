"""What the receipt of an erasure remembers: when, by whom, where copies were and what became of each.

Of the person it holds nothing but the contact's former number and the keyed hashes of the e-mails.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crmsync.sync.choices import Outcome
from exchange_setup.models import ExchangeSync, Trouble


class CopyOutcome(models.TextChoices):
    PENDING = "pending", gettext_lazy("Still to remove")
    REMOVED = "removed", gettext_lazy("Removed")
    GONE = "gone", gettext_lazy("No longer in the folder")
    BY_HAND = "by_hand", gettext_lazy("Seen to by hand")


class Erasure(models.Model):
    """One person, erased on request. `reach` counts the cards, history entries and journal rows that went."""

    number = models.CharField(max_length=20)
    digests = models.JSONField(default=list)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    reach = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.number

    def get_absolute_url(self) -> str:
        return reverse("sync:erasure-detail", args=[self.pk])

    @property
    def pending(self) -> int:
        return self.copies.filter(outcome=CopyOutcome.PENDING).count()


class ErasedCopy(models.Model):
    """An item in somebody's Outlook that has to go. The next run of that mailbox takes it out."""

    erasure = models.ForeignKey(Erasure, models.CASCADE, related_name="copies")
    setup = models.ForeignKey(ExchangeSync, models.SET_NULL, null=True, related_name="erased_copies")
    link = models.ForeignKey("sync.ContactLink", models.SET_NULL, null=True, related_name="erased_copies")
    run = models.ForeignKey("sync.SyncRun", models.SET_NULL, null=True, related_name="+")
    mailbox = models.CharField(max_length=254)
    folder_id = models.CharField(max_length=512, blank=True)
    outlook_id = models.CharField(max_length=512, blank=True)
    outcome = models.CharField(max_length=10, choices=CopyOutcome, default=CopyOutcome.PENDING)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["mailbox", "id"]
        indexes = [models.Index(fields=["setup"], name="copy_pending", condition=Q(outcome="pending"))]

    def __str__(self) -> str:
        return f"{self.mailbox}: {self.outcome}"

    @property
    def is_pending(self) -> bool:
        return self.outcome == CopyOutcome.PENDING

    @property
    def waits_for(self) -> str:
        """Why it is still there, for the administrator who looks at the receipt."""
        setup = self.setup
        if setup is None:
            return _("The setup of this mailbox is gone. Delete the contact there by hand.")
        if setup.folder_id != self.folder_id:
            return _("It is in a folder that is no longer synced. Delete the contact there by hand.")
        if setup.trouble:
            return _("The sync stands still: %(why)s.") % {"why": Trouble(setup.trouble).label}
        if not setup.enabled:
            return _("The sync is paused. It goes when the sync is resumed, or by hand.")
        if setup.waits_for_first_sync:
            return _("Its user has not let the first sync begin. It goes with that one, or by hand.")
        if self.is_held_up:
            held = _("The sync is held and waits for %(user)s's decision. It goes after that, or by hand.")
            return held % {"user": setup.user}
        return _("It goes with the next sync.")

    @cached_property
    def is_held_up(self) -> bool:
        """Whether its mailbox has a run that waits for a decision. One query, or none of `copies_of`."""
        return bool(self.setup and self.setup.runs.filter(outcome=Outcome.HELD).exists())
