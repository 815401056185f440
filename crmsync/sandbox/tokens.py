"""Access tokens: who, for what, until when, signed with the tenant's own secret. Nobody but this tenant reads them."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

from crmsync.sandbox.answers import Refusal
from crmsync.sandbox.call import Caller
from crmsync.sandbox.store import Store

PREFIX = "https://graph.microsoft.com/"
PLAIN = {"openid", "profile", "offline_access", "email"}


class Tokens:
    """Makes and reads the access tokens of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self.store, self.tenant = store, tenant
        self._key = store.secret.encode()
        self._read: dict[str, tuple[float, Caller]] = {}

    def access_token(self, oid: str, scopes: list[str], client: str) -> str:
        """A token for the person `oid`, or for the application itself when that is empty."""
        now = int(time.time())
        lifetime = self.store.switches.access_token_seconds
        claims = {"aud": PREFIX.rstrip("/"), "tid": self.tenant, "oid": oid, "appid": client, "iat": now}
        claims |= {"exp": now + lifetime, "scp": " ".join(scopes), "jti": str(uuid.uuid4())}
        text = unsigned(claims, {"typ": "JWT", "alg": "HS256"})
        return f"{text}{_packed(self._signature(text))}"

    def caller(self, authorization: str) -> Caller:
        """Whose token the Authorization header holds. Refusal (401) if none, or not a good one."""
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise unauthorized("Access token is empty.")
        known = self._read.get(token)
        if known is None:
            known = self._checked(token)
            if len(self._read) > 1000:
                self._read.clear()
            self._read[token] = known
        if known[0] < time.time():
            raise unauthorized("Lifetime validation failed, the token is expired.")
        return known[1]

    def _checked(self, token: str) -> tuple[float, Caller]:
        text, _, signature = token.rpartition(".")
        try:
            good = hmac.compare_digest(_unpacked(signature), self._signature(text + "."))
            claims = json.loads(_unpacked(text.split(".")[1])) if good else {}
        except (ValueError, IndexError):
            claims = {}
        if not claims:
            raise unauthorized("CompactToken parsing failed with error code: 80049217")
        return claims["exp"], Caller(claims["oid"], frozenset(claims["scp"].split()), claims["appid"])

    def _signature(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode(), hashlib.sha256).digest()


def granted(scope: str) -> list[str]:
    """The names of Graph's permissions in a scope parameter, without their prefix and without OpenID's own."""
    return [name.removeprefix(PREFIX) for name in scope.split() if name not in PLAIN]


def unsigned(claims: dict[str, Any], header: dict[str, str] | None = None) -> str:
    """Header and claims of a token, with the dot after which a signature would stand."""
    parts = (header or {"typ": "JWT", "alg": "none"}, claims)
    return "".join(_packed(json.dumps(part).encode()) + "." for part in parts)


def client_info(oid: str, tenant: str) -> str:
    return _packed(json.dumps({"uid": oid, "utid": tenant}).encode())


def unauthorized(message: str) -> Refusal:
    challenge = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    return Refusal(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})


def _packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
