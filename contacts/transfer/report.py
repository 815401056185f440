"""What an import does, row by row."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from contacts.transfer.headings import FIELDS
from contacts.transfer.said import kept

MOST_NOTES = 200


class Kind(models.TextChoices):
    """What becomes of a row."""

    NEW = "new", gettext_lazy("New")
    CHANGED = "changed", gettext_lazy("Changed")
    SAME = "same", gettext_lazy("The same")
    LEFT_OUT = "left_out", gettext_lazy("Left out")
    WRONG = "wrong", gettext_lazy("Wrong")


@dataclass(frozen=True)
class Note:
    """A mistake in a row, or why it was left out. `name` is the field, where it is about one."""

    row: int
    name: str
    message: str

    @property
    def label(self) -> "str | Promise":
        return label(self.name)

    def __str__(self) -> str:
        where = _("Row") + f" {self.row}" + (f", {self.label}" if self.name else "")
        return f"{where}: {self.message}"


@dataclass(frozen=True)
class RowOutcome:
    """What becomes of one row.

    `contact` is the key of the one that it is about, or like; `like` is what makes it look like that one or like an
    earlier row (`twins.likeness` says it). `fields` is {name: [before, after]}, both as texts.
    """

    row: int
    kind: str
    name: str = ""
    contact: int | None = None
    like: str = ""
    reason: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)
    mistakes: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For `UploadRow`; its sentences are kept for whoever reads them, whatever their language."""
        mistakes = [(name, kept(message)) for name, message in self.mistakes]
        return vars(self) | {"reason": kept(self.reason), "mistakes": mistakes}


@dataclass
class Report:
    """The outcome of an import or a dry run, which `sink` gets row by row. When nothing was stored, the counts say
    what would be.
    """

    is_dry_run: bool = False
    without_wrong: bool = False
    sink: Callable[[RowOutcome], None] | None = None
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    left_out: int = 0
    wrong: int = 0
    mistakes: int = 0
    notes_on_mistakes: list[Note] = field(default_factory=list)
    notes_on_left_out: list[Note] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    encoding: str = ""
    delimiter: str = ""

    @property
    def is_done(self) -> bool:
        return not self.is_dry_run and (self.without_wrong or not self.mistakes)

    def take(self, outcome: RowOutcome) -> None:
        """Count one more row."""
        counter = COUNTERS[outcome.kind]
        setattr(self, counter, getattr(self, counter) + 1)
        self.mistakes += len(outcome.mistakes)
        for name, message in outcome.mistakes[: MOST_NOTES - len(self.notes_on_mistakes)]:
            self.notes_on_mistakes.append(Note(outcome.row, name, message))
        if outcome.kind == Kind.LEFT_OUT and len(self.notes_on_left_out) < MOST_NOTES:
            self.notes_on_left_out.append(Note(outcome.row, "", outcome.reason))
        if self.sink:
            self.sink(outcome)


def label(name: str) -> "str | Promise":
    """The caption of a field of ours; anything else as it is."""
    return Contact._meta.get_field(name).verbose_name if name in FIELDS else name


COUNTERS: dict[str, str] = {
    Kind.NEW: "created",
    Kind.CHANGED: "updated",
    Kind.SAME: "unchanged",
    Kind.LEFT_OUT: "left_out",
    Kind.WRONG: "wrong",
}
