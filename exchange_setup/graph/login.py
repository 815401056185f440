"""Signing in at Microsoft Entra ID, with msal: a person's consent and its renewal, or the application's own access.

msal checks `state` and `nonce` and nothing else, so `finish` checks whose tokens they are before anybody may keep them.
msal takes https addresses only; a sandbox on this machine is reached through an adapter that stands in for one.
"""

import io
import json
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msal  # type: ignore[import-untyped]
import requests
from msal.exceptions import MsalServiceError  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter

from exchange_setup.graph.errors import NeedsSignIn, RunError, Unreachable, WrongConfiguration
from exchange_setup.graph.transport import LOOPBACK_HOSTS

# The other mode has Microsoft post to us from its own page, for which the session cookie would have to be loosened.
warnings.filterwarnings("ignore", message="response_mode='form_post'", module="msal")

STAND_IN = "https://login.sandbox.localhost"
DISCOVERY = "/.well-known/openid-configuration"
DISCOVERY_LASTS = 24 * 3600.0
TIMEOUT = (5, 30)
CLOCK_SKEW = 300.0

TOKEN_ERRORS: dict[str, type[RunError]] = {
    "invalid_grant": NeedsSignIn,
    "interaction_required": NeedsSignIn,
    "login_required": NeedsSignIn,
    "consent_required": NeedsSignIn,
    "invalid_client": WrongConfiguration,
    "unauthorized_client": WrongConfiguration,
    "invalid_scope": WrongConfiguration,
    "invalid_resource": WrongConfiguration,
    "invalid_request": WrongConfiguration,
    "unsupported_grant_type": WrongConfiguration,
    "temporarily_unavailable": Unreachable,
    "server_error": Unreachable,
}
# AADSTS numbers of trouble that passes by itself, whatever `error` comes with them.
PASSING = {50033, 50196, 90006, 90012, 90024, 90033, 90055}


class Refusal(StrEnum):
    """Why a sign-in that came back is not accepted."""

    OTHER_SIGN_IN = "other_sign_in"  # state or nonce of another flow: an old tab, or somebody else's link
    REFUSED = "refused"
    CONSENT = "consent"  # an administrator must agree first
    NOT_ASSIGNED = "not_assigned"
    OTHER_TENANT = "other_tenant"
    NOT_FOR_US = "not_for_us"  # the token is for another application, or from another issuer
    EXPIRED = "expired"
    FAILED = "failed"


BY_NUMBER = {
    65001: Refusal.CONSENT,
    90094: Refusal.CONSENT,
    90095: Refusal.CONSENT,
    65004: Refusal.REFUSED,
    50105: Refusal.NOT_ASSIGNED,
    50020: Refusal.OTHER_TENANT,
    50034: Refusal.OTHER_TENANT,
    16000: Refusal.OTHER_TENANT,
    90072: Refusal.OTHER_TENANT,
    54005: Refusal.EXPIRED,
    70008: Refusal.EXPIRED,
}
BY_ERROR = {"access_denied": Refusal.REFUSED, "consent_required": Refusal.CONSENT, "invalid_grant": Refusal.EXPIRED}


class SignInRefused(Exception):
    """A sign-in that cannot be accepted; nothing of it is kept. `detail` is Microsoft's own line, for the log."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(f"{refusal}: {detail}")
        self.refusal, self.detail = refusal, detail


@dataclass(frozen=True)
class Registration:
    """The app registration, and where to find Microsoft 365 (or a sandbox in its place)."""

    tenant: str
    client_id: str
    client_secret: str = field(repr=False)
    login_url: str
    graph_url: str

    @property
    def is_sandbox(self) -> bool:
        return urlsplit(self.login_url).hostname in LOOPBACK_HOSTS

    @property
    def authority(self) -> str:
        return f"{STAND_IN if self.is_sandbox else self.login_url}/{self.tenant}"

    @property
    def resource(self) -> str:
        """The service that tokens are for; each national cloud has its own."""
        parts = urlsplit(self.graph_url)
        return "https://graph.microsoft.com" if parts.hostname in LOOPBACK_HOSTS else f"https://{parts.netloc}"

    @property
    def scopes(self) -> list[str]:
        names = ["Contacts.ReadWrite", "User.Read"]
        is_global = self.resource == "https://graph.microsoft.com"
        return names if is_global else [f"{self.resource}/{name}" for name in names]


@dataclass(frozen=True)
class SignedIn:
    """A sign-in that belongs to our tenant and application. `claims` are the id token's; `token_cache` is msal's."""

    claims: Mapping[str, Any]
    access_token: str = field(repr=False)
    token_cache: str = field(repr=False)
    home_account_id: str


@dataclass(frozen=True)
class Token:
    """`token_cache` is set where it must be stored anew."""

    value: str = field(repr=False)
    expires_at: float
    token_cache: str | None = field(default=None, repr=False)

    @property
    def lasts(self) -> bool:
        """Whether it is good for five minutes more (msal's own measure)."""
        return self.expires_at - time.time() > 300


def begin(
    registration: Registration, redirect_uri: str, login_hint: str, *, claims: str = "", choose_account: bool = False
) -> dict[str, Any]:
    """The flow to keep in the session (plain JSON); its 'auth_uri' is where the browser goes. Raises RunError.

    With `choose_account` Microsoft asks which account, instead of taking the one that the browser has open.
    """
    app = application(registration)
    flow: dict[str, Any] = ask(
        partial(
            app.initiate_auth_code_flow,
            registration.scopes,
            redirect_uri=redirect_uri,
            login_hint=login_hint,
            prompt="select_account" if choose_account else None,
            claims_challenge=claims or None,
        )
    )
    return flow


def finish(registration: Registration, flow: dict[str, Any], answer: dict[str, str]) -> SignedIn:
    """What came back from the sign-in page, checked. Raises SignInRefused, or RunError."""
    cache = msal.SerializableTokenCache()
    app = application(registration, cache)
    try:
        result = ask(partial(app.acquire_token_by_auth_code_flow, flow, answer))
    except (ValueError, RuntimeError) as error:
        raise SignInRefused(Refusal.OTHER_SIGN_IN, type(error).__name__) from error
    if "error" in result:
        raise refusal_for(result)
    claims = result.get("id_token_claims") or {}
    check_claims(claims, registration, discover(registration)["issuer"])
    accounts = app.get_accounts()
    if not accounts:
        raise SignInRefused(Refusal.FAILED, "no account came with the tokens")
    return SignedIn(claims, result["access_token"], cache.serialize(), accounts[0]["home_account_id"])


def stored(registration: Registration, token_cache: str, home_account_id: str) -> Token | None:
    """The access token that the cache holds, whether it lasts or not, without asking Microsoft. Raises NeedsSignIn."""
    cache = opened(token_cache)
    query = {"client_id": registration.client_id, "home_account_id": home_account_id}
    kind = cache.CredentialType.ACCESS_TOKEN
    found = [Token(e["secret"], float(e["expires_on"])) for e in cache.search(kind, registration.scopes, query=query)]
    return max(found, key=lambda token: token.expires_at, default=None)


def renew(
    registration: Registration, token_cache: str, home_account_id: str, *, force: bool = False, claims: str = ""
) -> Token:
    """A token from the cache, by way of Microsoft when it is stale (or `force` or `claims` say so). Raises RunError."""
    cache = opened(token_cache)
    app = application(registration, cache)
    account = next((a for a in app.get_accounts() if a["home_account_id"] == home_account_id), None)
    result = ask(
        partial(
            app.acquire_token_silent_with_error,
            registration.scopes,
            account,
            force_refresh=force,
            claims_challenge=claims or None,
        )
    )
    token = token_of(result)
    return replace(token, token_cache=cache.serialize()) if cache.has_state_changed else token


def opened(token_cache: str) -> msal.SerializableTokenCache:
    cache = msal.SerializableTokenCache()
    try:
        cache.deserialize(token_cache)
    except ValueError as error:
        raise NeedsSignIn("the stored sign-in cannot be read") from error
    return cache


def application_token(registration: Registration, claims: str = "") -> Token:
    """A token of the application itself, for every mailbox that it may reach. Raises RunError."""
    app, scope = application(registration), f"{registration.resource}/.default"
    return token_of(ask(partial(app.acquire_token_for_client, [scope], claims_challenge=claims or None)))


def application(registration: Registration, cache: msal.TokenCache | None = None) -> Any:
    """msal's own object, for one use: it keeps what Microsoft refused for a minute, and nobody else's business."""
    try:
        return ask(
            partial(
                msal.ConfidentialClientApplication,
                registration.client_id,
                client_credential=registration.client_secret,
                authority=registration.authority,
                instance_discovery=False,
                http_client=LoginSession(registration.login_url),
                token_cache=cache,
            )
        )
    except ValueError as error:
        raise WrongConfiguration("the tenant was not found at the sign-in address") from error


def ask(request: Callable[[], Any]) -> Any:
    """Run something of msal's that may talk to Microsoft. Raises Unreachable, and msal's own ValueErrors."""
    try:
        return request()
    except (requests.RequestException, MsalServiceError, json.JSONDecodeError) as error:
        raise Unreachable(f"the sign-in service did not answer ({type(error).__name__})") from error


def token_of(result: dict[str, Any] | None) -> Token:
    if not result:
        raise NeedsSignIn("nothing is stored to renew the sign-in with")
    if "access_token" in result:
        return Token(result["access_token"], time.time() + float(result.get("expires_in", 0)))
    detail = detail_of(result)
    if PASSING & numbers_of(result):
        raise Unreachable(detail)
    kind = TOKEN_ERRORS.get(str(result.get("error")), WrongConfiguration)
    if kind is NeedsSignIn:
        raise NeedsSignIn(detail, claims=str(result.get("claims") or ""))
    raise kind(detail)


def refusal_for(result: dict[str, Any]) -> SignInRefused | RunError:
    """What an error that came back from the sign-in page, or for its code, means."""
    for number in sorted(numbers_of(result)):
        if number in BY_NUMBER:
            return SignInRefused(BY_NUMBER[number], detail_of(result))
    error = str(result.get("error"))
    if error in BY_ERROR:
        return SignInRefused(BY_ERROR[error], detail_of(result))
    kind = TOKEN_ERRORS.get(error, NeedsSignIn)
    return SignInRefused(Refusal.FAILED, detail_of(result)) if kind is NeedsSignIn else kind(detail_of(result))


def numbers_of(result: Mapping[str, Any]) -> set[int]:
    """The AADSTS numbers of an answer: given apart by the token endpoint, only in the text by the sign-in page."""
    given = result.get("error_codes")
    numbers = {code for code in given if isinstance(code, int)} if isinstance(given, list) else set()
    words = str(result.get("error_description") or "").replace(":", " ").split()
    return numbers | {int(word[6:]) for word in words if word.startswith("AADSTS") and word[6:].isdecimal()}


def detail_of(result: Mapping[str, Any]) -> str:
    lines = str(result.get("error_description") or "").splitlines() or [""]
    return f"{result.get('error')}: {lines[0][:300]}".rstrip(": ")


def check_claims(claims: Mapping[str, Any], registration: Registration, issuer: str) -> None:
    """Raises SignInRefused unless the id token is of our tenant, for our application, from our issuer, and of now."""
    if str(claims.get("tid", "")).lower() != registration.tenant.lower():
        raise SignInRefused(Refusal.OTHER_TENANT, f"tid {claims.get('tid')}")
    if claims.get("aud") != registration.client_id or claims.get("iss") != issuer:
        raise SignInRefused(Refusal.NOT_FOR_US, f"aud {claims.get('aud')}, iss {claims.get('iss')}")
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or expires < time.time() - CLOCK_SKEW:
        raise SignInRefused(Refusal.EXPIRED, "the id token has expired")


def discover(registration: Registration) -> dict[str, Any]:
    """The tenant's published addresses and issuer. Raises RunError."""
    session = LoginSession(registration.login_url)
    response = ask(partial(session.get, f"{registration.authority}/v2.0{DISCOVERY}"))
    try:
        document = response.json()
    except ValueError as error:
        raise Unreachable("the sign-in service sent something unreadable") from error
    if not isinstance(document, dict) or "issuer" not in document:
        raise WrongConfiguration("the tenant was not found at the sign-in address")
    return document


class LoginSession(requests.Session):
    """requests with what msal leaves out: time limits, no redirects, and one memory per process for the discovery."""

    known: dict[str, tuple[float, requests.Response]] = {}

    def __init__(self, login_url: str) -> None:
        super().__init__()
        self.login_url = login_url
        if urlsplit(login_url).hostname in LOOPBACK_HOSTS:
            self.mount(STAND_IN, SandboxAdapter(login_url))

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, url, *args, **{"timeout": TIMEOUT, **kwargs, "allow_redirects": False})

    def get(self, url: Any, **kwargs: Any) -> requests.Response:
        if not str(url).endswith(DISCOVERY):
            return super().get(url, **kwargs)
        key = str(url).replace(STAND_IN, self.login_url)
        read_at, response = self.known.get(key, (0.0, None))
        if response is None or time.time() - read_at > DISCOVERY_LASTS:
            response = super().get(url, **kwargs)
            if response.ok:
                self.known[key] = time.time(), response
        return response


class SandboxAdapter(HTTPAdapter):
    """Answers for the stand-in host from the sandbox's plain http address, without any proxy."""

    def __init__(self, login_url: str) -> None:
        super().__init__()
        self.login_url = login_url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request = request.copy()
        request.url = str(request.url).replace(STAND_IN, self.login_url, 1)
        response = super().send(request, *args, **{**kwargs, "proxies": None})
        return self.with_our_addresses(response) if request.url.endswith(DISCOVERY) and response.ok else response

    def with_our_addresses(self, response: requests.Response) -> requests.Response:
        """The discovery document with https for msal's own calls and the real address for the browser's."""
        document = response.json()
        token_endpoint = str(document["token_endpoint"]).replace(self.login_url, STAND_IN, 1)
        page = str(document["authorization_endpoint"]).replace(STAND_IN, self.login_url, 1)
        mended = requests.Response()
        mended.status_code, mended.url = response.status_code, response.url
        mended.headers["Content-Type"] = "application/json"
        content = {**document, "token_endpoint": token_endpoint, "authorization_endpoint": page}
        mended.raw = io.BytesIO(json.dumps(content).encode())
        return mended
