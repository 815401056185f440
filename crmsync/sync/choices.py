"""The words that links, runs and changes are told in: what is stored, and what people read."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Side(models.TextChoices):
    CRM = "crm", _("CRM")
    OUTLOOK = "outlook", _("Outlook")


class LinkState(models.TextChoices):
    SEEN = "seen", _("only in Outlook")
    CREATING = "creating", _("being created in Outlook")
    LINKED = "linked", _("in both")
    REMOVED = "removed", _("removed in Outlook")
    LEFT_OUT = "left_out", _("only in the CRM")


class Reason(models.TextChoices):
    """Why something was left out, went wrong or needs a person. `crmsync.sync.reasons` says what to do about each."""

    NO_EMAIL = "no_email", _("no e-mail")
    NO_NAME = "no_name", _("no name")
    BAD_EMAIL = "bad_email", _("the e-mail is not valid")
    NOT_A_PERSON = "not_a_person", _("a company, not a person")
    PRIVATE = "private", _("marked Private in Outlook")
    PRIVACY_BLOCKED = "privacy_blocked", _("privacy blocked")
    SHARED_EMAIL = "shared_email", _("another contact has the same e-mail")
    DUPLICATE = "duplicate", _("a duplicate in Outlook")
    AMBIGUOUS = "ambiguous", _("several CRM contacts have this e-mail")
    COMPANY_EMAIL = "company_email", _("the e-mail belongs to a company")
    IN_TRASH = "in_trash", _("in the CRM's trash")
    REMOVED_IN_OUTLOOK = "removed_in_outlook", _("you removed it in Outlook")
    HELD_FOR_REVIEW = "held_for_review", _("waits for your review")
    NOT_IMPORTED = "not_imported", _("new contacts stay in Outlook")
    NOT_WANTED = "not_wanted", _("you left it out for good")
    MADE_IN_OUTLOOK = "made_in_outlook", _("made in Outlook, not by the CRM")
    EDITED_SINCE = "edited_since", _("changed in Outlook since")
    NEVER = "never", _("set to never sync")
    ERASED = "erased", _("erased on request")
    CONFLICT = "conflict", _("changed differently on both sides")
    TOO_LONG = "too_long", _("too long for the CRM")
    NOT_UNDERSTOOD = "not_understood", _("a value was not understood")
    COMPANY_NOT_FOUND = "company_not_found", _("company not found in the CRM")
    COMPANY_NOT_UNIQUE = "company_not_unique", _("several companies have this name")
    REFUSED = "refused", _("Outlook refused it")
    NO_ANSWER = "no_answer", _("Outlook did not answer")
    GONE = "gone", _("no longer in Outlook")
    EDITED_MEANWHILE = "edited_meanwhile", _("edited meanwhile")
    BROKEN = "broken", _("Outlook sent something unreadable")
    CHANGED_SINCE = "changed_since", _("changed since")
    ALREADY_UNDONE = "already_undone", _("undone already")
    NOTHING_TO_UNDO = "nothing_to_undo", _("nothing to take back")
    IN_USE = "in_use", _("a colleague has paired it too")
    NOT_THIS_TIME = "not_this_time", _("you left it out this time")
    NOT_IN_PREVIEW = "not_in_preview", _("not as the preview showed it")


class Decision(models.TextChoices):
    """A person's word on a contact that is only in Outlook, above the rule for new contacts."""

    LET_IN = "let_in", _("into the CRM")
    KEEP_OUT = "keep_out", _("out of the CRM for good")


class Preference(models.TextChoices):
    ALWAYS = "always", _("always")
    NEVER = "never", _("never")


class Kind(models.TextChoices):
    SYNC = "sync", _("Sync")
    FULL = "full", _("Full sync")
    PREVIEW = "preview", _("Preview")
    UNDO = "undo", pgettext_lazy("run", "Undo")
    VERIFY = "verify", _("Comparison")
    REMOVAL = "removal", _("Removal from Outlook")


class Trigger(models.TextChoices):
    MANUAL = "manual", _("By hand")
    SCHEDULE = "schedule", _("Automatic")
    COMMAND = "command", _("Command line")


class Outcome(models.TextChoices):
    QUEUED = "queued", _("Waiting to start")
    RUNNING = "running", _("Running")
    HELD = "held", _("Held")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    REJECTED = "rejected", _("Rejected")
    CANCELLED = "cancelled", _("Cancelled")


class Step(models.TextChoices):
    """What a run is doing, in the order of doing it."""

    STARTING = "starting", _("Starting")
    RECOVERING = "recovering", _("Looking after what was left unfinished")
    READING = "reading", _("Reading Outlook")
    PLANNING = "planning", _("Comparing both sides")
    CHECKING = "checking", _("Checking the plan")
    APPLYING = "applying", _("Carrying out the changes")
    FINISHING = "finishing", _("Finishing")


class Action(models.TextChoices):
    CREATE = "create", _("Create")
    UPDATE = "update", _("Update")
    DELETE = "delete", _("Delete")
    LINK = "link", _("Pair")
    UNLINK = "unlink", _("Forget")
    SKIP = "skip", _("Leave out")
    RESTORE = "restore", _("Restore from the trash")


class Cause(models.TextChoices):
    """What made the change necessary; held runs are counted by it."""

    EDITED_IN_CRM = "edited_in_crm", _("edited in the CRM")
    EDITED_IN_OUTLOOK = "edited_in_outlook", _("edited in Outlook")
    NEW_IN_CRM = "new_in_crm", _("new in the CRM")
    NEW_IN_OUTLOOK = "new_in_outlook", _("new in Outlook")
    FIRST_SIGHT = "first_sight", _("the same person on both sides")
    TRASHED = "trashed", _("moved to the CRM's trash")
    REMOVED_IN_OUTLOOK = "removed_in_outlook", _("removed in Outlook")
    LEFT_FILTER = "left_filter", _("no longer in the filter")
    PUT_BACK = "put_back", _("put back after it was removed in Outlook")
    RESTORED = "restored", _("edited in Outlook after it was trashed")
    LEAVING = "leaving", _("the mailbox is being disconnected")
    ERASED = "erased", _("erased on request")
    UNDONE = "undone", _("by an undo")


class ChangeOutcome(models.TextChoices):
    PLANNED = "planned", _("Planned")
    DONE = "done", _("Done")
    SKIPPED = "skipped", _("Left out")
    STALE = "stale", _("Left for the next sync")
    PARKED = "parked", _("Parked")
    FAILED = "failed", _("Failed")


BOTH_WAYS = (Kind.SYNC, Kind.FULL)
NO_SYNC = (Kind.PREVIEW, Kind.VERIFY, Kind.UNDO)  # runs that bring neither side up to date
OPEN = (Outcome.QUEUED, Outcome.RUNNING, Outcome.HELD)
LOOKS_ONLY = (Kind.PREVIEW, Kind.VERIFY)  # runs that change nothing on either side
WAITING = (ChangeOutcome.PLANNED, ChangeOutcome.PARKED)
