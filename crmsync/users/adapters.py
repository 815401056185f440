"""How allauth treats people here: invited by an administrator, never signing up by themselves.

Whose a Microsoft account is, is decided in one place: `SocialAccountAdapter.pre_social_login`. There is one tenant, our
own (`crmsync.checks` refuses "common"), so the addresses that it gives for an account are to be trusted.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from crmsync.users.models import User

logger = logging.getLogger(__name__)

MICROSOFT = "microsoft"


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("The e-mail or the password is not right. Check both, then try again."),
        "incorrect_password": _("That is not your password. Try again."),
        "enter_current_password": _("That is not your current password. Try again."),
        "too_many_login_attempts": _(
            "Too many failed tries. To keep the account safe, sign-in to it is closed for five minutes. Then try again."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_logout_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_login")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("home")

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The link's address, on the address that people open where that is set, whatever the request called us."""
        url = super().get_reset_password_from_key_url(key)
        return f"{settings.BASE_URL}{urlsplit(url).path}" if settings.BASE_URL else url

    def reauthenticate(self, user: AbstractBaseUser, password: str) -> bool:
        """Whether `password` is this user's. Users have one e-mail here, on their own row."""
        return self.authenticate(context.request, email=user.get_username(), password=password) == user

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        """Go on in the language of the user card, unless this browser has chosen one."""
        response = super().post_login(request, user, **kwargs)
        if isinstance(user, User) and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            set_language_cookie(response, user.language)
        return response


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The one app registration, from the settings; none where Microsoft 365 is not set up."""
        if not settings.M365_CONFIGURED or provider not in (None, MICROSOFT):
            return []
        if client_id not in (None, settings.M365_CLIENT_ID):
            return []
        app = SocialApp(provider=MICROSOFT, client_id=settings.M365_CLIENT_ID, secret=settings.M365_CLIENT_SECRET)
        app.settings = {
            "tenant": settings.M365_TENANT_ID,
            "login_url": settings.M365_LOGIN_URL,
            "graph_url": settings.M365_GRAPH_URL.removesuffix("/v1.0"),
        }
        return [app]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find whose Microsoft account this is, and join the two.

        1. The user whose authentication email (or, for want of one, whose e-mail) it has; else
        2. the user who signed in with it before: an account may get another address; else
        3. a page that says whom to ask.
        """
        profile = sociallogin.account.extra_data
        addresses = [profile.get("userPrincipalName") or "", profile.get("mail") or ""]
        known = sociallogin.user if sociallogin.is_existing else None
        user = User.objects.with_microsoft_account(addresses) or known
        if user is None:
            address = next(filter(None, addresses), "")
            page = render(request, "users/unknown_account.html", {"address": address}, status=403)
            raise ImmediateHttpResponse(page)
        if known != user:
            sociallogin.connect(request, user)
        if user.is_active and user.authentication_email in {address.lower() for address in addresses}:
            user.note_microsoft_sign_in()

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: object,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """The page says only that it failed; the reason is for whoever reads the log."""
        logger.warning("Sign-in with Microsoft failed: %.500s", exception or error)

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: object) -> str:
        return reverse("home")


def set_language_cookie(response: HttpResponse, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
