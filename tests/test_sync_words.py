"""The sentences about runs, and the tables of reasons: complete, plural-proof, in the reader's numbers."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django.utils.translation import override

from crmsync.sync import reasons, words
from crmsync.sync.choices import Action, ChangeOutcome, Kind, Outcome, Reason, Side, Step
from crmsync.sync.diff import field_change, mark, shown
from crmsync.sync.engine import ERROR_CODES
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.spans import duration
from exchange_setup.models import Trouble


@pytest.fixture(autouse=True)
def in_english():
    with override("en"):
        yield


SOURCE = "".join(path.read_text() for path in Path(words.__file__).parent.glob("*.py"))


def run(outlook: tuple[int, int, int] = (0, 0, 0), crm: tuple[int, int, int] = (0, 0, 0), **fields: object) -> SyncRun:
    """An unsaved run with counts as (created, updated, deleted) on each side."""
    rest = {name: fields.pop(name, 0) for name in ("paired", "skipped", "conflicts", "failed", "stale")}
    verbs = ("created", "updated", "deleted")
    counts = {"outlook": dict(zip(verbs, outlook, strict=True)), "crm": dict(zip(verbs, crm, strict=True))} | rest
    return SyncRun(**{"kind": Kind.SYNC, "outcome": Outcome.DONE, "counts": counts} | fields)


def test_every_reason_and_every_error_has_its_row():
    assert set(reasons.REASONS) == set(Reason.values)
    told = set(re.findall(r'error="(\w+)"', SOURCE)) | {code for _kind, code in ERROR_CODES}
    assert set(reasons.TROUBLES) == set(Trouble.values) | told


def test_everything_that_the_engine_notes_has_its_sentence():
    told_elsewhere = SOURCE.replace(Path(words.__file__).read_text(), "")
    assert set(re.findall(r'\.note\("(\w+)"\)', SOURCE)) <= set(words.NOTES)
    assert [code for code in words.NOTES if f'"{code}"' not in told_elsewhere] == []


def test_a_preview_does_not_claim_to_have_made_the_folder():
    preview = run(kind=Kind.PREVIEW, notes=["folder_created", "read_again", "gone_from_the_code"])
    assert [str(note) for note in words.notes(preview)] == [
        "The folder is not there yet; a sync makes it in Outlook.",
        "Outlook asked for a fresh reading, so the whole folder was read again.",
    ]


def test_a_run_between_two_shares_of_a_worker_shows_how_far_it_is():
    waiting = run(outcome=Outcome.QUEUED, step=Step.APPLYING, done=3, total=9, started_at=timezone.now())
    assert words.headline(waiting) == "Carrying out the changes: 3 of 9."
    assert [stage.state for stage in words.stages(waiting)] == ["done", "done", "now"]
    assert words.headline(run(outcome=Outcome.QUEUED)) == "Waiting to start."


@pytest.mark.parametrize("advice", [*reasons.REASONS.values(), *reasons.TROUBLES.values()])
def test_a_row_says_what_happened_what_was_done_and_what_can_be_done(advice):
    for sentence in (advice.happened, advice.did, advice.can_do):
        assert str(sentence).endswith(".")
    for word in ("successfully", "entity", "invalid"):
        assert word not in f"{advice.happened} {advice.did} {advice.can_do}".lower()


def test_an_unknown_error_is_told_as_a_fault_of_our_own():
    assert reasons.trouble("something_new") is reasons.TROUBLES["crashed"]


def test_a_result_counts_both_sides_and_says_why_somebody_was_left_out():
    done = run(outlook=(12, 0, 0), crm=(0, 3, 0), skipped=2)
    assert words.result(done, {"no_email": 2}) == "12 created in Outlook, 3 updated in the CRM, 2 left out: no e-mail."


def test_several_reasons_are_counted_each():
    sentence = words.result(run(outlook=(1, 0, 0), skipped=5), {"no_email": 3, "private": 2})
    assert sentence == "1 created in Outlook, 5 left out: 3 no e-mail, 2 marked Private in Outlook."


def test_reasons_that_do_not_add_up_are_left_to_the_list():
    assert words.result(run(outlook=(1, 0, 0), skipped=5), {"no_email": 3}) == "1 created in Outlook, 5 left out."


def test_a_removal_says_where_from():
    assert words.result(run(outlook=(0, 0, 2), crm=(0, 0, 1))) == "2 removed from Outlook, 1 moved to the CRM's trash."


def test_pairs_are_counted_by_themselves():
    paired = run(crm=(0, 3, 0), paired=40)
    assert words.result(paired) == "3 updated in the CRM, 40 paired with contacts that were in Outlook already."
    preview = words.result(run(paired=1, kind=Kind.PREVIEW))
    assert preview == "A preview, nothing was changed: 1 to pair with a contact that is in Outlook already."


def test_nothing_changed_is_said_in_so_many_words():
    assert words.result(run()) == "Nothing to do: there is nothing new on either side."


def test_nothing_changed_still_names_what_is_left_out():
    assert words.result(run(skipped=1)) == "Nothing to do: there is nothing new on either side. 1 left out."


def test_both_sides_are_not_called_the_same_when_something_failed():
    assert words.result(run(failed=2)) == "Nothing was changed: 2 failed."
    assert words.result(run(stale=1)) == "Nothing was changed: 1 left for the next sync."


def test_a_preview_speaks_of_what_is_to_be_done():
    sentence = words.result(run(outlook=(12, 0, 1), crm=(0, 3, 0), kind=Kind.PREVIEW))
    assert sentence.startswith("A preview, nothing was changed: 12 to create in Outlook")
    assert "1 to remove from Outlook" in sentence


def test_the_headline_of_a_finished_run_ends_with_its_duration():
    began = timezone.now()
    done = run(outlook=(12, 0, 0), started_at=began, finished_at=began + timedelta(seconds=4.2))
    assert words.headline(done) == "12 created in Outlook. 4.2\u00a0s."


def test_less_than_a_second_is_not_worth_a_word():
    began = timezone.now()
    done = run(outlook=(12, 0, 0), started_at=began, finished_at=began + timedelta(seconds=0.9))
    assert words.headline(done) == "12 created in Outlook."


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("left_out", [0, 1])
def test_quiet_is_a_sync_alone_that_ended_well_and_did_nothing(kind, outcome, left_out):
    ended_well = kind in (Kind.SYNC, Kind.FULL) and outcome == Outcome.DONE
    assert words.is_quiet(run(kind=kind, outcome=outcome, skipped=left_out)) == (ended_well and not left_out)


def test_a_failed_run_says_what_it_did_before():
    failed = run(outlook=(40, 0, 0), outcome=Outcome.FAILED, error="throttled")
    assert "Until then: 40 created in Outlook. The next sync does the rest." in words.headline(failed)
    assert words.headline(run(outcome=Outcome.FAILED, error=Trouble.NEEDS_SIGN_IN)).endswith("Nothing was changed.")


@pytest.mark.parametrize(
    ("span", "text"),
    [(0.04, ""), (0.99, ""), (1, "1.0 s"), (4.21, "4.2 s"), (59.9, "59.9 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations_read_as_people_say_them(span, text):
    assert duration(timedelta(seconds=span)) == text.replace(" ", "\u00a0")


def test_progress_counts_no_further_than_its_total():
    running = run(outcome=Outcome.RUNNING, step=Step.READING, done=1300, total=1200)
    assert words.progress(running) == "Reading Outlook: 1,200 of 1,200."
    assert words.progress(run(outcome=Outcome.RUNNING, step=Step.PLANNING)) == "Comparing both sides…"


def test_progress_is_announced_at_every_tenth_and_not_at_every_contact():
    heard = {
        words.milestone(run(outcome=Outcome.RUNNING, step=Step.APPLYING, done=done, total=1000)) for done in range(1000)
    }
    assert len(heard) == 10


def test_a_preview_has_no_stage_of_carrying_out():
    labels = [str(stage.label) for stage in words.stages(run(kind=Kind.PREVIEW, outcome=Outcome.RUNNING))]
    assert labels == ["Starting", "Comparing both sides"]


@pytest.mark.parametrize("action", Action.values)
@pytest.mark.parametrize("side", Side.values)
def test_every_action_has_words_before_and_after(action, side):
    done = words.action(SyncChange(action=action, side=side, outcome=ChangeOutcome.DONE))
    planned = words.action(SyncChange(action=action, side=side, outcome=ChangeOutcome.PLANNED))
    assert done and planned and done != planned


def test_brakes_are_summed_by_side_and_listed_by_cause():
    held = run(
        outcome=Outcome.HELD,
        brakes=[
            {"brake": "deletions", "side": "outlook", "cause": "trashed", "count": 8, "limit": 20},
            {"brake": "deletions", "side": "outlook", "cause": "left_filter", "count": 18, "limit": 20},
            {"brake": "folder_empty", "side": "outlook", "cause": "", "count": 0, "limit": 0},
        ],
    )
    deletions, empty = words.brakes(held)
    assert deletions.sentence == "26 contacts would be removed from your Outlook." and deletions.limit == 20
    assert [(cause.cause, cause.count) for cause in deletions.causes] == [("left_filter", 18), ("trashed", 8)]
    assert empty.sentence == "Your Outlook folder is suddenly empty." and empty.causes == []


def test_what_was_removed_in_outlook_is_not_said_to_be_removed_from_it():
    rows = [("removed_in_outlook", 30), ("trashed", 2)]
    held = run(
        outcome=Outcome.HELD,
        brakes=[
            {"brake": "deletions", "side": "outlook", "cause": cause, "count": count, "limit": 20}
            for cause, count in rows
        ],
    )
    assert [brake.sentence for brake in words.brakes(held)] == [
        "30 contacts were removed in your Outlook and would no longer be synced.",
        "2 contacts would be removed from your Outlook.",
    ]


def test_a_brake_about_one_contact_is_in_the_singular():
    held = run(brakes=[{"brake": "deletions", "side": "crm", "cause": "removed_in_outlook", "count": 1, "limit": 0}])
    assert words.brakes(held)[0].sentence == "1 contact would be moved to the CRM's trash."


def test_only_the_words_that_differ_are_marked():
    before, after = mark("anne@fabrikam.dk", "anne@fabrikam.com")
    assert (before.head, before.changed, before.tail) == ("anne@fabrikam.", "dk", "")
    assert after.changed == "com"


def test_a_repeated_ending_is_not_marked_twice():
    before, after = mark("12", "12 12")
    assert before.changed == "" and after.head + after.changed + after.tail == "12 12"


def test_a_long_text_is_cut_around_its_change():
    before, after = mark("word " * 500 + "old" + " word" * 500, "word " * 500 + "new" + " word" * 500)
    assert after.changed == "new" and len(after.head) < 100 and len(after.tail) < 100


def test_values_are_shown_as_people_write_them():
    assert shown("country", "DK") == "Denmark" and shown("country", "??") == "??"
    assert "April" in shown("birthday", "1980-04-02") and shown("birthday", "spring") == "spring"
    assert shown("categories", ["CRM", "VIP"]) == "CRM, VIP"
    assert str(field_change("categories", "Golf", "Golf, CRM").label) == "Categories"
    assert str(field_change("mobile_phone", "", "1").label) == "Mobile phone no."
    assert field_change("something_else", "", "1").label == "something_else"


def test_numbers_follow_the_language():
    with override("da"):
        assert words.number(1200) == "1.200"
        assert duration(timedelta(seconds=4.2)).startswith("4,2")
        assert words.result(run(outlook=(12, 0, 0)))
