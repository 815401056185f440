"""A column of the Contacts list that another part of the product fills, of which contacts need know nothing.

That part names its function once, in its AppConfig; a dotted path, since models are not loaded by then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.functional import Promise
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Mark:
    """An icon with a word; `why` is the whole of it, `tone` a badge's."""

    icon: str
    tone: str
    text: "str | Promise"
    why: "str | Promise" = ""


@dataclass(frozen=True)
class ExtraColumn:
    """The column's head, and the mark of each contact by its key."""

    label: "str | Promise"
    marks: Mapping[int, Mark]

    @property
    def icons(self) -> list[str]:
        return sorted({mark.icon for mark in self.marks.values()})


Filler = Callable[[Sequence[Any], Any], ExtraColumn | None]
fillers: list[str] = []


def register(path: str) -> None:
    """Have the function at `path` fill the column, for the contacts of a page and the user who looks at them."""
    if path not in fillers:
        fillers.append(path)


def extra_column(contacts: Sequence[Any], user: Any) -> ExtraColumn | None:
    """The column for these contacts; None where nobody has anything to say about them to this user."""
    columns = (filler(path)(contacts, user) for path in fillers)
    return next((column for column in columns if column is not None), None)


@cache
def filler(path: str) -> Filler:
    return import_string(path)
