"""Any history with undos in it: of a whole run or of one change, applied or not, in a world that goes on."""

from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import rule

from crmsync.sync.choices import ChangeOutcome, Kind, Outcome
from crmsync.sync.engine import perform
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.runs import approve, reject
from crmsync.sync.undo import can_be_undone, request_undo
from tests import machine
from tests.crash import Death, Reaper


class Histories(machine.Histories):
    """Undos among all the rest. What one does of its own is noted, so that nobody calls it a loss."""

    @rule(
        who=machine.WHO,
        back=st.integers(0, 3),
        one=st.booleans(),
        applies=st.booleans(),
        at=st.none() | st.integers(1, 30),
    )
    def undo(self, who: int, back: int, one: bool, applies: bool, at: int | None) -> None:
        """Take back one of the last runs; perhaps the process dies of it."""
        if not self.clear_away(who):
            return
        runs = SyncRun.objects.filter(setup=self.people[who].setup).exclude(kind=Kind.PREVIEW).select_related("setup")
        candidates = [run for run in runs if can_be_undone(run)]
        if not candidates:
            return
        run = candidates[min(back, len(candidates) - 1)]
        change = run.changes.filter(outcome=ChangeOutcome.DONE).last() if one else None
        undo, _ = request_undo(run, by=None, change=change, enqueue=False)
        self.note_plan(run)  # dying early leaves the undo to whoever comes next
        with suppress(Death), Reaper(self.tenant, at or 0).at_work():
            perform(undo.pk, budget=float("inf"))
            self.note_plan(undo)
            undo.refresh_from_db()
            if undo.outcome == Outcome.HELD:
                machine.FIGURES["undos"] += applies
                approve(undo, None) if applies else reject(undo, None)
                perform(undo.pk, budget=float("inf"))
        self.note_plan(undo)

    def note_plan(self, undo: SyncRun) -> None:
        rows = SyncChange.objects.filter(run=undo).exclude(outcome=ChangeOutcome.SKIPPED)
        for row in rows.select_related("contact"):
            self.notes.undone.add(row.contact.initials if row.contact else "")
            self.notes.undone.update(row.fields.get("initials", []))  # the pair stays, the item is as it was before it
            self.notes.overwritten.update(text for pair in row.fields.values() for text in pair)
