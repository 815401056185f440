"""The one way to Graph. Each layer does what its name says and calls the next:

send → _send_until_answered (pauses, lost answers) → _send_signed_in (401, 403) → _exchange (one HTTP request) → _read
"""

import base64
import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import NewConnectionError
from urllib3.util.retry import Retry

from exchange_setup.graph.answers import AGAIN, NOT_CARRIED_OUT, Answer, Subject, error_for
from exchange_setup.graph.errors import BadAnswer, NeedsSignIn, OutcomeUnknown, RunError, Unreachable
from exchange_setup.graph.patience import LONGEST, Patience, pause

log = logging.getLogger(__name__)

LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}
IMMUTABLE_IDS = 'IdType="ImmutableId"'
LARGEST_ANSWER = 64 * 1024 * 1024
LONGEST_ANSWER = 300.0  # seconds from the first byte to the last


class TokenSource(Protocol):
    def __call__(self, force: bool = False, claims: str | None = None) -> str:
        """An access token; a fresh one with `force`; one that meets `claims`. Raises RunError."""


class NoAnswer(Exception):
    """The answer did not come, or not whole. `sent` is False where the request surely never left.

    `give_up` is what to raise when trying again does not help either.
    """

    def __init__(self, give_up: RunError, *, sent: bool = True) -> None:
        super().__init__(give_up.detail)
        self.give_up = give_up
        self.sent = sent


@dataclass(frozen=True)
class Request:
    """`repeatable`: doing it twice is the same as doing it once."""

    method: str
    url: str
    subject: Subject
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


class Bearer(AuthBase):
    """Set per request; without it, requests would take a password from ~/.netrc instead."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Transport:
    """Sends requests below `base_url` and nowhere else. `requests` counts those that went out."""

    def __init__(
        self, base_url: str, token: TokenSource, *, wait: Callable[[float], object], timeout: tuple[float, float]
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.requests = 0
        self._token = token
        self._wait = wait
        self._timeout = timeout
        self._not_before = 0.0
        self._session = new_session(self.base_url)
        self._background = ThreadPoolExecutor(max_workers=1)  # only ever exchanges: pauses and tokens are the caller's

    def close(self) -> None:
        """Wait for what is under way, and let go of the connections."""
        self._background.shutdown()
        self._session.close()

    def begin(self, request: Request) -> Future[Answer]:
        """Send `request` in the background, for `send` to take over; until it does, nothing else may be sent."""
        self._refuse_elsewhere(request)
        self._hold()
        try:
            token = self._token()
        except RunError as error:
            failed: Future[Answer] = Future()
            failed.set_exception(error)
            return failed
        return self._background.submit(self._exchange, request, token)

    def send(self, request: Request, begun: Future[Answer] | None = None) -> Answer:
        """The answer, always one of 200–299; anything else is raised as the error that it means.

        A request that is not repeatable and whose answer was lost raises OutcomeUnknown.
        """
        self._refuse_elsewhere(request)
        answer = self._send_until_answered(request, begun)
        if not answer.ok:
            error = error_for(answer, request.subject)
            error.maybe_done |= answer.in_doubt
            raise error
        return answer

    def is_ours(self, url: str) -> bool:
        """Whether `url` is below the configured Graph address: scheme, host, port and path, with no way out of it."""
        if re.search(r"[\x00-\x20\x7f\\]", url) or ".." in unquote(url.partition("?")[0]).split("/"):
            return False
        try:
            asked, base = urlsplit(url), urlsplit(self.base_url)
            same_place = (asked.scheme, asked.hostname, port(asked)) == (base.scheme, base.hostname, port(base))
        except ValueError:
            return False
        return same_place and "@" not in asked.netloc and asked.path.startswith(f"{base.path}/")

    def renew_token(self, claims: str) -> None:
        """Have the next request go out with a fresh token."""
        self._token(force=True, claims=claims or None)

    def hold_back(self, seconds: float) -> None:
        """Let no request out before `seconds` have passed."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _refuse_elsewhere(self, request: Request) -> None:
        if not self.is_ours(request.url):
            raise BadAnswer("an address outside Microsoft Graph was refused")

    def _hold(self) -> None:
        pause(self._not_before - time.monotonic(), self._wait)
        self._not_before = 0.0

    def _send_until_answered(self, request: Request, begun: Future[Answer] | None) -> Answer:
        patience = Patience()
        while True:
            self._hold()
            try:
                under_way, begun = begun, None
                answer = self._send_signed_in(request, under_way)
            except NoAnswer as error:
                log.warning("%s %s: %s", request.method, request.subject.value, error)
                if error.sent and not request.repeatable:
                    raise OutcomeUnknown(str(error)) from error
                self.hold_back(patience.after_lost(error.give_up, sent=error.sent))
                continue
            except RunError as error:
                error.maybe_done |= patience.in_doubt
                raise
            if answer.status not in AGAIN:
                return replace(answer, in_doubt=patience.in_doubt)
            log.warning("%s %s: %s", request.method, request.subject.value, answer.detail)
            if answer.status >= 500:
                self._session.close()  # so that the next try takes a new connection, as Microsoft advises
            if not request.repeatable and answer.status not in NOT_CARRIED_OUT:
                self.hold_back(min(LONGEST, answer.retry_after or 0.0))
                raise OutcomeUnknown(answer.detail)
            try:
                self.hold_back(patience.after([answer]))
            except Unreachable:
                if request.subject.is_one_of_many and answer.status == 500:
                    return answer  # Outlook fails at this one item; the mailbox is there
                raise

    def _send_signed_in(self, request: Request, begun: Future[Answer] | None) -> Answer:
        answer = begun.result() if begun else self._exchange(request, self._token())
        if answer.status in {401, 403}:  # the token may have run out, or be older than what was granted meanwhile
            claims = claims_in(answer.headers.get("www-authenticate", ""))
            answer = self._exchange(request, self._token(force=True, claims=claims or None))
            if answer.status == 401:
                raise NeedsSignIn(answer.detail, claims=claims_in(answer.headers.get("www-authenticate", "")))
        return answer

    def _exchange(self, request: Request, token: str) -> Answer:
        headers = {
            "Accept": "application/json",
            "Prefer": IMMUTABLE_IDS,
            "client-request-id": str(uuid.uuid4()),
            "User-Agent": "crmsync",
            **request.headers,
        }
        self.requests += 1
        try:
            with self._session.request(
                request.method, request.url, json=request.body, headers=headers, auth=Bearer(token),
                timeout=self._timeout, allow_redirects=False, stream=True,
            ) as response:  # fmt: skip
                return read(response)
        except requests.exceptions.InvalidURL as error:
            raise BadAnswer("an address that cannot be read") from error
        except requests.RequestException as error:
            raise NoAnswer(Unreachable(f"no answer ({type(error).__name__})"), sent=was_sent(error)) from error


def new_session(base_url: str) -> requests.Session:
    """Four connections at most, which is what Graph allows for one mailbox; no cookies; no proxy to this machine."""
    session = requests.Session()
    session.trust_env = urlsplit(base_url).hostname not in LOOPBACK_HOSTS
    session.cookies = NoCookies()
    retry = Retry(connect=2, read=0, redirect=0, status=0, other=0, backoff_factor=0.2, raise_on_status=False)
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=4, pool_block=True, max_retries=retry)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class NoCookies(RequestsCookieJar):
    def set_cookie(self, cookie: Any, *args: Any, **kwargs: Any) -> None:
        return None


def read(response: requests.Response) -> Answer:
    """The answer with its JSON object. Raises NoAnswer where a success cannot be read, BadAnswer for a redirect."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    if 300 <= response.status_code < 400:
        raise BadAnswer(f"{response.status_code}: a redirect was refused")
    content = read_content(response)
    try:
        body = storable(json.loads(content), content) if content.strip() else {}
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return Answer(response.status_code, headers, body)
    if response.ok:
        raise NoAnswer(BadAnswer(f"{response.status_code}: the answer is not a JSON object"))
    return Answer(response.status_code, headers)


def storable(value: Any, content: bytes = b"") -> Any:
    """`value` without the characters that no database keeps and no JSON text must have: NUL, halves of a pair."""
    if content and b"\\u0000" not in content and b"\\ud" not in content and b"\\uD" not in content:
        return value  # as good as always
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(entry) for entry in value]
    if isinstance(value, dict):
        return {storable(name): storable(entry) for name, entry in value.items()}
    return value


def read_content(response: requests.Response) -> bytes:
    """The body, unpacked. Raises BadAnswer where it is larger, NoAnswer where it is slower, than any honest answer."""
    deadline = time.monotonic() + LONGEST_ANSWER
    content = bytearray()
    for chunk in response.iter_content(64 * 1024):
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise BadAnswer(f"{response.status_code}: the answer is larger than {LARGEST_ANSWER >> 20} MB")
        if time.monotonic() > deadline:
            raise NoAnswer(Unreachable(f"{response.status_code}: the answer did not end"))
    return bytes(content)


def was_sent(error: requests.RequestException) -> bool:
    """False where the connection was never made."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(reason, NewConnectionError)


def port(parts: Any) -> int | None:
    return parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def claims_in(challenge: str) -> str:
    """The claims that a WWW-Authenticate header asks for, as a JSON text; '' where it asks for none."""
    found = re.search(r'claims="([^"]+)"', challenge)
    if not found:
        return ""
    text = found[1]
    candidates = [unquote(text)]
    with contextlib.suppress(ValueError):
        candidates.append(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    return next((candidate for candidate in candidates if is_json_object(candidate)), "")


def is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
