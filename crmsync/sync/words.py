"""A run in sentences: what it does, what it did, why it was held. Pure: rows in, text in the active language out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from crmsync.sync import reasons
from crmsync.sync.choices import LOOKS_ONLY, Action, Cause, ChangeOutcome, Kind, Outcome, Reason, Side, Step
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.run_titles import is_sync
from crmsync.sync.spans import duration

Text = str | Promise

# --- Counting --------------------------------------------------------------------------------------------------------

DONE = {
    (Side.OUTLOOK, "created"): ngettext_lazy("%(shown)s created in Outlook", "%(shown)s created in Outlook", "count"),
    (Side.OUTLOOK, "updated"): ngettext_lazy("%(shown)s updated in Outlook", "%(shown)s updated in Outlook", "count"),
    (Side.OUTLOOK, "deleted"): ngettext_lazy(
        "%(shown)s removed from Outlook", "%(shown)s removed from Outlook", "count"
    ),
    (Side.CRM, "created"): ngettext_lazy("%(shown)s created in the CRM", "%(shown)s created in the CRM", "count"),
    (Side.CRM, "updated"): ngettext_lazy("%(shown)s updated in the CRM", "%(shown)s updated in the CRM", "count"),
    (Side.CRM, "deleted"): ngettext_lazy(
        "%(shown)s moved to the CRM's trash", "%(shown)s moved to the CRM's trash", "count"
    ),
}
TO_DO = {
    (Side.OUTLOOK, "created"): ngettext_lazy(
        "%(shown)s to create in Outlook", "%(shown)s to create in Outlook", "count"
    ),
    (Side.OUTLOOK, "updated"): ngettext_lazy(
        "%(shown)s to update in Outlook", "%(shown)s to update in Outlook", "count"
    ),
    (Side.OUTLOOK, "deleted"): ngettext_lazy(
        "%(shown)s to remove from Outlook", "%(shown)s to remove from Outlook", "count"
    ),
    (Side.CRM, "created"): ngettext_lazy("%(shown)s to create in the CRM", "%(shown)s to create in the CRM", "count"),
    (Side.CRM, "updated"): ngettext_lazy("%(shown)s to update in the CRM", "%(shown)s to update in the CRM", "count"),
    (Side.CRM, "deleted"): ngettext_lazy(
        "%(shown)s to move to the CRM's trash", "%(shown)s to move to the CRM's trash", "count"
    ),
}
PAIRED = ngettext_lazy(
    "%(shown)s paired with a contact that was in Outlook already",
    "%(shown)s paired with contacts that were in Outlook already",
    "count",
)
TO_PAIR = ngettext_lazy(
    "%(shown)s to pair with a contact that is in Outlook already",
    "%(shown)s to pair with contacts that are in Outlook already",
    "count",
)
CONFLICTS = ngettext_lazy("%(shown)s conflict", "%(shown)s conflicts", "count")
LEFT_OUT = ngettext_lazy("%(shown)s left out", "%(shown)s left out", "count")
LEFT_ALONE = ngettext_lazy("%(shown)s left alone", "%(shown)s left alone", "count")
STALE = ngettext_lazy("%(shown)s left for the next sync", "%(shown)s left for the next sync", "count")
DIFFER = ngettext_lazy("%(shown)s differs", "%(shown)s differ", "count")
ALL_THE_SAME = ngettext_lazy(
    "100%% identical: %(shown)s contact compared.", "100%% identical: %(shown)s contacts compared.", "count"
)
FAILED = ngettext_lazy("%(shown)s failed", "%(shown)s failed", "count")


def number(value: int) -> str:
    """1200 as people write it: 1,200 in English, 1.200 in Danish."""
    return number_format(value, force_grouping=True)


def counted(phrase: Any, count: int) -> str:
    """One of the phrases above with its number, in the right plural."""
    return str(phrase % {"count": count, "shown": number(count)})


def changes(run: SyncRun) -> list[str]:
    """What the run changed on either side, or would change, as phrases such as '12 created in Outlook'."""
    is_done = run.kind != Kind.PREVIEW and run.outcome != Outcome.HELD
    phrases = DONE if is_done else TO_DO
    found = [(phrase, run.counts.get(side, {}).get(verb, 0)) for (side, verb), phrase in phrases.items()]
    found.append((PAIRED if is_done else TO_PAIR, run.counts.get("paired", 0)))
    return [counted(phrase, count) for phrase, count in found if count]


def remarks(run: SyncRun, left_out: Mapping[str, int] | None = None) -> list[str]:
    """What else came of it: conflicts, contacts left out (with the reasons, where `left_out` counts them), failures."""
    found = []
    if count := run.counts.get("conflicts", 0):
        found.append(counted(CONFLICTS, count))
    if count := run.counts.get("skipped", 0):
        why = why_left_out(left_out) if left_out and sum(left_out.values()) == count else ""
        found.append(counted(LEFT_ALONE if run.kind == Kind.UNDO else LEFT_OUT, count) + why)
    if count := run.counts.get("failed", 0):
        found.append(counted(FAILED, count))
    if count := run.counts.get("stale", 0):
        found.append(counted(LEFT_ALONE if run.kind == Kind.UNDO else STALE, count))
    return found


def why_left_out(left_out: Mapping[str, int]) -> str:
    """': no e-mail', or with several reasons ': 3 no e-mail, 2 no name'."""
    named = [(str(Reason(reason).label), count) for reason, count in left_out.items() if reason in Reason.values]
    if len(named) == 1:
        return f": {named[0][0]}"
    return ": " + ", ".join(f"{number(count)} {label}" for label, count in named) if named else ""


# --- A run in one sentence -------------------------------------------------------------------------------------------


def headline(run: SyncRun, left_out: Mapping[str, int] | None = None) -> str:
    """The run in a sentence or two, whatever its state. `left_out` counts its left-out contacts by reason."""
    match run.outcome:
        case Outcome.QUEUED if not run.started_at:
            return _("Waiting to start.")
        case Outcome.QUEUED | Outcome.RUNNING:  # a long run waits for its next share of a worker's time
            return progress(run)
        case Outcome.HELD if run.kind == Kind.UNDO and run.planned_with:
            found = ", ".join(changes(run) + remarks(run, left_out))
            return _("Nothing has been changed yet. This is what the undo does: %(list)s.") % {"list": found}
        case Outcome.HELD if PARKED in run.notes:
            return _("Held: what you approved has been carried out. What you parked waits for your decision.")
        case Outcome.HELD:
            return _("Held: nothing has been changed. It waits for your decision.")
        case Outcome.REJECTED:
            return _("Rejected: nothing was changed.")
        case Outcome.FAILED:
            return f"{reasons.trouble(run.error).happened} {so_far(run)}"
        case Outcome.CANCELLED:
            return _("Cancelled.") + f" {so_far(run)}"
    return f"{result(run, left_out)} {took(run)}".strip()


def result(run: SyncRun, left_out: Mapping[str, int] | None = None) -> str:
    """What a finished run did: '12 created in Outlook, 2 left out: no e-mail.'"""
    if run.kind == Kind.VERIFY:
        return verified(run)
    changed, rest = changes(run), remarks(run, left_out)
    if run.kind == Kind.PREVIEW and changed:
        return _("A preview, nothing was changed: %(list)s.") % {"list": ", ".join(changed + rest)}
    if changed:
        return f"{', '.join(changed + rest)}."
    if any(run.counts.get(what) for what in ("failed", "conflicts", "stale")):
        return _("Nothing was changed: %(list)s.") % {"list": ", ".join(rest)}
    if run.kind == Kind.UNDO:
        same = _("Nothing was undone.")
    elif run.kind == Kind.REMOVAL:
        same = _("There was nothing to remove.")
    else:
        same = _("Nothing to do: there is nothing new on either side.")
    return f"{same} {', '.join(rest)}." if rest else same


def verified(run: SyncRun) -> str:
    """What a comparison found: '99.8% identical, 7 differ.'"""
    compared, same = run.counts.get("compared", 0), run.counts.get("same", 0)
    if compared == same:
        return counted(ALL_THE_SAME, compared)
    percent = number_format(same * 1000 // compared / 10, 1)  # cut off: 100 is said only where it is true
    return _("%(percent)s%% identical, %(differ)s.") % {
        "percent": percent,
        "differ": counted(DIFFER, compared - same),
    }


def so_far(run: SyncRun) -> str:
    """What a run did that did not come to its end."""
    changed = changes(run)
    if not changed or run.kind == Kind.PREVIEW:
        return _("Nothing was changed.")
    if run.kind == Kind.UNDO:
        return _("Until then: %(list)s. Undo it once more for the rest.") % {"list": ", ".join(changed)}
    return _("Until then: %(list)s. The next sync does the rest.") % {"list": ", ".join(changed)}


def took(run: SyncRun) -> str:
    """How long it took, as a sentence; '' where that is no news."""
    span = duration(run.duration)
    return f"{span}." if span else ""


def is_quiet(run: SyncRun) -> bool:
    """Whether it is a sync that came to its end, and there was nothing to do and nothing to say of it."""
    return run.outcome == Outcome.DONE and is_sync(run) and not changes(run) and not remarks(run)


def progress(run: SyncRun) -> str:
    """The step of an open run, with its numbers once it has any: 'Reading Outlook: 340 of 1,200.'"""
    if run.cancel_requested:
        return _("Stopping after the batch that is under way.")
    step = Step(run.step).label
    if run.total:
        return _("%(step)s: %(done)s of %(total)s.") % {
            "step": step,
            "done": number(min(run.done, run.total)),
            "total": number(run.total),
        }
    return f"{step}…"


def announcement(run: SyncRun, left_out: Mapping[str, int] | None = None) -> str:
    """The state of a run for people who listen instead of looking; it changes at each `milestone` only."""
    if run.outcome != Outcome.RUNNING or run.cancel_requested or not run.total:
        return headline(run, left_out)
    return _("%(step)s: %(percent)s%%") % {"step": Step(run.step).label, "percent": tenths(run) * 10}


def milestone(run: SyncRun) -> str:
    """A short word that changes when there is something new to announce."""
    return f"{run.outcome}-{run.step}-{tenths(run)}-{int(run.cancel_requested)}"


def tenths(run: SyncRun) -> int:
    return min(run.done, run.total) * 10 // run.total if run.total else 0


STAGES = (
    (Step.READING, {Step.STARTING, Step.RECOVERING, Step.READING}),
    (Step.PLANNING, {Step.PLANNING, Step.CHECKING}),
    (Step.APPLYING, {Step.APPLYING, Step.FINISHING}),
)


@dataclass(frozen=True)
class Stage:
    """A line of the progress: its caption, and whether it is 'done', 'now' or 'next'."""

    label: Text
    state: str


def stages(run: SyncRun) -> list[Stage]:
    """The run in three strokes, or two for a preview, which ends before anything is carried out."""
    shown = STAGES[:2] if run.kind in LOOKS_ONLY else STAGES
    if run.outcome == Outcome.QUEUED and not run.started_at:
        return [Stage(step.label, "next") for step, _steps in shown]
    here = next((place for place, (_step, steps) in enumerate(shown) if run.step in steps), len(shown) - 1)
    found = [Stage(step.label, "done" if place < here else "next") for place, (step, _steps) in enumerate(shown)]
    found[here] = Stage(Step(run.step).label, "now")
    return found


PARKED = "parked"
NOTES: dict[str, Text] = {
    "first_sync": gettext_lazy("The first sync of this folder: people that both sides had were paired by e-mail."),
    "settings_changed": gettext_lazy(
        "The filter or a rule had changed since the last sync, so everything was compared again."
    ),
    "salesperson_changed": gettext_lazy(
        "A salesperson got another code or e-mail, or was deleted, so everything was compared again."
    ),
    "read_again": gettext_lazy("Outlook asked for a fresh reading, so the whole folder was read again."),
    "folder_created": gettext_lazy("The folder was not there, so it was made in Outlook."),
    "disconnected": gettext_lazy("After that the mailbox was disconnected; nothing syncs any more."),
    "still_connected": gettext_lazy(
        "Some contacts could not be removed, so the mailbox is still connected. Disconnect again to try once more."
    ),
    PARKED: gettext_lazy("It is carried out in parts: what was parked waits for a decision of its own."),
    "preview_outdated": gettext_lazy(
        "Some of what the preview showed had changed or was done already: only what still was as shown was carried out."
    ),
}
PREVIEW_NOTES: dict[str, Text] = {
    "first_sync": gettext_lazy("This would be the first sync: people that both sides have are paired by e-mail."),
    "folder_created": gettext_lazy("The folder is not there yet; a sync makes it in Outlook."),
}


def notes(run: SyncRun) -> list[Text]:
    """Sentences on what was special about the run."""
    known = NOTES | PREVIEW_NOTES if run.kind == Kind.PREVIEW else NOTES
    return [known[code] for code in run.notes if code in known]


# --- One change ------------------------------------------------------------------------------------------------------

ACTIONS: dict[tuple[str, str], tuple[Text, Text]] = {
    (Action.CREATE, Side.OUTLOOK): (gettext_lazy("Created in Outlook"), gettext_lazy("Create in Outlook")),
    (Action.UPDATE, Side.OUTLOOK): (gettext_lazy("Updated in Outlook"), gettext_lazy("Update in Outlook")),
    (Action.DELETE, Side.OUTLOOK): (gettext_lazy("Removed from Outlook"), gettext_lazy("Remove from Outlook")),
    (Action.CREATE, Side.CRM): (gettext_lazy("Created in the CRM"), gettext_lazy("Create in the CRM")),
    (Action.UPDATE, Side.CRM): (gettext_lazy("Updated in the CRM"), gettext_lazy("Update in the CRM")),
    (Action.DELETE, Side.CRM): (gettext_lazy("Moved to the CRM's trash"), gettext_lazy("Move to the CRM's trash")),
}
EITHER_SIDE: dict[str, tuple[Text, Text]] = {
    Action.LINK: (gettext_lazy("Paired"), gettext_lazy("Pair")),
    Action.RESTORE: (gettext_lazy("Restored from the trash"), gettext_lazy("Restore from the trash")),
    Action.UNLINK: (gettext_lazy("No longer synced"), gettext_lazy("Stop syncing")),
    Action.SKIP: (gettext_lazy("Left out"), gettext_lazy("Leave out")),
}


def action(change: SyncChange) -> Text:
    """'Created in Outlook' once it is done, 'Create in Outlook' until then."""
    if change.undoes_id and change.action == Action.SKIP:
        return _("Left alone")
    done, still_to_do = both_forms(change.action, change.side)
    return done if change.outcome in {ChangeOutcome.DONE, ChangeOutcome.SKIPPED} else still_to_do


def to_do(action: str, side: str) -> Text:
    """'Create in Outlook'."""
    return both_forms(action, side)[1]


def why(action: str, cause: str) -> Text:
    """What made a change necessary, '' where only a reason says so."""
    if (action, cause) == (Action.CREATE, Cause.EDITED_IN_CRM):  # of a pair whose item is gone: the edit wins
        return _("removed in Outlook, but edited in the CRM since")
    return Cause(cause).label if cause in Cause.values else ""


def both_forms(action: str, side: str) -> tuple[Text, Text]:
    return ACTIONS.get((action, side), EITHER_SIDE.get(action, ("", "")))


# --- Held runs -------------------------------------------------------------------------------------------------------

BRAKES: dict[tuple[str, str], Any] = {
    ("deletions", Side.OUTLOOK): ngettext_lazy(
        "%(shown)s contact would be removed from your Outlook.",
        "%(shown)s contacts would be removed from your Outlook.",
        "count",
    ),
    ("deletions", Side.CRM): ngettext_lazy(
        "%(shown)s contact would be moved to the CRM's trash.",
        "%(shown)s contacts would be moved to the CRM's trash.",
        "count",
    ),
    ("overwrites", Side.OUTLOOK): ngettext_lazy(
        "%(shown)s contact would be overwritten in your Outlook.",
        "%(shown)s contacts would be overwritten in your Outlook.",
        "count",
    ),
    ("overwrites", Side.CRM): ngettext_lazy(
        "%(shown)s contact would be overwritten in the CRM.",
        "%(shown)s contacts would be overwritten in the CRM.",
        "count",
    ),
}
GONE_FROM_OUTLOOK = ngettext_lazy(
    "%(shown)s contact was removed in your Outlook and would no longer be synced.",
    "%(shown)s contacts were removed in your Outlook and would no longer be synced.",
    "count",
)
SUSPICIONS: dict[str, Text] = {
    "folder_empty": gettext_lazy("Your Outlook folder is suddenly empty."),
    "mailbox_changed": gettext_lazy("This is another mailbox than the one that was synced so far."),
}


@dataclass(frozen=True)
class CauseCount:
    """One card of a held run: why, how many, and the values that pick its rows on the run's page."""

    label: Text
    count: int
    cause: str
    side: str


@dataclass(frozen=True)
class Brake:
    """One reason why a run was held: the sentence, the limit (0 for none) and the causes, the biggest first."""

    sentence: str
    limit: int
    causes: list[CauseCount]
    name: str = ""


def brakes(run: SyncRun) -> list[Brake]:
    """Why the run was held, its rows grouped by brake and side; apart from them what Outlook itself has lost."""
    return brakes_of(run.brakes)


def brakes_of(rows: list[dict[str, Any]]) -> list[Brake]:
    """The same for brakes as `check` finds them."""
    grouped: dict[tuple[str, str, bool], list[dict[str, Any]]] = {}
    for row in rows:
        is_gone = row.get("side") == Side.OUTLOOK and row.get("cause") == Cause.REMOVED_IN_OUTLOOK
        grouped.setdefault((row.get("brake", ""), row.get("side") or "", is_gone), []).append(row)
    return [brake(name, side, rows, is_gone) for (name, side, is_gone), rows in grouped.items()]


def brake(name: str, side: str, rows: list[dict[str, Any]], is_gone: bool) -> Brake:
    total = sum(row.get("count") or 0 for row in rows)
    phrase = GONE_FROM_OUTLOOK if is_gone else BRAKES.get((name, side))
    sentence = counted(phrase, total) if phrase else str(SUSPICIONS.get(name, name))
    causes = [
        CauseCount(Cause(row["cause"]).label, row.get("count") or 0, row["cause"], side)
        for row in sorted(rows, key=lambda row: -(row.get("count") or 0))
        if row.get("cause") in Cause.values
    ]
    return Brake(sentence, max((row.get("limit") or 0 for row in rows), default=0), causes, name)
