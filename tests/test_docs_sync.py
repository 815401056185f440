"""docs/sync.md says what the code does: every cell, rule, reason, error and brake is in it."""

import re
from pathlib import Path

import pytest

from crmsync.sync import engine
from crmsync.sync.choices import LinkState, Reason, Step
from crmsync.sync.reasons import REASONS, TROUBLES
from crmsync.sync.report import as_json
from crmsync.sync.words import BRAKES, SUSPICIONS
from exchange_setup.models import (
    ConflictRule,
    LeftFilterRule,
    NewContactRule,
    RemovedRule,
    SharedEmailRule,
    TrashedRule,
    Trouble,
)
from tests.factories import RunFactory
from tests.test_plan import CELLS
from tests.test_sync_faults import READING, WRITING

HERE = Path(__file__).parent
TEXT = (HERE.parent / "docs" / "sync.md").read_text()
RULE_CHOICES = [
    choice
    for rule in (ConflictRule, LeftFilterRule, NewContactRule, RemovedRule, SharedEmailRule, TrashedRule)
    for choice in rule.values
]


def test_the_table_has_the_cells_that_the_test_of_the_plan_has():
    numbers = re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)
    assert numbers == [cell[0].split()[0] for cell in CELLS][1:] == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize("code", [*RULE_CHOICES, *Reason.values, *Trouble.values])
def test_every_choice_reason_and_trouble_is_explained(code):
    assert f"`{code}`" in TEXT


@pytest.mark.parametrize("code", [code for _, code in engine.ERROR_CODES])
def test_every_run_error_is_explained(code):
    assert f"`{code}`" in TEXT


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, as cells."""
    below = TEXT.partition(f"\n## {heading}\n")[2].partition("\n##")[0]
    rows = [line.strip("|").split(" | ") for line in below.splitlines() if line.startswith("|")]
    return rows[2:]


def codes(cells: list[str]) -> set[str]:
    return set(re.findall(r"`(\w+)`", " ".join(cells)))


FAILURES = ("When something dies", "When Outlook says no")
TESTS = {name for file in HERE.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)}
PLAYED = {case.name for case in (*READING, *WRITING)}
TOLD = {str(told.happened) for told in (*REASONS.values(), *TROUBLES.values())}
TOLD |= {str(step.label) for step in Step} | {"Waiting to start."}


@pytest.mark.parametrize("heading", FAILURES)
def test_each_failure_names_tests_that_are_there_and_texts_that_people_read(heading):
    rows = table(heading)
    for what, does, reads, _next_run, shown_by in rows:
        tests = set(re.findall(r"`([^`]+)`", shown_by))
        assert tests and tests <= TESTS | PLAYED, what
        assert quoted(reads) <= TOLD, what
        assert codes([does]) <= {*TROUBLES, *Reason.values, *LinkState.values}, what
        assert {str(TROUBLES[code].happened) for code in codes([does]) & set(TROUBLES)} <= quoted(reads), what
    assert rows


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"“([^”]+)”", cell))


def test_every_fault_that_is_played_is_in_the_table_of_failures():
    named = {name for row in table("When Outlook says no") for name in re.findall(r"`([^`]+)`", row[-1])}
    assert named >= PLAYED


def test_the_table_of_failures_has_every_error_of_a_run_and_no_other():
    told = set().union(*(codes(row[1:2]) for heading in FAILURES for row in table(heading))) - set(LinkState.values)
    of_items = {"no_answer", "gone", "edited_meanwhile", "refused", "broken"}
    assert told - of_items == set(TROUBLES)
    assert of_items <= told


@pytest.mark.parametrize("case", [*READING, *WRITING], ids=str)
def test_whatever_a_fault_makes_of_a_run_is_in_the_table_of_failures_and_is_told_to_people(case):
    told = set().union(*(codes(row[1:2]) for row in table("When Outlook says no")))
    met = {case.error, *case.reasons} - {""}
    assert met <= told
    assert all(error in TROUBLES for error in {case.error} - {""})
    assert all(reason in REASONS for reason in {*case.reasons} - {""})


def test_the_table_of_reasons_has_what_can_leave_a_contact_out():
    told = set().union(*(codes(row[:1]) for row in table("Why something is left out")))
    of_changes = {Reason.NO_ANSWER, Reason.GONE, Reason.EDITED_MEANWHILE, Reason.REFUSED, Reason.BROKEN}
    of_undos = {Reason.CHANGED_SINCE, Reason.ALREADY_UNDONE, Reason.NOTHING_TO_UNDO, Reason.IN_USE}
    assert told == set(Reason.values) - of_changes - of_undos


def test_the_table_of_brakes_has_the_brakes():
    told = {row[0].strip().strip("`") for row in table("The brakes")}
    assert told == {name for name, _side in BRAKES} | set(SUSPICIONS)


def test_the_report_is_as_described(db):
    described = set(re.findall(r'"(\w+)"', TEXT.partition("prints one object:")[2].partition("```\n\n")[0]))
    report = as_json(RunFactory())
    assert set(report) <= described
