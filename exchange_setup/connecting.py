"""Connecting a mailbox: the way to Microsoft's sign-in page and back, and whose account it may be."""

import logging
import time
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from exchange_setup.graph.client import GraphClient
from exchange_setup.graph.login import Refusal, SignedIn, SignInRefused, begin, finish
from exchange_setup.mailbox import registration
from exchange_setup.models import ExchangeSync, MailboxSignIn, SignInStatus, Trouble

log = logging.getLogger(__name__)

SESSION_KEY = "exchange_setup_sign_in"
SESSION_KEY_CHOOSE = "exchange_setup_choose_account"
LASTS = 15 * 60  # seconds
MENDED_BY_SIGNING_IN = {Trouble.NEEDS_SIGN_IN, Trouble.ACCESS_DENIED, Trouble.MAILBOX_UNAVAILABLE}


class OtherAccount(Exception):
    """Somebody signed in with an account that is not the user's: `account` instead of `expected`."""

    def __init__(self, account: str, expected: str) -> None:
        super().__init__(f"{account} instead of {expected}")
        self.account, self.expected = account, expected


def start_sign_in(session: SessionBase, setup: ExchangeSync, redirect_uri: str) -> str:
    """The address of Microsoft's sign-in page; what is needed on return is in the session. Raises RunError."""
    sign_in = MailboxSignIn.objects.filter(setup=setup).first()
    flow = begin(
        registration(),
        redirect_uri,
        setup.user.authentication_email,
        claims=sign_in.claims if sign_in else "",
        choose_account=bool(session.pop(SESSION_KEY_CHOOSE, False)),
    )
    session[SESSION_KEY] = {"flow": flow, "setup": setup.pk, "began": time.time()}
    return str(flow["auth_uri"])


def complete_sign_in(session: SessionBase, setup: ExchangeSync, answer: dict[str, str]) -> MailboxSignIn:
    """The sign-in, stored after every check. Raises SignInRefused, OtherAccount or RunError, storing nothing."""
    kept = session.get(SESSION_KEY)
    if kept is None or kept["setup"] != setup.pk or kept["flow"]["state"] != answer.get("state"):
        raise SignInRefused(Refusal.OTHER_SIGN_IN, "not the sign-in that this session began last")
    del session[SESSION_KEY]
    if time.time() - kept["began"] > LASTS:
        raise SignInRefused(Refusal.EXPIRED, "begun too long ago")
    signed_in = finish(registration(), kept["flow"], answer)
    try:
        check_account(signed_in, setup.user.authentication_email)
    except OtherAccount:
        session[SESSION_KEY_CHOOSE] = True
        raise
    return keep(setup, signed_in)


def check_account(signed_in: SignedIn, expected: str) -> None:
    """Raises OtherAccount unless the account signs in with, or receives its mail at, the expected address."""
    names = [str(signed_in.claims.get("preferred_username") or "")]
    if not is_among(expected, names):
        with GraphClient(settings.M365_GRAPH_URL, "", lambda *args, **kwargs: signed_in.access_token) as graph:
            account = graph.me()
        names += [account.address, account.principal_name]
    if not is_among(expected, names):
        raise OtherAccount(next(filter(None, names), "?"), expected)


def is_among(expected: str, names: list[str]) -> bool:
    return bool(expected) and expected.lower() in [name.lower() for name in names]


@transaction.atomic
def keep(setup: ExchangeSync, signed_in: SignedIn) -> MailboxSignIn:
    values: dict[str, Any] = {
        "token_cache": signed_in.token_cache,
        "home_account_id": signed_in.home_account_id,
        "account": setup.user.authentication_email,
        "status": SignInStatus.CONNECTED,
        "last_error": "",
        "claims": "",
        "renewal_claimed_until": None,
        "connected_at": timezone.now(),
    }
    sign_in, _ = MailboxSignIn.objects.update_or_create(
        setup=setup, defaults={**values, "version": F("version") + 1}, create_defaults=values
    )
    setup.move_to(setup.user.authentication_email)
    setup.note_step(1)
    if setup.trouble in MENDED_BY_SIGNING_IN:
        setup.note_trouble("")
    setup.user.note_microsoft_sign_in()
    log.info("mailbox of setup %s connected", setup.pk)
    return sign_in


@transaction.atomic
def disconnect(setup: ExchangeSync) -> None:
    """Forget the sign-in and stop syncing. The contacts stay where they are, on both sides."""
    MailboxSignIn.objects.filter(setup=setup).delete()
    if setup.trouble in MENDED_BY_SIGNING_IN:
        setup.note_trouble("")
    setup.pause()
    log.info("mailbox of setup %s disconnected", setup.pk)
