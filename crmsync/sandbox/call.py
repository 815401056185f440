"""One call of Graph, whether it came as a request of its own or as an item of a batch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from crmsync.sandbox import odata
from crmsync.sandbox.faults import Rule
from crmsync.sandbox.mailbox import Mailbox
from crmsync.sandbox.switches import Switches

_KEYED = re.compile(r"^([\w.$]+)\('((?:[^']|'')*)'\)$")


@dataclass(frozen=True)
class Caller:
    """Whose token it is: a person's (`oid`), or the application's own (no `oid`)."""

    oid: str
    scopes: frozenset[str]
    client: str


@dataclass
class Call:
    """`path` is relative to the version ("/me/contacts"), still encoded; `headers` have lower-case names.

    `body` is parsed JSON, or bytes of another type. `root` is the address of the version, for links.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    root: str
    caller: Caller
    switches: Switches
    size: int = 0
    is_item: bool = False
    rules: list[Rule] = field(default_factory=list)
    pause: float = 0.0
    found_mailbox: Mailbox | None = None

    @cached_property
    def segments(self) -> list[str]:
        return segments(self.path)

    @cached_property
    def preferences(self) -> tuple[bool, int | None, bool]:
        return odata.preferences(self.headers.get("prefer", ""))

    @property
    def immutable(self) -> bool:
        return self.preferences[0]

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox that the call is on, once it was looked up."""
        if self.found_mailbox is None:
            raise RuntimeError("this call is on no mailbox")
        return self.found_mailbox

    @property
    def owner(self) -> str:
        """How links name the mailbox: as the caller did."""
        return "/me" if self.segments[0].lower() == "me" else f"/users('{self.segments[1]}')"

    @property
    def context(self) -> str:
        return f"{self.root}/$metadata#users('{self.mailbox.oid}')"


def segments(path: str) -> list[str]:
    """The parts of a path, with a key in parentheses as a part of its own, and keys decoded."""
    parts: list[str] = []
    for part in path.strip("/").split("/"):
        text = unquote(part)
        if keyed := _KEYED.match(text):
            parts += [keyed[1], keyed[2].replace("''", "'")]
        else:
            parts.append(text)
    return parts


def split_url(url: str) -> tuple[str, dict[str, str]]:
    """The path (still encoded) and the query of a URL; of a parameter given twice the last one counts."""
    parts = urlsplit(url)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
