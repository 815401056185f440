"""From a setup to its mailbox: which one, and with whose token."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

from django.conf import settings

from exchange_setup.fields import CannotUnseal
from exchange_setup.graph.client import GraphClient
from exchange_setup.graph.errors import (
    MailboxChanged,
    MailboxUnavailable,
    NeedsSignIn,
    RunError,
    Unreachable,
    WrongConfiguration,
)
from exchange_setup.graph.login import Registration, Token, application_token, renew, stored
from exchange_setup.graph.transport import TokenSource
from exchange_setup.models import ExchangeSync, MailboxSignIn

Wait = Callable[[float], object]

RENEWAL_LASTS = timedelta(seconds=40)  # a little more than the sign-in service is given to answer
LOOK_AGAIN = 0.25  # seconds between looks at a renewal that another worker has claimed
LOOKS = 200


def is_configured() -> bool:
    """Whether the settings name a Microsoft 365 tenant at all."""
    return bool(settings.M365_TENANT_ID and settings.M365_CLIENT_ID and settings.M365_CLIENT_SECRET)


def registration() -> Registration:
    """The app registration of the settings. Raises WrongConfiguration where it is not all there."""
    if not is_configured():
        raise WrongConfiguration("no Microsoft 365 tenant is set")
    return Registration(
        tenant=settings.M365_TENANT_ID,
        client_id=settings.M365_CLIENT_ID,
        client_secret=settings.M365_CLIENT_SECRET,
        login_url=settings.M365_LOGIN_URL,
        graph_url=settings.M365_GRAPH_URL,
    )


def uses_application_access() -> bool:
    """Whether the organisation connects every mailbox at once, so that nobody signs in to their own."""
    return bool(settings.M365_ACCESS == "application")


def open_mailbox(
    setup: ExchangeSync, *, wait: Wait = time.sleep, timeout: tuple[float, float] = (5, 60)
) -> GraphClient:
    """The client of the setup's mailbox. No token is asked for before its first request.

    Raises WrongConfiguration, MailboxChanged when the user card meanwhile names another mailbox, and
    MailboxUnavailable when it names none.
    """
    mailbox = setup.user.authentication_email
    if not setup.belongs_to(mailbox):
        raise MailboxChanged(f"set up for {setup.mailbox}")
    if not mailbox:
        raise MailboxUnavailable("the user has no authentication email")
    name = mailbox if uses_application_access() else ""
    return GraphClient(settings.M365_GRAPH_URL, name, token_source(setup, wait), wait=wait, timeout=timeout)


def token_source(setup: ExchangeSync, wait: Wait = time.sleep) -> TokenSource:
    """What gives the tokens for the setup's mailbox. Raises WrongConfiguration."""
    return ApplicationToken(registration()) if uses_application_access() else UserToken(setup, registration(), wait)


class ApplicationToken:
    """The application's own token, one per process."""

    known: ClassVar[dict[Registration, Token]] = {}

    def __init__(self, registered: Registration) -> None:
        self.registration = registered
        self.given = ""

    def __call__(self, force: bool = False, claims: str | None = None) -> str:
        token = self.known.get(self.registration)
        if token is None or not token.lasts or (force and token.value == self.given):
            token = self.known[self.registration] = application_token(self.registration, claims or "")
        self.given = token.value
        return token.value


class UserToken:
    """A token of the user who signed in to the mailbox, renewed by one worker at a time and kept for the others."""

    def __init__(self, setup: ExchangeSync, registered: Registration, wait: Wait) -> None:
        self.setup = setup
        self.registration = registered
        self.wait = wait
        self.token: Token | None = None

    def __call__(self, force: bool = False, claims: str | None = None) -> str:
        if self.token is None or not self.token.lasts or force:
            self.token = self._find(refused=self.token.value if self.token and force else "", claims=claims or "")
        return self.token.value

    def _find(self, refused: str, claims: str) -> Token:
        """What is stored if it is of use (another worker may have renewed it), else renewed. Raises RunError."""
        for _ in range(LOOKS):
            sign_in, token_cache = self._read()
            token = stored(self.registration, token_cache, sign_in.home_account_id)
            if token and token.lasts and token.value != refused:
                return token
            if sign_in.claim_renewal(RENEWAL_LASTS):
                renewed = self._renew(sign_in, token_cache, force=bool(refused), claims=claims)
                if renewed:
                    return renewed
            else:
                self.wait(LOOK_AGAIN)
        raise Unreachable("another worker is renewing the sign-in")

    def _read(self) -> tuple[MailboxSignIn, str]:
        try:
            sign_in = MailboxSignIn.objects.defer(None).get(setup=self.setup)
        except MailboxSignIn.DoesNotExist as error:
            raise NeedsSignIn("the mailbox is not connected") from error
        except CannotUnseal as error:
            raise NeedsSignIn("the stored sign-in was sealed with a key that is gone") from error
        if not sign_in.is_connected or not sign_in.token_cache:
            raise NeedsSignIn(sign_in.last_error, claims=sign_in.claims)
        if sign_in.account.lower() != self.setup.user.authentication_email.lower():
            raise NeedsSignIn("the sign-in is that of the former mailbox")
        return sign_in, sign_in.token_cache

    def _renew(self, sign_in: MailboxSignIn, token_cache: str, *, force: bool, claims: str) -> Token | None:
        """A fresh token, stored for everybody; None when the row changed meanwhile, so that it is read again."""
        try:
            token = renew(self.registration, token_cache, sign_in.home_account_id, force=force, claims=claims)
        except NeedsSignIn as error:
            if sign_in.expire(error.detail, error.claims):
                raise
            return None
        except RunError:
            sign_in.give_back_renewal()
            raise
        return token if sign_in.store_renewal(token.token_cache or token_cache) else None
