"""Dates as people write them in a filter. They read the same in every language, since a filter outlives a page."""

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

DAY = timedelta(days=1)
TODAY = r"(?:today|t|i ?dag)"


class Period(NamedTuple):
    """From `start` up to, not including, `end`: local times, without a zone."""

    start: datetime
    end: datetime

    @property
    def is_whole_days(self) -> bool:
        return self.start.time() == self.end.time() == time.min


def period_of(text: str, today: date) -> Period | None:
    """The time that `text` stands for, or None where it is no date.

    A day (2026-05-31, 31-05-2026, 31.05.2026, 31/05/2026), a day and a time (2026-05-31 14:30), a month (2026-05), a
    year (2026), `today`, or so many days, weeks, months or years from it (today-30d, t-1m).
    """
    for pattern, read in READERS:
        found = pattern.fullmatch(text.strip())
        if found:
            try:
                return read(found, today)
            except (ValueError, OverflowError):
                return None
    return None


def is_relative(text: str) -> bool:
    """Whether `text` stands for another time tomorrow: today, today-30d."""
    return any(read is _from_today and pattern.fullmatch(text.strip()) for pattern, read in READERS)


def _year(found: re.Match[str], today: date) -> Period:
    year = int(found["year"])
    return Period(datetime(year, 1, 1), datetime(year + 1, 1, 1))


def _month(found: re.Match[str], today: date) -> Period:
    start = datetime(int(found["year"]), int(found["month"]), 1)
    return Period(start, datetime.combine(months_later(start.date(), 1), time.min))


def _day(found: re.Match[str], today: date) -> Period:
    day = datetime(int(found["year"]), int(found["month"]), int(found["day"]))
    if not found["hour"]:
        return Period(day, day + DAY)
    start = day.replace(hour=int(found["hour"]), minute=int(found["minute"]), second=int(found["second"] or 0))
    return Period(start, start + (timedelta(seconds=1) if found["second"] else timedelta(minutes=1)))


def _from_today(found: re.Match[str], today: date) -> Period:
    count = int(found["count"] or 0)
    match (found["unit"] or "d").lower():
        case "d":
            day = today + timedelta(days=count)
        case "w" | "u":
            day = today + timedelta(weeks=count)
        case "m":
            day = months_later(today, count)
        case _:
            day = months_later(today, 12 * count)
    start = datetime.combine(day, time.min)
    return Period(start, start + DAY)


def months_later(day: date, count: int) -> date:
    """The same day `count` months later (or earlier), or the last one of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


CLOCK = r"(?:[ T](?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?"
READERS: list[tuple[re.Pattern[str], Callable[[re.Match[str], date], Period]]] = [
    (re.compile(r"(?P<year>\d{4})", re.ASCII), _year),
    (re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})", re.ASCII), _month),
    (re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})" + CLOCK, re.ASCII), _day),
    (re.compile(r"(?P<day>\d{1,2})([-./])(?P<month>\d{1,2})\2(?P<year>\d{4})" + CLOCK, re.ASCII), _day),
    (re.compile(TODAY + r"(?: ?(?P<count>[+-] ?\d{1,6}) ?(?P<unit>[dwumyå]))?", re.ASCII | re.IGNORECASE), _from_today),
]
