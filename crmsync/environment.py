"""Reading the settings from the environment.

A wrong value never stops Python from importing the settings: it is noted in `problems`, the default is used, and
`crmsync.checks` turns each note into a system check error with an id and a hint. `crmsync.wsgi` refuses to serve while
there are any.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from environs import Env, EnvError

T = TypeVar("T")

LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Problem:
    """One wrong value: the variable, what is wrong with it, and what to write instead. Never the value itself."""

    variable: str
    message: str
    hint: str


@dataclass
class Environment:
    """The environment variables, each read at most once, with what was wrong with them."""

    env: Env = field(default_factory=Env)
    problems: list[Problem] = field(default_factory=list)

    def read_file(self, path: Path, *, skip_prefix: str = "") -> None:
        """Take NAME=value lines from `path`, where it exists, for variables that the environment does not set.

        With `skip_prefix`, the lines whose name starts with it are left out once the environment sets any such name,
        so that half of one tenant is never mixed with half of another.
        """
        if not path.is_file():
            return
        skip = skip_prefix and any(name.startswith(skip_prefix) for name in os.environ)
        for line in path.read_text().splitlines():
            name, separator, value = line.partition("=")
            if separator and not name.startswith("#") and not (skip and name.startswith(skip_prefix)):
                os.environ.setdefault(name.strip(), value.strip())

    def problem(self, variable: str, message: str, hint: str) -> None:
        self.problems.append(Problem(variable, message, hint))

    def text(self, name: str, default: str = "") -> str:
        return self.env.str(name, default).strip()

    def secret(self, name: str, default: str = "") -> str:
        """The value of `NAME`, or the content of the file that `NAME_FILE` names."""
        path = self.text(f"{name}_FILE")
        if not path:
            return self.text(name, default)
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            self.problem(
                f"{name}_FILE", f"the file cannot be read ({error.strerror})", "Name a file that this user may read."
            )
            return default

    def flag(self, name: str, default: bool = False) -> bool:
        return self._parsed(name, self.env.bool, default, "is neither true nor false", "Use 1 or 0.")

    def number(self, name: str, default: int, *, least: int = 0) -> int:
        value = self._parsed(name, self.env.int, default, "is not a whole number", f"Use a number of at least {least}.")
        if value < least:
            self.problem(name, f"is below {least}", f"Use a number of at least {least}.")
            return default
        return value

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            self.problem(name, "is none of the known values", f"Use one of: {', '.join(choices)}.")
            return default
        return value

    def day(self, name: str) -> date | None:
        """A date such as 2027-03-31; None where it is not set."""
        value = self.text(name)
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            self.problem(name, "is not a date", "Use the year, the month and the day, such as 2027-03-31.")
            return None

    def listed(self, name: str, default: list[str] | None = None) -> list[str]:
        return [part.strip() for part in self.text(name).split(",") if part.strip()] or (default or [])

    def service_url(self, name: str, default: str) -> str:
        """An https address, or plain http on this machine only (a sandbox)."""
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        if parts.scheme == "https" and parts.hostname:
            return value
        if parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS:
            return value
        self.problem(name, "is not an https address", f"Use {default}, or http://127.0.0.1:PORT for a sandbox.")
        return default

    def database(self, name: str, default: str) -> dict[str, Any]:
        try:
            return self.env.dj_db_url(name, default)
        except (EnvError, ValueError, KeyError):
            self.problem(
                name, "is not a database address", "Use postgres://user:password@host:5432/name, or leave it unset."
            )
            return self.env.dj_db_url("CRMSYNC_UNSET_DATABASE_URL", default)

    def _parsed(self, name: str, read: Callable[..., T], default: T, message: str, hint: str) -> T:
        try:
            return read(name, default)
        except EnvError:
            self.problem(name, message, hint)
            return default


def is_public(url: str) -> bool:
    """Whether the whole internet may reach `url`, over https."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost", ".lan"))


def is_loopback(url: str) -> bool:
    """Whether `url` is on this machine."""
    return urlsplit(url).hostname in LOOPBACK_HOSTS
