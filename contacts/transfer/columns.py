"""The columns of one file: what each holds, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from contacts.transfer import google
from contacts.transfer.headings import (
    FIELDS,
    GOOGLE_BY_KEY,
    KEYS_OF_SURE_SIGNS,
    OUR_OWN,
    OUTLOOK_BY_KEY,
    PRIVATE,
    STREETS,
    guesses,
    is_caption,
    key,
    loose,
    passed_over,
)

CHOICES = [*FIELDS, *STREETS, PRIVATE]
KNOWN, GUESSED, CHOSEN, UNKNOWN = "known", "guessed", "chosen", ""
OURS, OUTLOOK, GOOGLE, OTHER = "ours", "outlook", "google", "other"


@dataclass(frozen=True)
class Column:
    """`name` is the field, '' for none; `surety` is known, guessed or chosen, '' where nothing is known."""

    heading: str
    name: str = ""
    surety: str = UNKNOWN


@dataclass(frozen=True)
class Columns:
    """`origin` is ours, outlook, google or other. A heading that is there twice counts once, and is `doubled`."""

    all: tuple[Column, ...] = ()
    origin: str = OTHER
    doubled: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return len(self.all)

    @cached_property
    def places(self) -> dict[str, int]:
        """Field → place in a row."""
        return {column.name: place for place, column in enumerate(self.all) if column.name}

    @property
    def unused(self) -> list[str]:
        return [column.heading for column in self.all if not column.name and column.heading]

    @property
    def known(self) -> int:
        """How many of the headings are no guess."""
        return sum(column.surety == KNOWN and bool(column.name) for column in self.all)

    @property
    def is_foreign(self) -> bool:
        """Whether another program wrote it: spaces around values mean nothing, and a company may stand alone."""
        return self.origin != OURS

    @cached_property
    def is_american(self) -> bool:
        """Whether its dates may begin with the month."""
        return self.origin == OUTLOOK and key("First Name") in {key(column.heading) for column in self.all}

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def cells(self, row: list[str]) -> dict[str, str]:
        """The row's cells by field."""
        return {name: row[place] for name, place in self.places.items()}

    def without_guesses(self) -> "Columns":
        return replace(self, all=tuple(each if each.surety != GUESSED else Column(each.heading) for each in self.all))

    def chosen(self, names: Sequence[str]) -> "Columns":
        """The same columns with what a person says they hold. A field that is there twice counts once."""
        taken: set[str] = set()
        found = []
        for column, name in zip(self.all, names, strict=True):
            surety = CHOSEN if name != column.name else column.surety or CHOSEN
            found.append(Column(column.heading, "" if name in taken else name, surety))
            taken.add(name)
        return replace(self, all=tuple(found), doubled=())


def read_header(row: list[str]) -> Columns:
    """What the header says by itself."""
    keys = [key(heading) for heading in row]
    origin = origin_of(keys)
    table = {OUTLOOK: OUR_OWN | OUTLOOK_BY_KEY, GOOGLE: OUR_OWN | GOOGLE_BY_KEY}.get(origin, OUTLOOK_BY_KEY | OUR_OWN)
    found: list[Column] = []
    taken: set[str] = set()
    doubled: list[str] = []
    for heading, its_key in zip(row, keys, strict=True):
        name = table.get(its_key) or (google.name_of(its_key) if origin == GOOGLE else "")
        if name and name in taken:
            doubled.append(heading.strip())
            name = ""
        found.append(Column(heading.strip(), name, KNOWN if name else UNKNOWN))
        taken.add(name)
    complete = guess(found)
    if origin == OURS and complete != found:
        origin = OTHER
    return Columns(tuple(complete), origin, tuple(doubled))


def origin_of(keys: list[str]) -> str:
    if any(google.name_of(its_key) for its_key in keys) or {"given name", "family name"} <= set(keys):
        return GOOGLE
    if not KEYS_OF_SURE_SIGNS.isdisjoint(keys):
        return OUTLOOK
    return OURS if not OUR_OWN.keys().isdisjoint(keys) else OTHER


def guess(columns: list[Column]) -> list[Column]:
    """The columns that nothing is known of, as what they are often called. Each field is guessed once. A caption of the
    page, letter for letter, is no guess.
    """
    taken = {column.name for column in columns}
    found = []
    for column in columns:
        name = "" if column.name else guesses().get(loose(column.heading), "")
        if name and name not in taken:
            taken.add(name)
            column = Column(column.heading, name, KNOWN if is_caption(column.heading, name) else GUESSED)
        elif not column.name and loose(column.heading) in passed_over():
            column = Column(column.heading, "", KNOWN)
        found.append(column)
    return found
