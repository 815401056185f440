"""The twelve cells of docs/sync.md as one parametrised test, the merge field by field, and what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.sync.fields import EMPTY, NAMES, normalised, same
from crmsync.sync.plan import (
    DELETE,
    KEEP,
    Base,
    Change,
    Conflict,
    ConflictChoice,
    Plan,
    RemovedChoice,
    Rules,
    Write,
    change,
    merge,
    plan,
)


def person(**values):
    return {**EMPTY, "first_name": "Anne", "email": "anne@fabrikam.example", **values}


OLD = person()
CITY = person(city="Aarhus")
PHONE = person(phone="+45 33 11 22 33")
FILLED = {"first_name": "Anne", "email": "anne@fabrikam.example"}
BASE = Base(OLD, OLD)

CELLS = [
    ("0 nothing anywhere", None, None, None, Plan()),
    ("1 new in the CRM", None, OLD, None, Plan(outlook=Write(FILLED))),
    ("2 new in Outlook", None, None, OLD, Plan(crm=Write(FILLED))),
    ("3 the same person, first seen", None, OLD, PHONE, Plan(crm=Write({"phone": "+45 33 11 22 33"}))),
    ("4 nothing changed", BASE, OLD, OLD, Plan()),
    ("5 changed in the CRM", BASE, CITY, OLD, Plan(outlook=Write({"city": "Aarhus"}))),
    ("6 changed in Outlook", BASE, OLD, CITY, Plan(crm=Write({"city": "Aarhus"}))),
    (
        "7 changed on both sides",
        BASE,
        CITY,
        PHONE,
        Plan(crm=Write({"phone": "+45 33 11 22 33"}), outlook=Write({"city": "Aarhus"})),
    ),
    ("8 trashed in the CRM", BASE, None, OLD, Plan(outlook=DELETE, forget=True)),
    ("9 removed in Outlook", BASE, OLD, None, Plan(stays_out=True)),
    ("10 trashed, but edited in Outlook", BASE, None, CITY, Plan(crm=Write({"city": "Aarhus"}))),
    ("11 removed, but edited in the CRM", BASE, CITY, None, Plan(outlook=Write({**FILLED, "city": "Aarhus"}))),
    ("12 gone on both sides", BASE, None, None, Plan(forget=True)),
]


@pytest.mark.parametrize(
    ("base", "crm", "outlook", "expected"), [cell[1:] for cell in CELLS], ids=[c[0] for c in CELLS]
)
def test_each_cell_of_the_table(base, crm, outlook, expected):
    assert plan(base, crm, outlook, Rules()) == expected


RULES = [
    ("trashed, kept in Outlook", BASE, None, OLD, Rules(remove_trashed=False), Plan()),
    ("removed, put back", BASE, OLD, None, Rules(removed=RemovedChoice.PUT_BACK), Plan(outlook=Write(FILLED))),
    ("removed, trashed", BASE, OLD, None, Rules(removed=RemovedChoice.TRASH), Plan(crm=DELETE, forget=True)),
    ("left the filter", BASE, OLD, OLD, Rules(leaves=True), Plan(outlook=DELETE, forget=True)),
    (
        "left the filter, edited in Outlook",
        BASE,
        OLD,
        CITY,
        Rules(leaves=True),
        Plan(crm=Write({"city": "Aarhus"}), outlook=DELETE, forget=True),
    ),
    ("left the filter and removed", BASE, OLD, None, Rules(leaves=True), Plan(forget=True)),
    ("left the filter, edited, and removed", BASE, CITY, None, Rules(leaves=True), Plan(forget=True)),
]


@pytest.mark.parametrize(
    ("base", "crm", "outlook", "rules", "expected"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_the_rules_bend_the_table(base, crm, outlook, rules, expected):
    assert plan(base, crm, outlook, rules) == expected


def test_a_side_moves_in_five_ways():
    assert change(None, None) is Change.ABSENT
    assert change(None, OLD) is Change.NEW
    assert change(OLD, OLD) is Change.SAME
    assert change(OLD, CITY) is Change.CHANGED
    assert change(OLD, None) is Change.GONE


@pytest.mark.parametrize(
    ("choice", "to_crm", "to_outlook", "kept"),
    [
        (ConflictChoice.CRM, {}, {"city": "Aarhus"}, "crm"),
        (ConflictChoice.OUTLOOK, {"city": "Odense"}, {}, "outlook"),
        (ConflictChoice.ASK, {}, {}, ""),
    ],
)
def test_a_field_changed_differently_is_a_conflict_and_both_values_are_kept(choice, to_crm, to_outlook, kept):
    merged = merge(BASE, CITY, person(city="Odense"), choice)
    assert (merged.crm, merged.outlook) == (to_crm, to_outlook)
    assert merged.conflicts == (Conflict("city", "", "Aarhus", "Odense", kept),)


def test_what_was_edited_before_it_went_to_the_trash_is_a_conflict_with_an_edit_in_outlook():
    decided = plan(BASE, None, person(city="Odense"), Rules(), trashed=person(city="Aarhus", phone="1"))
    assert decided.crm == Write({"city": "Odense"})
    assert decided.conflicts == (Conflict("city", "", "Aarhus", "Odense", "outlook"),)


def test_the_same_change_on_both_sides_is_no_conflict():
    assert merge(BASE, CITY, CITY, ConflictChoice.ASK) == merge(None, EMPTY, EMPTY, ConflictChoice.ASK)


def test_at_first_sight_the_crm_wins_whatever_the_rule_says():
    decided = plan(None, CITY, person(city="Odense", phone="1"), Rules(conflict=ConflictChoice.OUTLOOK))
    assert decided.outlook == Write({"city": "Aarhus"})
    assert decided.crm == Write({"phone": "1"})


def test_each_side_keeps_its_own_way_of_writing_a_value():
    base = Base(person(country="DK"), person(country=""))
    assert plan(base, person(country="DK"), person(country=""), Rules()) == Plan()


def test_an_empty_field_is_cleared_on_the_other_side_only_when_somebody_cleared_it():
    cleared = plan(Base(CITY, CITY), OLD, CITY, Rules())
    assert cleared.outlook == Write({"city": ""})
    never_filled = plan(Base(OLD, CITY), OLD, CITY, Rules())
    assert never_filled == Plan()


fields = st.builds(
    lambda values: normalised(values), st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "a", "b", "c"]))
)
sides = st.none() | fields
bases = st.none() | st.builds(Base, fields, fields)
rules = st.builds(
    Rules,
    conflict=st.sampled_from(ConflictChoice),
    removed=st.sampled_from(RemovedChoice),
    remove_trashed=st.booleans(),
    leaves=st.booleans(),
)


@given(bases, sides, sides, rules)
def test_there_is_a_plan_for_everything_and_it_never_writes_what_is_there_already(base, crm, outlook, rules):
    if base is None and crm is None and outlook is not None:
        rules = Rules()
    decided = plan(base, crm, outlook, rules)
    for deed, side in ((decided.crm, crm), (decided.outlook, outlook)):
        if isinstance(deed, Write) and side is not None:
            assert all(not same(name, side[name], value) for name, value in deed.fields.items())


@given(fields, fields, fields, fields, st.sampled_from(ConflictChoice))
def test_after_a_merge_both_sides_agree_on_every_field_that_anybody_changed(
    crm_base, outlook_base, crm, outlook, choice
):
    merged = merge(Base(crm_base, outlook_base), crm, outlook, choice)
    crm_after, outlook_after = {**crm, **merged.crm}, {**outlook, **merged.outlook}
    undecided = {conflict.name for conflict in merged.conflicts if not conflict.kept}
    for name in NAMES:
        changed = not same(name, crm_base[name], crm[name]) or not same(name, outlook_base[name], outlook[name])
        if changed and name not in undecided:
            assert same(name, crm_after[name], outlook_after[name])
        if not changed:
            assert (crm_after[name], outlook_after[name]) == (crm[name], outlook[name])


@given(fields, fields, fields, st.sampled_from(ConflictChoice))
def test_a_lost_value_is_always_in_the_conflicts(base, crm, outlook, choice):
    merged = merge(Base(base, base), crm, outlook, choice)
    conflicts = {conflict.name: conflict for conflict in merged.conflicts}
    for name in merged.outlook:
        if not same(name, outlook[name], base[name]):
            assert conflicts[name].outlook == outlook[name]
    for name in merged.crm:
        if not same(name, crm[name], base[name]):
            assert conflicts[name].crm == crm[name]


@given(st.none() | bases, fields, fields)
def test_merging_twice_changes_nothing_more(base, crm, outlook):
    merged = merge(base, crm, outlook, ConflictChoice.CRM)
    crm_after, outlook_after = {**crm, **merged.crm}, {**outlook, **merged.outlook}
    again = merge(Base(crm_after, outlook_after), crm_after, outlook_after, ConflictChoice.CRM)
    assert not again.crm and not again.outlook and not again.conflicts


def test_plans_are_made_of_plain_values():
    assert plan(BASE, OLD, OLD, Rules()).crm is KEEP
