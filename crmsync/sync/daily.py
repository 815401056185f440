"""Changes per day, both directions, as the bars of a small chart. Pure: numbers in, the places of bars out.

Up is what went to Outlook, down what came into the CRM. Across, places are percentages, so that the chart fits any
width; up and down they are pixels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Self

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crmsync.sync import words

DAYS = 30
SIDES = ("outlook", "crm")  # up and down
HEIGHT = 124  # pixels that the highest bar up and the highest bar down take together
ROOM = 18  # pixels above and below them, for their numbers
LEAST = 3  # pixels, so that a single change can be seen beside a thousand
GAP = 0.3  # of a day's width, left free between bars
OUTLIER = 4  # so many times the next lower value, and a bar is cut rather than pressing all others flat
MOST_CUT = 3


@dataclass(frozen=True)
class Day:
    """How many contacts were created, updated or deleted on each side on one day."""

    date: date
    outlook: int = 0
    crm: int = 0

    @property
    def name(self) -> str:
        return date_format(self.date, "MONTH_DAY_FORMAT")

    @property
    def label(self) -> str:
        """'3 November: 12 to Outlook, 4 to the CRM'."""
        numbers = {"day": self.name, "outlook": words.number(self.outlook), "crm": words.number(self.crm)}
        return _("%(day)s: %(outlook)s to Outlook, %(crm)s to the CRM") % numbers


@dataclass(frozen=True)
class Bar:
    """`x`, `middle` and `width` in per cent, the rest in pixels; `count` is '' where no number is written beside it."""

    side: str
    x: str
    middle: str
    width: str
    y: int
    height: int
    is_cut: bool
    count: str

    @property
    def count_y(self) -> int:
        return self.y - 5 if self.side == "outlook" else self.y + self.height + 13

    @property
    def cut_y(self) -> int:
        return self.y + (self.height // 4 if self.side == "outlook" else self.height * 3 // 4)


@dataclass(frozen=True)
class Column:
    """One day with the strip that its label hovers over, and its bars."""

    day: Day
    x: str
    width: str
    bars: list[Bar]


@dataclass(frozen=True)
class Chart:
    """The last days in order, the present one last. `most` is the value above which a bar is cut."""

    days: list[Day]
    most: int

    height = HEIGHT + 2 * ROOM

    @classmethod
    def of(cls, counted: Mapping[date, tuple[int, int]], today: date) -> Self:
        """`counted` has (to Outlook, to the CRM) by day; a day that is not in it had no change."""
        dates = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
        days = [Day(day, *counted.get(day, (0, 0))) for day in dates]
        return cls(days, ceiling(value for day in days for value in (day.outlook, day.crm)))

    @property
    def to_outlook(self) -> int:
        return sum(day.outlook for day in self.days)

    @property
    def to_crm(self) -> int:
        return sum(day.crm for day in self.days)

    @property
    def is_empty(self) -> bool:
        return not (self.to_outlook or self.to_crm)

    @property
    def ticks(self) -> list[Day]:
        """The days that are named below the chart."""
        return [self.days[0], self.days[DAYS // 2 - 1], self.days[-1]]

    @cached_property
    def reach(self) -> tuple[int, int]:
        """The values of the longest bar up and of the longest bar down, as they are drawn."""
        up, down = (max(getattr(day, side) for day in self.days) for side in SIDES)
        return min(up, self.most), min(down, self.most)

    @property
    def middle(self) -> int:
        """Where up and down meet, in pixels from the top."""
        return ROOM + self.pixels(self.reach[0])

    def pixels(self, value: int) -> int:
        return HEIGHT * min(value, self.most) // (sum(self.reach) or 1)

    @property
    def columns(self) -> list[Column]:
        slot = 100 / len(self.days)
        return [
            Column(day, percent(number * slot), percent(slot), list(self.bars(day, number * slot, slot)))
            for number, day in enumerate(self.days)
        ]

    @property
    def is_cut(self) -> bool:
        """Whether a bar is drawn shorter than it is."""
        return any(max(day.outlook, day.crm) > self.most for day in self.days)

    @cached_property
    def longest(self) -> dict[str, Day | None]:
        """By side the last of the days with the longest bar that is drawn in full, by which the others are read."""
        return {side: self.longest_of(side) for side in SIDES}

    def longest_of(self, side: str) -> Day | None:
        whole = [day for day in reversed(self.days) if 0 < getattr(day, side) <= self.most]
        return max(whole, key=lambda day: getattr(day, side), default=None)

    def bars(self, day: Day, left: float, slot: float) -> Iterable[Bar]:
        """The bars of a day whose strip begins at `left`. The longest of each side and the cut ones are numbered."""
        x, middle, width = percent(left + slot * GAP / 2), percent(left + slot / 2), percent(slot * (1 - GAP))
        for side in SIDES:
            if value := getattr(day, side):
                height = max(LEAST, self.pixels(value))
                y = self.middle - height if side == "outlook" else self.middle
                is_cut = value > self.most
                count = words.number(value) if is_cut or day is self.longest[side] else ""
                yield Bar(side, x, middle, width, y, height, is_cut, count)


def ceiling(values: Iterable[int]) -> int:
    """The value of a bar of full height: the highest, or less where a few days stand far above all others."""
    ranked = sorted((value for value in values if value), reverse=True)
    for higher, lower in pairwise(ranked[: MOST_CUT + 1]):
        if higher > OUTLIER * lower:
            return lower * 3 // 2 + 1
    return ranked[0] if ranked else 1


def percent(value: float) -> str:
    """An SVG length, with a point whatever the language."""
    return f"{value:.2f}%"
