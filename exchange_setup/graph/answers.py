"""One answer of Graph, and the table that says which error an unwanted answer is."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from exchange_setup.graph.errors import (
    AccessDenied,
    BadAnswer,
    ChangedMeanwhile,
    FolderGone,
    GraphError,
    MailboxUnavailable,
    NeedsSignIn,
    NotFound,
    QuotaFull,
    Refused,
    ResyncRequired,
)

# Try again after a pause: busy, locked, or in the middle of something. 424 is a batch's word for "not even tried".
AGAIN = {408, 423, 424, 429, 500, 502, 503, 504, 509}
# Of these, the ones that say that nothing was carried out, so that even a create may be sent again.
NOT_CARRIED_OUT = {423, 424, 429, 509}
# And the ones that leave it open. A 503 is neither: good enough as a no, but not for making a contact a second time.
MAYBE_DONE = {408, 500, 502, 504}


class Subject(Enum):
    """What a request is about, and so what it means that it was not found or not understood."""

    MAILBOX = "mailbox"
    FOLDER = "folder"
    LINK = "link"
    ITEM = "item"
    NEW_ITEM = "new item"
    SUBSCRIPTION = "subscription"

    @property
    def is_one_of_many(self) -> bool:
        """Whether a refusal concerns this item alone."""
        return self in {Subject.ITEM, Subject.NEW_ITEM, Subject.SUBSCRIPTION}


BY_CODE: dict[str, type[GraphError]] = {
    "mailboxnotenabledforrestapi": MailboxUnavailable,
    "mailboxnotsupportedforrestapi": MailboxUnavailable,
    "errornonexistentmailbox": MailboxUnavailable,
    "errorinvaliduser": MailboxUnavailable,
    "resourcenotfound": MailboxUnavailable,
    "request_resourcenotfound": MailboxUnavailable,
    "errorfoldernotfound": FolderGone,
    "errorsyncfoldernotfound": FolderGone,
    "erroraccessdenied": AccessDenied,
    "accessdenied": AccessDenied,
    "authorization_requestdenied": AccessDenied,
    "errorquotaexceeded": QuotaFull,
    "quotalimitreached": QuotaFull,
    "syncstatenotfound": ResyncRequired,
    "syncstateinvalid": ResyncRequired,
    "resyncrequired": ResyncRequired,
    "errorirresolvableconflict": ChangedMeanwhile,
    "resourcemodified": ChangedMeanwhile,
}

BY_STATUS: dict[int, type[GraphError]] = {
    401: NeedsSignIn,
    403: AccessDenied,
    410: ResyncRequired,
    412: ChangedMeanwhile,
    507: QuotaFull,
}

NOT_FOUND: dict[Subject, type[GraphError]] = {
    Subject.MAILBOX: MailboxUnavailable,
    Subject.FOLDER: FolderGone,
    Subject.LINK: FolderGone,
    Subject.ITEM: NotFound,
    Subject.NEW_ITEM: FolderGone,
    Subject.SUBSCRIPTION: NotFound,
}


@dataclass(frozen=True)
class Answer:
    """A status, its headers with names in lower case, and the JSON object of the body ({} where there is none).

    `in_doubt`: an earlier try may have been carried out already.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    in_doubt: bool = False

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def codes(self) -> list[str]:
        """Graph's error codes from the outermost to the innermost, as they were written."""
        found: list[str] = []
        error = self.body.get("error")
        while isinstance(error, dict) and len(found) < 10:
            if isinstance(error.get("code"), str):
                found.append(error["code"])
            error = error.get("innerError") or error.get("innererror")
        return found

    @property
    def message(self) -> str:
        error = self.body.get("error")
        text = error.get("message") if isinstance(error, dict) else None
        return text[:500] if isinstance(text, str) else ""

    @property
    def detail(self) -> str:
        """'404 ErrorItemNotFound: The specified object …', for the log and the details line."""
        return f"{self.status} {'/'.join(self.codes[:1])}: {self.message}".replace(" : ", ": ").rstrip(": ")

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait, None where it does not say."""
        return read_retry_after(self.headers.get("retry-after", ""))


def read_retry_after(text: str) -> float | None:
    """Seconds (fractions occur) or a date, as seconds from now; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def error_for(answer: Answer, subject: Subject) -> GraphError:
    """The error that an answer outside 200–299 is, for a request about `subject`."""
    codes = [code.lower() for code in answer.codes]
    if subject is Subject.SUBSCRIPTION and answer.status == 404:  # with a code that elsewhere means the mailbox
        return NotFound(answer.detail)
    for code in codes:
        if code in BY_CODE:
            return BY_CODE[code](answer.detail)
    if subject is Subject.LINK and answer.status in {400, 410}:
        return ResyncRequired(answer.detail)
    if answer.status == 404 or "errorinvalididmalformed" in codes:
        return NOT_FOUND[subject](answer.detail)
    if answer.status in BY_STATUS:
        return BY_STATUS[answer.status](answer.detail)
    if subject.is_one_of_many and 400 <= answer.status < 600:
        return Refused((answer.codes or [str(answer.status)])[0], answer.message)
    return BadAnswer(answer.detail)
