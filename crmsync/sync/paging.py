"""Pages by key: the next page begins after the last id of this one, so the thousandth costs what the first does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
Params = Mapping[str, str]

PAGE_SIZE = 20
LONGEST_KEY = 18  # digits; more would not fit the databases' integers


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows in order, and the keys for the links to the pages before and after; None where there is none."""

    rows: list[M]
    before: int | None
    after: int | None
    first: int = 0  # the place of the first row among all, as far as the link said it; 0 for unknown
    size: int = PAGE_SIZE

    @property
    def next_at(self) -> int:
        return self.first and self.first + len(self.rows)

    @property
    def previous_at(self) -> int:
        return max(self.first - self.size, 0)

    @classmethod
    def of(cls, rows: QuerySet[M], params: Params, *, newest_first: bool = False, size: int = PAGE_SIZE) -> Self:
        """The page of `rows` that `?after=` or `?before=` asks for, else the first. One query.

        `?at=` goes with them and says which row that page begins with.
        """
        before, after = key(params.get("before")), key(params.get("after"))
        backwards = before is not None
        limit = before if backwards else after
        ascending = newest_first == backwards
        if limit is not None:
            rows = rows.filter(**{"pk__gt" if ascending else "pk__lt": limit})
        found = list(rows.order_by("pk" if ascending else "-pk")[: size + 1])
        more, found = len(found) > size, found[:size]
        if backwards:
            found.reverse()
        has_before, has_after = (more, True) if backwards else (limit is not None, more)
        first = 1 if limit is None else key(params.get("at")) or 0
        keys = (found[0].pk if has_before else None, found[-1].pk if has_after else None) if found else (None, None)
        return cls(found, *keys, first, size)


def key(text: str | None) -> int | None:
    """The key that a link carried; None for anything that is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= LONGEST_KEY else None
