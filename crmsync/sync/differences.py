"""What a comparison of both sides found: one row for each contact that is not the same in both places."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Explanation(models.TextChoices):
    """Why both sides differ."""

    WAITING = "waiting", _("waits for the next sync")
    LEFT_OUT = "left_out", _("left out")
    CONFLICT = "conflict", _("a conflict")
    OWN_WAY = "own_way", _("as an undo or Outlook left it")
    UNKNOWN = "unknown", _("unknown: the next sync reads it again")


class Place(models.TextChoices):
    BOTH = "both", _("in both")
    CRM = "crm", _("only in the CRM")
    OUTLOOK = "outlook", _("only in Outlook")


class Difference(models.Model):
    """One contact that a comparison (a run of kind "verify") found different. `fields` is {name: [crm, outlook]}."""

    run = models.ForeignKey("sync.SyncRun", models.CASCADE, related_name="differences")
    link = models.ForeignKey("sync.ContactLink", models.SET_NULL, null=True, related_name="+")
    contact = models.ForeignKey("contacts.Contact", models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=400, blank=True, help_text="Whom it is about, for reading.")
    place = models.CharField(max_length=10, choices=Place, default=Place.BOTH)
    explanation = models.CharField(max_length=10, choices=Explanation)
    reason = models.CharField(max_length=30, blank=True, help_text="A `Reason`, where it was left out.")
    fields = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "explanation", "id"], name="difference_of_run")]

    def __str__(self) -> str:
        return f"{self.name}: {self.explanation}"
