"""What can be set about a sync: the columns that a user's setup and the organisation's defaults have in common."""

from django.db import models
from django.utils.translation import gettext_lazy as _

DEFAULT_FOLDER_NAME = "Business Central"


class SharedEmailRule(models.TextChoices):
    LOWEST = "lowest", _("the lowest number goes to Outlook")
    EACH = "each", _("each of them goes to Outlook")


class ConflictRule(models.TextChoices):
    CRM = "crm", _("the CRM wins")
    OUTLOOK = "outlook", _("Outlook wins")
    ASK = "ask", _("ask me")


class TrashedRule(models.TextChoices):
    REMOVE = "remove", _("its Outlook copy is removed")
    KEEP = "keep", _("its Outlook copy stays")


class RemovedRule(models.TextChoices):
    STAY_OUT = "stay_out", _("only the CRM keeps it")
    PUT_BACK = "put_back", _("it is put back at the next sync")
    TRASH = "trash", _("it is moved to the CRM's trash")


class LeftFilterRule(models.TextChoices):
    KEEP = "keep", _("keep its Outlook copy in sync")
    REMOVE = "remove", _("remove it from the folder")


class NewContactRule(models.TextChoices):
    ADD = "add", _("add it to the CRM")
    HOLD = "hold", _("hold it for review")
    NEVER = "never", _("leave it out of the CRM")


class SyncSettings(models.Model):
    """Where the contacts go, which of them, by which rules, and how often."""

    folder_name = models.CharField(_("Folder"), max_length=255, default=DEFAULT_FOLDER_NAME)
    contact_filter = models.JSONField(_("Filter"), default=dict, blank=True)

    shared_email_rule = models.CharField(max_length=20, choices=SharedEmailRule, default=SharedEmailRule.LOWEST)
    conflict_rule = models.CharField(max_length=20, choices=ConflictRule, default=ConflictRule.CRM)
    trashed_rule = models.CharField(max_length=20, choices=TrashedRule, default=TrashedRule.REMOVE)
    removed_rule = models.CharField(max_length=20, choices=RemovedRule, default=RemovedRule.STAY_OUT)
    left_filter_rule = models.CharField(max_length=20, choices=LeftFilterRule, default=LeftFilterRule.KEEP)
    new_contact_rule = models.CharField(max_length=20, choices=NewContactRule, default=NewContactRule.ADD)
    sync_notes = models.BooleanField(_("Copy notes to Outlook"), default=False)

    auto_sync = models.BooleanField(_("Automatic sync"), default=False)
    interval_minutes = models.PositiveIntegerField(_("Interval"), default=15)

    class Meta:
        abstract = True


RULES = [
    "shared_email_rule", "conflict_rule", "trashed_rule", "removed_rule", "left_filter_rule", "new_contact_rule",
    "sync_notes",
]  # fmt: skip
SETTINGS = ["folder_name", "contact_filter", *RULES, "auto_sync", "interval_minutes"]
