"""People who sign in: salespeople and administrators, with the e-mail that they have in Microsoft 365."""

from collections.abc import Iterable
from typing import Any, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

LAST_ADMINISTRATOR = _("This is the last administrator. Make somebody else an administrator first.")


class UserQuerySet(models.QuerySet["User"]):
    def administrators(self) -> Self:
        """Those who may change users and can sign in."""
        return self.filter(role=Role.ADMINISTRATOR, is_active=True)

    def search(self, words: str) -> Self:
        """Users in whose name, code or addresses every one of `words` occurs."""
        found = self
        for word in words.split():
            found = found.filter(
                Q(name__icontains=word)
                | Q(code__icontains=word)
                | Q(email__icontains=word)
                | Q(authentication_email__icontains=word)
            )
        return found

    def with_microsoft_account(self, addresses: Iterable[str]) -> "User | None":
        """Whose account in Microsoft 365 has these addresses, the sign-in name first; None for nobody's.

        The authentication email decides. The e-mail counts only for a user who has no authentication email yet.
        """
        wanted = [address.strip().lower() for address in addresses if address and address.strip()]
        for address in wanted:
            if user := self.filter(authentication_email__iexact=address).first():
                return user
        for address in wanted:
            if user := self.filter(authentication_email="", email__iexact=address).first():
                return user
        return None


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An administrator, with Django's own admin site too."""
        return self.create_user(
            email, password, **{"role": Role.ADMINISTRATOR, "is_staff": True, "is_superuser": True} | fields
        )

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email__iexact=email)


class Role(models.TextChoices):
    SALESPERSON = "salesperson", _("Salesperson")
    ADMINISTRATOR = "administrator", _("Administrator")


class AuthenticationStatus(models.TextChoices):
    """Business Central's words for where a user stands with Microsoft 365."""

    DISABLED = "disabled", _("Disabled")
    INACTIVE = "inactive", _("Inactive")
    ACTIVE = "active", _("Active")


class User(AbstractBaseUser, PermissionsMixin):
    """A colleague. Signs in by `email`; `authentication_email` is the account in Microsoft 365, and so the mailbox."""

    email = models.EmailField(_("E-mail"), unique=True)
    name = models.CharField(_("Name"), max_length=150)
    code = models.CharField(
        _("Salesperson code"),
        max_length=20,
        unique=True,
        null=True,
        blank=True,
        help_text=_("Short, such as JR; filters and lists use it."),
    )
    role = models.CharField(_("Role"), max_length=20, choices=Role, default=Role.SALESPERSON)
    authentication_email = models.EmailField(
        _("Authentication email"),
        blank=True,
        help_text=_("The e-mail with which this person signs in to Microsoft 365."),
    )
    signed_in_to_microsoft_at = models.DateTimeField(_("First signed in to Microsoft 365"), null=True, editable=False)
    language = models.CharField(_("Language"), max_length=5, choices=[("en", "English"), ("da", "Dansk")], default="en")
    is_active = models.BooleanField(_("May sign in"), default=True)
    is_staff = models.BooleanField(default=False, editable=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_ignores_case",
                violation_error_message=_("Another user has this e-mail."),
            ),
            models.UniqueConstraint(
                Lower("authentication_email"),
                condition=~models.Q(authentication_email=""),
                name="one_user_per_mailbox",
                violation_error_message=_("Another user has this authentication email."),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_absolute_url(self) -> str:
        return reverse("users:user-update", args=[self.pk])

    def clean(self) -> None:
        """The last administrator stays one, whichever form asks. Validate and save inside one transaction."""
        super().clean()
        if self.pk and not (self.is_administrator and self.is_active) and self.is_last_administrator:
            raise ValidationError({"role": LAST_ADMINISTRATOR})

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.code = (self.code or "").strip().upper() or None
        self.email = self.email.strip().lower()
        self.authentication_email = self.authentication_email.strip().lower()
        if not self.is_administrator:
            self.is_staff = self.is_superuser = False
        moved = self._moves_to_another_account(kwargs.get("update_fields"))
        if moved:
            self.signed_in_to_microsoft_at = None
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "signed_in_to_microsoft_at"}
        super().save(*args, **kwargs)
        if moved:
            self.socialaccount_set.all().delete()

    def _moves_to_another_account(self, update_fields: Iterable[str] | None) -> bool:
        """Whether this save gives the user another account in Microsoft 365, whose sign-in nobody has seen yet."""
        if self._state.adding or (update_fields is not None and "authentication_email" not in update_fields):
            return False
        stored = type(self).objects.filter(pk=self.pk).values_list("authentication_email", flat=True).first()
        return stored is not None and stored != self.authentication_email

    @property
    def is_administrator(self) -> bool:
        return self.role == Role.ADMINISTRATOR

    @property
    def is_last_administrator(self) -> bool:
        """Whether nobody could manage users without this one. Inside a transaction the answer holds until its end."""
        administrators = User.objects.administrators().order_by("pk").values_list("pk", flat=True)
        if transaction.get_connection().in_atomic_block:
            administrators = administrators.select_for_update()
        return list(administrators) == [self.pk]

    @property
    def authentication_status(self) -> AuthenticationStatus:
        """Disabled without an authentication email, Inactive before the first sign-in with it, Active after."""
        if not self.authentication_email:
            return AuthenticationStatus.DISABLED
        if self.signed_in_to_microsoft_at is None:
            return AuthenticationStatus.INACTIVE
        return AuthenticationStatus.ACTIVE

    @transaction.atomic
    def deactivate(self) -> None:
        """Bar from signing in; what the user did stays. ValidationError for the last administrator."""
        if self.is_last_administrator:
            raise ValidationError(LAST_ADMINISTRATOR, code="last_administrator")
        self.is_active = False
        self.save(update_fields=["is_active"])

    def reactivate(self) -> None:
        self.is_active = True
        self.save(update_fields=["is_active"])

    def note_microsoft_sign_in(self) -> None:
        """Remember the first time that this user's account in Microsoft 365 was seen to be theirs."""
        if self.signed_in_to_microsoft_at is None:
            self.signed_in_to_microsoft_at = timezone.now()
            self.save(update_fields=["signed_in_to_microsoft_at"])
