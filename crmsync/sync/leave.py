"""What people say about the rows of a plan, in words of one column each."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Leave(models.TextChoices):
    """How a person leaves a row out of a preview: of the sync that carries it out, or of every sync."""

    NOT_NOW = "not_now", _("Not this time")
    NEVER = "never", _("Never")


class Verdict(models.TextChoices):
    """What a person says about one cause of a held run."""

    APPROVE = "approve", _("Approve")
    REJECT = "reject", _("Reject")
    PARK = "park", _("Park")
