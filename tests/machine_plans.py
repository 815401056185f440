"""Any history, continued: plans that wait for a person, who leaves some of it out, and others who change things."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from crmsync.sync.brakes import check
from crmsync.sync.decisions import RunAtWork
from crmsync.sync.engine import perform
from crmsync.sync.leave import Leave, Verdict
from crmsync.sync.models import SyncRun
from crmsync.sync.previewing import CarriedOut, carry_out, leave, sight, to_do
from crmsync.sync.verdicts import causes_of, decide
from tests.crash import Death, Reaper
from tests.oracle_notes import Notes
from tests.scene import Salesperson

PICK = st.integers(0, 15)
WHO = st.integers(0, 1)
MEANWHILE = ["crm", "outlook", "trash", "remove", "always", "never", "other"]
FIGURES: Counter[str] = Counter()


class Plans(RuleBasedStateMachine):
    """What `tests.machine.Histories` does with previews and held runs."""

    people: list[Salesperson]
    notes: Notes
    sync: Callable[..., dict[str, Any] | None]
    deed: Callable[[int, int, str], Callable[[], None]]

    @rule(who=WHO, full=st.booleans(), left=st.lists(st.tuples(PICK, st.sampled_from(Leave)), max_size=3),
          pick=PICK, what=st.sampled_from([*MEANWHILE, ""]), dies_at=st.integers(0, 40))  # fmt: skip
    def preview_leave_some_out_and_apply(
        self, who: int, full: bool, left: list[tuple[int, Leave]], pick: int, what: str, dies_at: int
    ) -> None:
        """Perhaps somebody changes something in between, or the worker dies; in the end it is applied once more."""
        report = self.sync(who, full=full, preview=True)
        if report is None or report["outcome"] != "done":
            return
        preview = SyncRun.objects.select_related("setup__user").get(pk=report["run"])
        for at, how in left:
            self.leave_out(preview, at, how)
        self.deed(who, pick, what)()
        for at in (dies_at, 0):
            wanted, seen = to_do(preview).filter(leave="").count(), sight(check(preview))
            with suppress(CarriedOut, RunAtWork, Death), Reaper(self.tenant, at).at_work():
                perform(carry_out(preview, None, count=wanted, agreed=seen, enqueue=False).pk, budget=float("inf"))
                FIGURES["previews applied"] += 1

    def leave_out(self, preview: SyncRun, at: int, how: Leave) -> None:
        rows = list(to_do(preview).select_related("contact"))
        if not rows:
            return
        row = rows[at % len(rows)]
        leave(preview, preview.changes.filter(pk=row.pk), how)
        if how == Leave.NEVER and row.contact:
            self.notes.unwanted.add(row.contact.initials)

    @rule(who=WHO, full=st.booleans(), verdicts=st.lists(st.sampled_from(Verdict), min_size=1, max_size=4),
          pick=PICK, what=st.sampled_from([*MEANWHILE, ""]))  # fmt: skip
    def sync_held_and_decided_by_cause(
        self, who: int, full: bool, verdicts: list[Verdict], pick: int, what: str
    ) -> None:
        """With limits of nothing at all. What is parked waits for the next time that somebody clears away."""
        self.deed(who, pick, "crm")()
        self.deed(who, pick + 1, "remove")()
        with override_settings(SYNC_DELETE_LIMIT=0, SYNC_DELETE_PERCENT=0, SYNC_OVERWRITE_PERCENT=0):
            self.sync(who, full=full)
        held = SyncRun.objects.select_related("setup").filter(setup=self.people[who].setup, outcome="held").first()
        if held is not None:
            self.deed(who, pick, what)()
            decide(held, {group: verdicts[at % len(verdicts)] for at, group in enumerate(causes_of(held))}, None)
            perform(held.pk, budget=float("inf"))
            FIGURES["held runs decided by cause"] += 1
