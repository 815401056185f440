"""The Exchange side of each user: which folder of which mailbox is synced, what goes there, by which rules and when."""

import hashlib
import json
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from exchange_setup.fields import SealedTextField
from exchange_setup.rules import (
    DEFAULT_FOLDER_NAME,
    RULES,
    SETTINGS,
    ConflictRule,
    LeftFilterRule,
    NewContactRule,
    RemovedRule,
    SharedEmailRule,
    SyncSettings,
    TrashedRule,
)

__all__ = [
    "DEFAULT_FOLDER_NAME", "RULES", "SETTINGS", "ConflictRule", "LeftFilterRule", "NewContactRule", "RemovedRule",
    "SharedEmailRule", "TrashedRule", "Trouble", "OrganisationDefaults", "ExchangeSync", "MailboxSignIn",
]  # fmt: skip

LAST_STEP = 5


class Trouble(models.TextChoices):
    """Why a setup cannot sync until a person does something. A setup without trouble has ''."""

    NEEDS_SIGN_IN = "needs_sign_in", _("Needs sign-in")
    FOLDER_GONE = "folder_gone", _("Folder gone")
    MAILBOX_UNAVAILABLE = "mailbox_unavailable", _("Mailbox not available")
    ACCESS_DENIED = "access_denied", _("Access denied")
    MAILBOX_CHANGED = "mailbox_changed", _("Another mailbox")
    QUOTA_FULL = "quota_full", _("Mailbox full")


class OrganisationDefaults(SyncSettings):
    """What a new setup starts with, and which of it nobody can change for themselves. There is one row at most."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    locked = models.JSONField(default=list, blank=True, help_text="The settings that are the same for everybody.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_row_of_defaults"),
            models.CheckConstraint(
                condition=Q(interval_minutes__gte=5, interval_minutes__lte=1440), name="default_interval_5_to_1440"
            ),
        ]

    def __str__(self) -> str:
        return str(_("Organisation's defaults"))

    @classmethod
    def current(cls) -> Self:
        """What is stored, or what the product begins with. One query."""
        return cls.objects.first() or cls()

    @property
    def is_stored(self) -> bool:
        return not self._state.adding

    def values(self, names: Iterable[str] = SETTINGS) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def first_values(self, user: Any) -> dict[str, Any]:
        """What a setup of `user` begins with."""
        return {"mailbox": user.authentication_email, **self.values()}

    def apply_locks(self) -> int:
        """Give every setup the locked values; how many setups that changed. Call inside a transaction.

        Two things stay, since people would lose more by them than they gain: the folder of a setup that has one
        already, and the hold on new contacts from Outlook's main folder, which holds private ones too.
        """
        changed = []
        for setup in ExchangeSync.objects.select_for_update().iterator(chunk_size=500):
            if setup.take_over(self):
                changed.append(setup)
        ExchangeSync.objects.bulk_update(changed, [*SETTINGS, "next_sync_at"], batch_size=200)
        return len(changed)


class ExchangeSyncQuerySet(models.QuerySet["ExchangeSync"]):
    def by_themselves(self) -> Self:
        """Setups that sync without being asked; the first time somebody has to let them."""
        waiting = Q(last_sync_at=None, first_sync_allowed=False)
        return self.filter(enabled=True, auto_sync=True, trouble="", user__is_active=True).exclude(waiting)

    def due(self, now: datetime) -> Self:
        """Setups whose automatic sync should start now."""
        return self.by_themselves().filter(next_sync_at__lte=now)

    def take_back_first_sync(self) -> None:
        """Have those that never came to the end of one wait for a person's word again."""
        self.filter(last_sync_at=None).update(first_sync_allowed=False, next_sync_at=None)

    def for_user(self, user: Any) -> "ExchangeSync":
        """The user's setup; one with the organisation's defaults is made where there is none yet."""
        setup = self.filter(user=user).first()
        if setup is None:
            setup, _made = self.get_or_create(user=user, defaults=OrganisationDefaults.current().first_values(user))
        setup.user = user
        return setup

    def set_up(self, users: Iterable[Any], *, enabled: bool = False) -> None:
        """Make a setup with the organisation's defaults for each of `users`, none of whom has one; `enabled` or not."""
        defaults, now = OrganisationDefaults.current(), timezone.now()
        setups = [self.model(user=user, **defaults.first_values(user)) for user in users]
        for setup in setups if enabled else ():
            setup.enabled, setup.enabled_at, setup.steps_done = True, now, LAST_STEP
            setup.first_sync_allowed = True  # whoever enables it for others has given the word
            setup.schedule_next(now)
        self.bulk_create(setups, ignore_conflicts=True)


class ExchangeSync(SyncSettings):
    """One user's setup. `mailbox` is whose folder the links belong to; the user card says whose it should be."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="exchange_sync", verbose_name=_("User")
    )
    mailbox = models.EmailField(_("Mailbox"), blank=True, editable=False)
    enabled = models.BooleanField(_("Enabled"), default=False)
    enabled_at = models.DateTimeField(null=True, editable=False)
    daily_digest = models.BooleanField(_("Daily e-mail"), default=False)

    folder_id = models.CharField(max_length=512, blank=True, editable=False)
    folder_is_main = models.BooleanField(default=False, editable=False, help_text="Outlook's own Contacts folder.")

    next_sync_at = models.DateTimeField(_("Next sync"), null=True, editable=False)

    last_sync_at = models.DateTimeField(
        _("Last sync"), null=True, editable=False, help_text="When the last complete run began: the watermark."
    )
    first_sync_allowed = models.BooleanField(
        default=False, editable=False, help_text="Until somebody allows the first sync, none starts by itself."
    )
    planned_with = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Fingerprint of the settings that the last complete run planned with, or when somebody whom the "
        "filter may name got another name since.",
    )
    mirrored_folder_id = models.CharField(
        max_length=512, blank=True, editable=False, help_text="The folder that the links mirror."
    )
    delta_link = models.TextField(blank=True, editable=False)
    delta_next_link = models.TextField(blank=True, editable=False, help_text="The page at which a read was left off.")
    read_generation = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts whole readings of the folder."
    )
    reading_whole = models.BooleanField(default=False, editable=False, help_text="A whole reading is under way.")

    steps_done = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="How far through the setup page the user has come."
    )
    trouble = models.CharField(max_length=30, choices=Trouble, blank=True, default="", editable=False)
    trouble_detail = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ExchangeSyncQuerySet.as_manager()

    class Meta:
        verbose_name = _("Exchange sync setup")
        verbose_name_plural = _("Exchange sync setups")
        indexes = [
            models.Index(
                fields=["next_sync_at"], name="setup_due", condition=Q(enabled=True, auto_sync=True, trouble="")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(interval_minutes__gte=5, interval_minutes__lte=1440), name="interval_5_to_1440"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.folder_name}"

    @property
    def is_first_sync(self) -> bool:
        return self.last_sync_at is None

    @property
    def waits_for_first_sync(self) -> bool:
        """Whether nothing starts by itself before somebody has let the first sync begin."""
        return self.is_first_sync and not self.first_sync_allowed

    @cached_property
    def organisation(self) -> OrganisationDefaults:
        """What the organisation says about every setup. One query, once."""
        return OrganisationDefaults.current()

    def is_locked(self, name: str) -> bool:
        """Whether the organisation has set this for everybody."""
        return name in self.organisation.locked

    def settings_fingerprint(self) -> str:
        """Changes exactly when the filter, a rule, the folder or the mailbox does."""
        values: dict[str, Any] = {name: getattr(self, name) for name in RULES}
        values |= {"filter": self.contact_filter, "folder": self.folder_id, "mailbox": self.mailbox.lower()}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def schedule_next(self, now: datetime | None = None) -> None:
        """Set (without saving) when the next automatic sync starts: an interval ahead, less up to a tenth of it."""
        if not (self.enabled and self.auto_sync) or self.waits_for_first_sync:
            self.next_sync_at = None
            return
        interval = timedelta(minutes=self.interval_minutes)
        self.next_sync_at = (now or timezone.now()) + interval * random.uniform(0.9, 1.0)

    def note_trouble(self, trouble: str, detail: str = "") -> None:
        """Remember why this setup cannot sync until a person does something; '' when it can again."""
        self.trouble, self.trouble_detail = trouble, detail
        self.schedule_next()
        self.save(update_fields=["trouble", "trouble_detail", "next_sync_at"])

    def forget_folder(self) -> None:
        """Start afresh with whichever folder is chosen next (without saving): no bookmark, watermark or word on it."""
        self.folder_id, self.folder_is_main = "", False
        self.delta_link = self.delta_next_link = ""
        self.reading_whole, self.last_sync_at = False, None
        self.first_sync_allowed, self.next_sync_at = False, None
        if self.trouble == Trouble.FOLDER_GONE:
            self.trouble, self.trouble_detail = "", ""

    def take_over(self, defaults: OrganisationDefaults) -> bool:
        """Take on (without saving) what the organisation has locked. Returns whether that changed anything."""
        values = defaults.values(defaults.locked)
        if self.folder_id:
            values.pop("folder_name", None)
        if self.folder_is_main and values.get("new_contact_rule") == NewContactRule.ADD:
            del values["new_contact_rule"]
        changed = {name: value for name, value in values.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        if changed.keys() & {"auto_sync", "interval_minutes"}:
            self.schedule_next()
        return bool(changed)

    def make_folder_again(self) -> None:
        """Have the next sync make the folder that is gone, or take the one that has its name by now."""
        self.forget_folder()
        self.first_sync_allowed = True
        self.schedule_next()
        self.save(update_fields=[*FOLDER, *BOOKMARK])

    def use_folder(self, name: str, folder_id: str = "", *, is_main: bool = False) -> bool:
        """Sync this folder from now on; without an id, the one that has the name or is made with it.

        Returns whether it is another folder than before, which starts afresh.
        """
        is_other = folder_id != self.folder_id if folder_id else name.casefold() != self.folder_name.casefold()
        if is_other:
            self.forget_folder()
        self.note_folder(folder_id or self.folder_id, name, is_main or self.folder_is_main)
        self.save(update_fields=[*FOLDER, *BOOKMARK] if is_other else FOLDER)
        return is_other

    def note_folder(self, folder_id: str, name: str, is_main: bool) -> None:
        """Set (without saving) which folder of the mailbox it is.

        In Outlook's main folder people keep private contacts too, so there new ones wait for the user's review.
        """
        if is_main and not self.folder_is_main and self.new_contact_rule == NewContactRule.ADD:
            self.new_contact_rule = NewContactRule.HOLD
        self.folder_id, self.folder_name, self.folder_is_main = folder_id, name[:255], is_main

    def belongs_to(self, mailbox: str) -> bool:
        """Whether `mailbox` is the one that is synced; a setup that has none yet belongs to any."""
        return not self.mailbox or self.mailbox.lower() == mailbox.lower()

    def move_to(self, mailbox: str) -> None:
        """Belong to `mailbox`. Another one than before starts afresh; the old one keeps its contacts."""
        if not self.belongs_to(mailbox):
            self.forget_folder()
            self.save(update_fields=[*FOLDER, *BOOKMARK])
        if self.trouble == Trouble.MAILBOX_CHANGED:
            self.note_trouble("")
        self.mailbox = mailbox
        self.save(update_fields=["mailbox"])

    def enable(self) -> None:
        """Let it sync, by itself where the schedule says so."""
        self.enabled, self.enabled_at, self.steps_done = True, self.enabled_at or timezone.now(), LAST_STEP
        self.schedule_next()
        self.save(update_fields=["enabled", "enabled_at", "steps_done", "next_sync_at"])

    def allow_first_sync(self) -> None:
        """A person wants it to begin: from now on it syncs by itself, where the schedule says so."""
        if not self.first_sync_allowed:
            self.first_sync_allowed = True
            self.schedule_next()
            self.save(update_fields=["first_sync_allowed", "next_sync_at"])

    def pause(self) -> None:
        """Start nothing by itself until it is enabled again."""
        self.enabled = False
        self.schedule_next()
        self.save(update_fields=["enabled", "next_sync_at"])

    def note_step(self, step: int) -> None:
        """The user has been through this step of the setup page, and so through those before it."""
        if step > self.steps_done:
            self.steps_done = step
            self.save(update_fields=["steps_done"])


# What a page stores is saved by name, so that it never puts back what a run has moved on meanwhile.
FOLDER = ["folder_id", "folder_name", "folder_is_main", "new_contact_rule"]
BOOKMARK = [
    "delta_link", "delta_next_link", "reading_whole", "last_sync_at", "first_sync_allowed", "next_sync_at",
    "trouble", "trouble_detail",
]  # fmt: skip


class SignInStatus(models.TextChoices):
    CONNECTED = "connected", _("Connected")
    EXPIRED = "expired", _("Sign in again")


class SealedManager(models.Manager["MailboxSignIn"]):
    """Leaves the token cache sealed until it is asked for: a lost key must not take whole pages down."""

    def get_queryset(self) -> models.QuerySet["MailboxSignIn"]:
        return super().get_queryset().defer("token_cache")


class MailboxSignIn(models.Model):
    """A user's sign-in to their mailbox: msal's token cache, sealed.

    Renewing it takes a request to Microsoft, and no transaction may wait for one (on SQLite it would stop every other
    writer). So a worker claims the renewal for as long as one can last, and `version` tells whoever comes back late
    that the row is no longer the one it read.
    """

    setup = models.OneToOneField(ExchangeSync, models.CASCADE, related_name="sign_in")
    token_cache = SealedTextField(null=True)
    home_account_id = models.CharField(max_length=100, blank=True)
    account = models.EmailField(blank=True, help_text="The address that Microsoft 365 gave for the account.")
    status = models.CharField(max_length=20, choices=SignInStatus, default=SignInStatus.CONNECTED)
    last_error = models.TextField(blank=True)
    claims = models.TextField(blank=True, help_text="What Microsoft demands of the next sign-in.")
    version = models.PositiveIntegerField(default=1, help_text="Counts the token caches stored.")
    renewal_claimed_until = models.DateTimeField(null=True)
    connected_at = models.DateTimeField(default=timezone.now)

    objects = SealedManager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.account

    @property
    def is_connected(self) -> bool:
        return self.status == SignInStatus.CONNECTED

    def claim_renewal(self, lasting: timedelta) -> bool:
        """Whether this worker is the one that renews; nobody else is until `lasting` has passed or it is stored."""
        now = timezone.now()
        free = Q(renewal_claimed_until=None) | Q(renewal_claimed_until__lte=now)
        return bool(self._as_read().filter(free).update(renewal_claimed_until=now + lasting))

    def give_back_renewal(self) -> None:
        self._as_read().update(renewal_claimed_until=None)

    def store_renewal(self, token_cache: str) -> bool:
        """Keep the renewed cache, unless the user signed in anew or disconnected meanwhile. Returns whether it did."""
        return bool(
            self._as_read().update(token_cache=token_cache, version=F("version") + 1, renewal_claimed_until=None)
        )

    def expire(self, detail: str, claims: str = "") -> bool:
        """Only the user can go on from here. Returns False where the user did so meanwhile."""
        return bool(
            self._as_read().update(
                status=SignInStatus.EXPIRED, last_error=detail, claims=claims, renewal_claimed_until=None
            )
        )

    def _as_read(self) -> models.QuerySet["MailboxSignIn"]:
        return type(self).objects.filter(pk=self.pk, version=self.version)
