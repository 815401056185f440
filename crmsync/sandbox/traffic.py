"""What came in: the log of requests, how many at a time, and the limits of the service where they are enforced."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from crmsync.sandbox.answers import Refusal
from crmsync.sandbox.switches import Switches

KEPT = 10_000
LANES = 4


@dataclass
class Entry:
    """One HTTP request. `mailbox` is an e-mail; `items` are the calls inside a batch, in the order they were sent."""

    kind: str
    method: str
    path: str
    status: int = 0
    mailbox: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    def as_dict(self) -> dict[str, Any]:
        values = asdict(self)
        values["batch_items"] = values.pop("items")
        return values


class Traffic:
    """In memory only: a restart forgets it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self._inside: dict[str, int] = defaultdict(int)
        self.peaks: dict[str, int] = defaultdict(int)
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._uploads: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def clear(self) -> None:
        with self._lock:
            self.entries.clear()
            self.peaks.clear()
            self._calls.clear()
            self._uploads.clear()

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)

    @contextmanager
    def inside(self, mailbox: str, lanes: int, switches: Switches) -> Iterator[int]:
        """Count `lanes` calls as under way; gives how many of them Exchange lets in (all, unless limits are on)."""
        with self._lock:
            room = max(0, switches.concurrency - self._inside[mailbox]) if switches.throttle else lanes
            let_in = min(lanes, room)
            self._inside[mailbox] += let_in
            self.peaks[mailbox] = max(self.peaks[mailbox], self._inside[mailbox])
        try:
            yield let_in
        finally:
            with self._lock:
                self._inside[mailbox] -= let_in

    def check_quota(self, mailbox: str, size: int, switches: Switches) -> None:
        """Count a call against the mailbox's windows. Refusal (429) if one of them is full; that call counts too."""
        if not switches.throttle:
            return
        now = time.monotonic()
        with self._lock:
            calls, uploads = self._calls[mailbox], self._uploads[mailbox]
            calls.append(now)
            uploads.append((now, size))
            while calls and calls[0] < now - switches.quota_seconds:
                calls.popleft()
            while uploads and uploads[0][0] < now - switches.upload_seconds:
                uploads.popleft()
            too_many = len(calls) > switches.quota
            too_much = sum(sent for _, sent in uploads) > switches.upload_mb * 1_000_000 if size else False
        if too_many or too_much:
            raise over_limit("RequestRate" if too_many else "IncomingBytes", switches)


def over_limit(limit: str, switches: Switches) -> Refusal:
    """429 as Exchange words it. `limit`: MailboxConcurrency, RequestRate or IncomingBytes."""
    headers = {"Retry-After": switches.retry_after} if switches.retry_after else {}
    return Refusal(429, "ApplicationThrottled", f"Application is over its {limit} limit.", headers)
