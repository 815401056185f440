"""Values for reading: as people write them, and two of them side by side with the part marked that differs."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from typing import Any

from django.utils.formats import date_format
from django_countries import countries


@dataclass(frozen=True)
class Marked:
    """A value for reading; `changed` is the part that differs from the value beside it."""

    head: str
    changed: str
    tail: str

    def __bool__(self) -> bool:
        return bool(self.head or self.changed or self.tail)


def shown(name: str, value: Any) -> str:
    """A field's value as people write it: a country by name, a date by locale, a list with commas; '' for nothing."""
    if not value:
        return ""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if name == "country":
        return str(countries.name(str(value))) or str(value)
    if name == "birthday":
        with suppress(ValueError):
            return date_format(date.fromisoformat(str(value)), "DATE_FORMAT")
    return str(value)


def clipped(text: str, longest: int = 1_000) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def mark(before: str, after: str) -> tuple[Marked, Marked]:
    """Both texts, each parted into the words that they begin with alike, what differs, and what they end with alike."""
    old, new = re.findall(r"\w+|\W", before), re.findall(r"\w+|\W", after)
    start = common(old, new)
    end = common(old[start:][::-1], new[start:][::-1])
    return marked(old, start, end), marked(new, start, end)


def common(old: list[str], new: list[str]) -> int:
    return sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def marked(parts: list[str], start: int, end: int) -> Marked:
    stop = len(parts) - end
    head, changed, tail = "".join(parts[:start]), "".join(parts[start:stop]), "".join(parts[stop:])
    return Marked(
        f"…{head[-60:].lstrip(' .,;:')}" if len(head) > 80 else head,
        f"{changed[:300].rstrip()}…" if len(changed) > 320 else changed,
        f"{tail[:60].rstrip()}…" if len(tail) > 80 else tail,
    )
