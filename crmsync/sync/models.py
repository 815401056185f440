"""What the sync remembers: links between contacts and Outlook items, runs, and every change of every run."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from contacts.models import Contact
from crmsync.sync.choices import (
    OPEN,
    Action,
    Cause,
    ChangeOutcome,
    Decision,
    Kind,
    LinkState,
    Outcome,
    Preference,
    Reason,
    Side,
    Step,
    Trigger,
)  # fmt: skip
from crmsync.sync.differences import Difference  # noqa: F401  # here Django looks for an app's models
from crmsync.sync.erasures import ErasedCopy, Erasure  # noqa: F401  # for the same reason, as those further down
from crmsync.sync.fields import NAME_PARTS, complete, filled, fingerprint, with_positions
from crmsync.sync.leave import Leave
from crmsync.sync.rulings import Ruling  # noqa: F401
from crmsync.sync.subscription import Subscription  # noqa: F401
from crmsync.sync.watch import Mark, Tally, Watch  # noqa: F401
from exchange_setup.models import ExchangeSync

LEASE = timedelta(seconds=90)


class LinkQuerySet(models.QuerySet["ContactLink"]):
    def left_out(self) -> Self:
        """Rows with a reason why they are not in both places, or not completely."""
        return self.exclude(problem="")


class ContactLink(models.Model):
    """Pairs a Contact with an Outlook item; without a contact it mirrors an item that is only in Outlook.

    `base_crm` and `base_outlook` are what each side held when they last agreed, `outlook` what Outlook holds now where
    that differs, all in the form of `crmsync.sync.fields`. `raw` keeps the lists and addresses as Outlook gave them.
    """

    setup = models.ForeignKey(ExchangeSync, models.CASCADE, related_name="links")
    contact = models.ForeignKey(Contact, models.CASCADE, null=True, related_name="links")
    moved_from = models.ForeignKey(
        Contact, models.SET_NULL, null=True, related_name="+", help_text="Whose it was before a merge."
    )
    state = models.CharField(max_length=10, choices=LinkState)
    outlook_id = models.CharField(max_length=512, blank=True)
    marker = models.UUIDField(default=uuid.uuid4, unique=True)
    intended_at = models.DateTimeField(null=True, help_text="The create was sent by then at the latest.")

    base_crm = models.JSONField(default=dict)
    base_outlook = models.JSONField(default=dict)
    contact_version = models.PositiveIntegerField(
        null=True, help_text="The contact's version at which base_crm was agreed."
    )
    outlook = models.JSONField(null=True)
    raw = models.JSONField(default=dict)
    kept_out = models.JSONField(
        default=dict, help_text="Fields whose Outlook value the CRM cannot take: {name: [reason, text]}."
    )
    fingerprint = models.CharField(max_length=32, blank=True, help_text="Of base_outlook.")
    change_key = models.CharField(max_length=255, blank=True)
    own_key = models.CharField(
        max_length=255, blank=True, help_text="The change key while nobody but us has written what we created."
    )
    outlook_created_at = models.DateTimeField(null=True)
    outlook_modified_at = models.DateTimeField(null=True)
    needs_extras = models.BooleanField(default=False, help_text="Its extended properties have not been read yet.")
    private = models.BooleanField(default=False, help_text="Marked Private in Outlook.")
    missing = models.BooleanField(default=False, help_text="Not known to be there until read or asked for.")
    gone = models.BooleanField(default=False, help_text="Verified: the folder no longer holds the item.")
    generation = models.PositiveIntegerField(default=0, help_text="The whole reading that last saw the item.")
    dirty = models.BooleanField(default=False, help_text="The next run must look at it, whatever the dates say.")
    was_in_filter = models.BooleanField(default=False, help_text="Only what was in the filter can leave it.")
    left_by_undo = models.BooleanField(
        default=False, help_text="An undo left it in Outlook, or out of it: no rule moves it again."
    )

    email = models.CharField(max_length=254, blank=True, help_text="The Outlook item's first e-mail, in lower case.")
    outlook_name = models.CharField(max_length=400, blank=True)
    problem = models.CharField(max_length=30, choices=Reason, blank=True)
    problem_detail = models.TextField(blank=True)
    problem_since = models.DateTimeField(null=True)
    decision = models.CharField(max_length=10, choices=Decision, blank=True)
    decided_at = models.DateTimeField(null=True, help_text="A person decided; the next run carries it out.")
    linked_at = models.DateTimeField(null=True)
    synced_at = models.DateTimeField(null=True, help_text="When a change last went either way.")

    objects = LinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["setup", "outlook_id"], condition=~Q(outlook_id=""), name="one_link_per_item"
            ),
            models.UniqueConstraint(
                fields=["setup", "contact"], condition=Q(contact__isnull=False), name="one_link_per_contact"
            ),
        ]
        indexes = [
            models.Index(fields=["setup", "id"], name="link_dirty", condition=Q(dirty=True)),
            models.Index(fields=["setup", "id"], name="link_problem", condition=~Q(problem="")),
            models.Index(fields=["setup", "id"], name="link_missing", condition=Q(missing=True)),
            models.Index(fields=["setup", "id"], name="link_needs_extras", condition=Q(needs_extras=True)),
            models.Index(fields=["setup", "decided_at"], name="link_decided", condition=Q(decided_at__isnull=False)),
            models.Index(fields=["setup", "email"], name="link_email"),
            models.Index(fields=["setup", "state"], name="link_state"),
        ]

    def __str__(self) -> str:
        return f"{self.contact or self.outlook_name} ({self.state})"

    @property
    def left_alone(self) -> set[str]:
        """The fields that stay as they are on both sides until Outlook's value is mended; a list is one, whole.

        So is a name: with any part of it the display name is sent, which has to have the others.
        """
        names = with_positions(self.kept_out)
        return names | NAME_PARTS if names & NAME_PARTS else names

    @property
    def why_kept_out(self) -> tuple[str, str]:
        """The reason and the detail of the first of the values that stay out of the CRM; there is one."""
        name, (reason, text) = min(self.kept_out.items())
        return reason, f"{name}: {text}"

    def note_problem(self, reason: str, detail: str = "") -> bool:
        """Set (without saving) why this is left out, '' for nothing. Returns whether that is news."""
        news = (self.problem, self.problem_detail) != (reason, detail)
        if self.problem != reason:
            self.problem_since = timezone.now() if reason else None
        self.problem, self.problem_detail = reason, detail
        return news

    def let_win(self, side: Side, given_up: Mapping[str, str]) -> None:
        """Decide (without saving) fields that both sides changed: there the values of `side` stand.

        `given_up` is what the other side holds in them now, {name: value}. It becomes that side's half of the base, so
        that only `side` counts as changed: the next run carries its values over like any other edit.
        """
        half = "base_outlook" if side == Side.CRM else "base_crm"
        setattr(self, half, filled({**getattr(self, half), **given_up}))
        self.fingerprint = fingerprint(complete(self.base_outlook))
        self.dirty, self.decided_at = True, timezone.now()


class ContactPreference(models.Model):
    """A user's word on one contact, above the filter. No row: as the filter says."""

    setup = models.ForeignKey(ExchangeSync, models.CASCADE, related_name="preferences")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="sync_preferences")
    moved_from = models.ForeignKey(
        Contact, models.SET_NULL, null=True, related_name="+", help_text="Whom it was about before a merge."
    )
    choice = models.CharField(max_length=10, choices=Preference)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["setup", "contact"], name="one_preference_per_contact")]

    def __str__(self) -> str:
        return f"{self.contact}: {self.choice}"


class RunQuerySet(models.QuerySet["SyncRun"]):
    def mine(self, user: AbstractBaseUser) -> Self:
        """Of `user`'s own mailbox."""
        return self.filter(setup__user=user)

    def visible_to(self, user: AbstractBaseUser) -> Self:
        """Every mailbox's for administrators, for anybody else only their own."""
        return self.all() if getattr(user, "is_administrator", False) else self.mine(user)

    def open(self) -> Self:
        """Not ended: waiting, running or held. At most one per setup, which is the lock."""
        return self.filter(outcome__in=OPEN)

    def dead(self, now: datetime) -> Self:
        """Queued or running, but its worker has not been heard of for longer than the lease."""
        return self.filter(outcome__in=(Outcome.QUEUED, Outcome.RUNNING), heartbeat_at__lt=now - LEASE)


class SyncRun(models.Model):
    """One pass over one mailbox. While open it is the setup's lock; `fence` tells its worker from former ones."""

    setup = models.ForeignKey(ExchangeSync, models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=10, choices=Kind)
    whole = models.BooleanField(default=False, help_text="Everything both ways, whatever the dates.")
    undoes = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="undone_by", help_text="The run that an undo takes back."
    )
    undoes_only = models.BigIntegerField(null=True, help_text="The key of its one change that is taken back, or none.")
    trigger = models.CharField(max_length=10, choices=Trigger)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.QUEUED)
    contact_filter = models.JSONField(default=dict, help_text="The filter that the run used.")
    agreed = models.PositiveIntegerField(default=0, help_text="So many deletions somebody has agreed to beforehand.")
    notes = models.JSONField(default=list, help_text="Sentences' codes about the run itself, such as filter_changed.")

    step = models.CharField(max_length=12, choices=Step, default=Step.STARTING)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    doing = models.CharField(max_length=400, blank=True, help_text="To whom it is doing it.")
    cancel_requested = models.BooleanField(default=False)

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True, help_text="host:process of the present worker.")
    planned_with = models.CharField(
        max_length=64, blank=True, help_text="Fingerprint of the settings that the checked plan was made with."
    )

    requests = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="{'crm': {'created': 0, …}, 'outlook': …, 'skipped': 0, …}")
    error = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    brakes = models.JSONField(default=list, help_text="Why the run was held: [{'brake', 'cause', 'count', 'limit'}].")
    decided_at = models.DateTimeField(null=True)
    waited = models.DurationField(default=timedelta(0), help_text="For so long it was held, until somebody decided.")
    plan_of = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, db_constraint=False, related_name="carried_out_by",
        help_text="The preview that it carries out, if there still is one.",
    )  # fmt: skip
    told_at = models.DateTimeField(null=True, help_text="When its user was sent word that it is held.")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["setup"], condition=Q(outcome__in=OPEN), name="one_open_run_per_setup"),
        ]
        indexes = [
            models.Index(fields=["setup", "-id"], name="run_of_setup"),
            models.Index(fields=["heartbeat_at"], name="run_alive", condition=Q(outcome__in=("queued", "running"))),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}: {self.get_outcome_display()}"

    def get_absolute_url(self) -> str:
        return reverse("sync:verification" if self.kind == Kind.VERIFY else "sync:run-detail", args=[self.pk])

    @property
    def planned(self) -> "models.QuerySet[SyncChange]":
        """The rows of its plan; those of a plan that was begun before and put aside are none."""
        return self.changes.exclude(outcome=ChangeOutcome.STALE)

    @property
    def is_open(self) -> bool:
        return self.outcome in OPEN

    @property
    def duration(self) -> timedelta | None:
        """How long the work took, without the time that somebody took to decide about it."""
        if not (self.finished_at and self.started_at):
            return None
        return max(self.finished_at - self.started_at - self.waited, timedelta(0))


class SyncChange(models.Model):
    """One row of a run: plan, preview, journal, activity log in one. `fields` is {name: [before, after]}."""

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="changes")
    link = models.ForeignKey(ContactLink, models.SET_NULL, null=True, related_name="changes")
    contact = models.ForeignKey(Contact, models.SET_NULL, null=True, related_name="sync_changes")
    undoes = models.ForeignKey("self", models.SET_NULL, null=True, related_name="undone_by")
    outlook_id = models.CharField(max_length=512, blank=True)
    name = models.CharField(max_length=400, blank=True, help_text="Whom it is about, for reading.")
    side = models.CharField(max_length=10, choices=Side)
    action = models.CharField(max_length=10, choices=Action)
    cause = models.CharField(max_length=20, choices=Cause, blank=True)
    fields = models.JSONField(default=dict)
    conflicts = models.JSONField(default=dict, help_text="{name: {'crm', 'outlook', 'base', 'kept'}}")
    with_outlook = models.BooleanField(
        default=False, help_text="The contact's rows of this run include a call to Outlook."
    )
    forget = models.BooleanField(default=False, help_text="The link ends with this change.")
    leads = models.BooleanField(default=True, help_text="The first of the run's rows about the contact.")
    leave = models.CharField(max_length=10, choices=Leave, blank=True, help_text="How it is left out of a preview.")
    outcome = models.CharField(max_length=10, choices=ChangeOutcome, default=ChangeOutcome.PLANNED)
    reason = models.CharField(max_length=30, choices=Reason, blank=True)
    detail = models.TextField(blank=True)
    contact_version = models.PositiveIntegerField(null=True, help_text="The contact's version that the plan saw.")
    change_key = models.CharField(max_length=255, blank=True, help_text="The Outlook item's, that the plan saw.")
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(
        null=True, help_text="When a change of an item went to Outlook; none where Outlook surely has not made it."
    )
    applied_at = models.DateTimeField(null=True)
    edited_at = models.DateTimeField(null=True, help_text="When somebody made the edit that it carries over.")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["run", "outcome", "id"], name="change_of_run"),
            models.Index(fields=["contact", "-id"], name="change_of_contact"),
            models.Index(fields=["applied_at"], name="change_of_edit", condition=Q(edited_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.name} ({self.side}): {self.outcome}"


EMPTY_COUNTS: dict[str, Any] = {
    "crm": {"created": 0, "updated": 0, "deleted": 0},
    "outlook": {"created": 0, "updated": 0, "deleted": 0},
    "paired": 0, "skipped": 0, "conflicts": 0, "failed": 0, "stale": 0,
}  # fmt: skip
