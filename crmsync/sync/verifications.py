"""A comparison as rows: its differences by cause, each field by field. As a page, as data and as text."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy

from crmsync.sync import reasons, words
from crmsync.sync.choices import Reason
from crmsync.sync.diff import FieldChange, field_change
from crmsync.sync.differences import Difference, Explanation
from crmsync.sync.models import SyncRun
from crmsync.sync.paging import Page, Params
from crmsync.sync.words import Text

# Where the words of the table are too short for reading.
LABELS: dict[str, Text] = {Explanation.OWN_WAY: gettext_lazy("after an undo, or as Outlook writes it")}
A_FIELD = gettext_lazy("a field is left out")
OF_A_FIELD = {Reason.TOO_LONG, Reason.NOT_UNDERSTOOD, Reason.COMPANY_NOT_FOUND, Reason.COMPANY_NOT_UNIQUE}
WHOLE = ~Q(reason__in=OF_A_FIELD)


@dataclass(frozen=True)
class Group:
    explanation: str
    label: Text
    count: int


@dataclass(frozen=True)
class Row:
    """One difference. In `fields` the CRM's value stands before, Outlook's after."""

    difference: Difference
    fields: list[FieldChange]

    @property
    def why(self) -> Text:
        """Why both sides differ. A field may be left out of a contact that is in both."""
        if self.difference.reason in OF_A_FIELD:
            return A_FIELD
        return label(self.difference.explanation)

    @property
    def reason(self) -> Text:
        return Reason(self.difference.reason).label if self.difference.reason in Reason.values else ""

    @property
    def advice(self) -> reasons.Advice | None:
        return reasons.about(self.difference.reason)


@dataclass
class Shown:
    """What the address picks of one comparison. A constant number of queries."""

    run: SyncRun
    params: Params

    @property
    def groups(self) -> list[Group]:
        """One for each cause that there is, the one that needs a look first."""
        found = self.run.counts.get("differ", {})
        order = (
            Explanation.UNKNOWN,
            Explanation.CONFLICT,
            Explanation.WAITING,
            Explanation.LEFT_OUT,
            Explanation.OWN_WAY,
        )
        return [Group(cause.value, self.label(cause), found[cause]) for cause in order if found.get(cause)]

    def label(self, cause: Explanation) -> Text:
        """The words of a group; where of each contact in it a field is left out, they say so, as its rows do."""
        if cause == Explanation.LEFT_OUT and not self.run.differences.filter(WHOLE, explanation=cause).exists():
            return A_FIELD
        return label(cause)

    @property
    def total(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def count(self) -> int:
        """How many there are of what is picked."""
        return self.run.counts.get("differ", {}).get(self.picked, 0) if self.picked else self.total

    @property
    def left_out(self) -> int:
        return self.run.counts.get("left_out", 0)

    @property
    def picked(self) -> str:
        cause = self.params.get("cause", "")
        return cause if cause in Explanation.values else ""

    @cached_property
    def page(self) -> Page[Difference]:
        rows = self.run.differences.select_related("contact")
        return Page.of(rows.filter(explanation=self.picked) if self.picked else rows, self.params)

    @cached_property
    def rows(self) -> list[Row]:
        return [row_of(difference) for difference in self.page.rows]


def label(explanation: str) -> Text:
    return LABELS.get(explanation) or Explanation(explanation).label


def row_of(difference: Difference) -> Row:
    return Row(difference, [field_change(name, *pair) for name, pair in difference.fields.items()])


def as_json(run: SyncRun) -> dict[str, Any]:
    """The comparison in the form that scripts rely on (docs/sync.md, "Comparing both sides")."""
    return {
        "run": run.pk,
        "outcome": run.outcome,
        "requests": run.requests,
        "error": run.error,
        "compared": run.counts.get("compared", 0),
        "same": run.counts.get("same", 0),
        "differ": run.counts.get("differ", {}),
        "left_out": run.counts.get("left_out", 0),
        "differences": [
            {
                "contact": row.contact.number if row.contact else None,
                "name": row.name,
                "place": row.place,
                "cause": row.explanation,
                "reason": row.reason,
                "fields": row.fields,
            }
            for row in run.differences.select_related("contact").iterator(chunk_size=500)
        ],
    }


def as_text(run: SyncRun) -> str:
    """The comparison for a terminal: the sentence, then a line for each difference."""
    lines = [f"{run}: {words.headline(run)}"]
    for row in run.differences.iterator(chunk_size=500):
        fields = "; ".join(f"{name}: {crm!r} | {outlook!r}" for name, (crm, outlook) in row.fields.items())
        lines.append(f"  {row.get_place_display()}, {label(row.explanation)}: {row.name}  {fields}".rstrip())
    return "\n".join(lines)
