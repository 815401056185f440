"""docs/plan-format.md says what the code does: every key, column and value of a plan is in it, and no other."""

import re
from pathlib import Path

import pytest

from crmsync.sync.choices import Action, Cause, ChangeOutcome, Kind, Outcome, Side
from crmsync.sync.leave import Leave
from crmsync.sync.plan_format import LINE, head_of, row_of
from tests.factories import ChangeFactory

TEXT = (Path(__file__).parent.parent / "docs" / "plan-format.md").read_text()


def keys(heading: str) -> set[str]:
    """What the first column of the table with this heading names."""
    table = TEXT.partition(f"\n| {heading} | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    return {key for line in table.splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1])}


def part(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(("heading", "choices"), [("action", Action), ("cause", Cause), ("outcome", ChangeOutcome)])
def test_the_tables_have_just_the_values_that_there_are(heading, choices):
    assert keys(heading) == set(choices.values)


def test_a_run_and_a_row_have_just_the_keys_that_are_described(db):
    change = ChangeFactory()
    tables = [part(title).partition("\n\n| action")[0] for title in ("A run", "A row")]
    run, row = ({key for line in re.findall(r"^\| (`.+?) \|", table, re.M) for key in re.findall(r"`(\w+)`", line)}
                for table in tables)  # fmt: skip
    assert run == {*head_of(change.run), "changes"}
    assert row == set(row_of(change))


@pytest.mark.parametrize("value", [*Kind.values, *Outcome.values, *Side.values, *Leave.values])
def test_every_other_value_is_named(value):
    assert f"`{value}`" in TEXT


def test_the_columns_of_the_csv_stand_there_in_their_order():
    columns = part("As CSV").partition("Its columns: ")[2].partition("The file is")[0]
    assert tuple(re.findall(r"`(\w+)`", columns)) == LINE
