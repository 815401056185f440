"""Forms for people: signing in, and an administrator's user card."""

from collections.abc import Mapping
from typing import Any

from allauth.account.forms import (
    ChangePasswordForm,
    LoginForm,
    ReauthenticateForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    SetPasswordForm,
)
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crmsync.users.models import User


class InOurWords:
    """allauth's form with our labels, and without its placeholders, which only repeat them."""

    labels: Mapping[str, Any] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in self.labels.items():
            field = self.fields[name]  # type: ignore[attr-defined]
            field.label = label
            field.widget.attrs.pop("placeholder", None)


def forgotten(user: User | None = None) -> str:
    """What to do about a forgotten password: a mail where mail is sent, else a link by an administrator.

    `user` is who asks, where that is known: an administrator makes it themselves.
    """
    if settings.EMAIL_IS_SENT:
        return format_html('<a href="{}">{}</a>', reverse("account_reset_password"), gettext("Forgotten it?"))
    if user and user.is_administrator:
        text = gettext("Make a password link on your user card.")
        return format_html('{} <a href="{}">{}</a>', gettext("Forgotten it?"), user.get_absolute_url(), text)
    return gettext("Forgotten it? An administrator can give you a link to set a new one.")


class SignInForm(InOurWords, LoginForm):
    labels = {"login": _("E-mail"), "password": _("Password"), "remember": _("Stay signed in")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].widget.attrs["autocomplete"] = "username"
        self.fields["password" if self.is_bound else "login"].widget.attrs["autofocus"] = True
        self.fields["password"].help_text = forgotten()


class KnowsOfMail:
    @property
    def mail_is_sent(self) -> bool:
        return settings.EMAIL_IS_SENT


class ForgottenPasswordForm(KnowsOfMail, InOurWords, ResetPasswordForm):
    labels = {"email": _("E-mail")}


class PasswordFromLinkForm(KnowsOfMail, InOurWords, ResetPasswordKeyForm):
    labels = {"password1": _("New password"), "password2": _("New password, once more")}


class PasswordChangeForm(InOurWords, ChangePasswordForm):
    labels = PasswordFromLinkForm.labels | {"oldpassword": _("Password you have now")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"].help_text = forgotten(self.user)


class FirstPasswordForm(InOurWords, SetPasswordForm):
    labels = PasswordFromLinkForm.labels


class PasswordOnceMoreForm(InOurWords, ReauthenticateForm):
    labels = {"password": _("Password")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = forgotten(self.user)


class UserForm(forms.ModelForm):
    """The user card. Validate and save it inside one transaction, so that the last administrator stays."""

    general = ("name", "email", "code", "role", "language")

    class Meta:
        model = User
        fields = ["name", "email", "code", "role", "language", "authentication_email"]
        labels = {"email": _("E-mail")}
        help_texts = {
            "email": _("To sign in to crmsync with."),
            "role": _("Administrators manage users; salespeople work with contacts and their own sync."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "email", "authentication_email", "code"):
            self.fields[name].widget.attrs |= {"autocomplete": "off"}

    def general_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.general]

    def clean_email(self) -> str:
        return self._free("email", gettext("{user} has this e-mail already."))

    def clean_authentication_email(self) -> str:
        return self._free(
            "authentication_email", gettext("{user} has this authentication email already. Clear it there first.")
        )

    def clean_code(self) -> str | None:
        code = (self.cleaned_data["code"] or "").strip().upper()
        taken = code and User.objects.exclude(pk=self.instance.pk).filter(code=code).first()
        if taken:
            raise ValidationError(gettext("{user} has this code already.").format(user=taken), code="unique")
        return code or None

    def _free(self, name: str, message: str) -> str:
        """The address in lower case, unless another user has it."""
        address = self.cleaned_data[name].strip().lower()
        taken = address and User.objects.exclude(pk=self.instance.pk).filter(**{f"{name}__iexact": address}).first()
        if taken:
            raise ValidationError(message.format(user=taken), code="unique")
        return address
