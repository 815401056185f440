"""What a person decides about contacts that were left out. The next run carries it out, and journals it as usual.

Nothing is decided while a run is at work: it has read the links already, and would write over the decision.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.models import StaleContact
from crmsync.sync.alone import WAITING
from crmsync.sync.choices import Decision, LinkState, Outcome, Reason, Side
from crmsync.sync.fields import BY_NAME, FIELDS, complete, same
from crmsync.sync.mapping import contact_fields
from crmsync.sync.models import ContactLink, LinkQuerySet, SyncRun
from crmsync.sync.plan import Conflict, ConflictChoice, merge
from crmsync.sync.planning import both_sides
from crmsync.sync.work import chunks, store
from exchange_setup.models import ExchangeSync, NewContactRule

PAIR_COLUMNS = [
    "base_crm", "base_outlook", "fingerprint", "dirty", "decided_at", "problem", "problem_detail", "problem_since",
]  # fmt: skip


LISTS = {"emails", "phones"}


class Choice(models.TextChoices):
    """What can be decided, with the words on its button."""

    LET_IN = "let_in", _("Add to the CRM")
    KEEP_OUT = "keep_out", _("Leave it out for good")
    ASK_AGAIN = "ask_again", _("Undo")
    CRM = "crm", _("Use the CRM's")
    OUTLOOK = "outlook", _("Use Outlook's")
    BOTH = "both", _("Keep both")


# What can be decided about a contact that is left out for a reason.
CHOICES: dict[str, tuple[Choice, ...]] = {
    Reason.HELD_FOR_REVIEW: (Choice.LET_IN, Choice.KEEP_OUT),
    Reason.NOT_IMPORTED: (Choice.LET_IN,),
    Reason.NOT_WANTED: (Choice.LET_IN,),
    Reason.CONFLICT: (Choice.CRM, Choice.OUTLOOK),
}


class RunAtWork(Exception):
    """A run of the setup is at work just now."""


class Locked(Exception):
    """The organisation has set the rule for everybody."""


class Outdated(Exception):
    """What the person decided about is no longer as they saw it."""


@contextmanager
def between_runs(setup: ExchangeSync) -> Iterator[None]:
    """A transaction during which no run of `setup` is at work, nor can begin to be. Raises RunAtWork."""
    with transaction.atomic():
        # Whoever opens a run waits for the setup's row, whoever claims one for the run's. No worker's lock is waited
        # for here, so that none can wait for ours in turn.
        ExchangeSync.objects.select_for_update().get(pk=setup.pk)
        open_runs = SyncRun.objects.open().filter(setup=setup)
        resting = open_runs.exclude(outcome=Outcome.RUNNING).select_for_update(skip_locked=True)
        if not list(resting) and open_runs.exists():
            raise RunAtWork
        yield


def decide_one(link: ContactLink, choice: Choice, *, name: str = "", seen: str = "") -> None:
    """Decide about `link`; of a pair, only about the field `name` if one is given. Raises RunAtWork and Outdated.

    `seen` is the `sight` that a person had of a pair.
    """
    with between_runs(link.setup):
        links = ContactLink.objects.filter(pk=link.pk)
        stored = links.select_related("contact").first()
        if stored is None or (seen and seen != sight(stored)):
            raise Outdated
        if choice == Choice.BOTH:
            keep_both(link.setup, stored, name)
            choice = Choice.CRM
        if not carry_out(link.setup, links, choice, name=name):
            raise Outdated


def decide_all(setup: ExchangeSync, reason: str, choice: Choice, count: int) -> None:
    """Decide about all of `setup` that is left out for `reason`, if that is still `count`. Raises as `decide_one`."""
    with between_runs(setup):
        links = setup.links.filter(problem=reason)
        if links.filter(decidable(choice)).count() != count:
            raise Outdated
        carry_out(setup, links, choice)


def decidable(choice: Choice) -> models.Q:
    """Which links the choice can be made about."""
    if choice == Choice.ASK_AGAIN:
        return models.Q(state=LinkState.SEEN, decision=Decision.LET_IN)
    reasons = [reason for reason, choices in CHOICES.items() if choice in choices]
    state = LinkState.LINKED if choice in Side.values else LinkState.SEEN
    return models.Q(problem__in=reasons, state=state, gone=False)


def carry_out(setup: ExchangeSync, links: LinkQuerySet, choice: Choice, *, name: str = "") -> int:
    """Note the choice on those of `links` that it can be made about; how many those are."""
    links = links.filter(decidable(choice))
    if choice in Side.values:
        return let_win(setup, links, Side(choice), name)
    now = timezone.now()
    match choice:
        case Choice.LET_IN:
            decision, reason, decided_at = Decision.LET_IN, "", now
        case Choice.KEEP_OUT:
            decision, reason, decided_at = Decision.KEEP_OUT, Reason.NOT_WANTED, None
        case _:
            decision, reason, decided_at = "", WAITING.get(NewContactRule(setup.new_contact_rule), ""), None
    return links.update(
        decision=decision,
        decided_at=decided_at,
        problem=reason,
        problem_detail="",
        problem_since=now if reason else None,
        dirty=decision != Decision.KEEP_OUT,
    )


# --- Fields that both sides changed ----------------------------------------------------------------------------------


def let_win(setup: ExchangeSync, pairs: LinkQuerySet, side: Side, name: str) -> int:
    """Let `side` win in the open conflicts of `pairs`, or only in the field `name`; how many pairs that concerned."""
    decided = 0
    for chunk in chunks(pairs.select_related("contact")):
        for link in chunk:
            open_fields = open_conflicts(setup, link)
            picked = [row for row in open_fields if name in ("", row.name)]
            link.let_win(side, {row.name: row.outlook if side == Side.CRM else row.crm for row in picked})
            rest = sorted(row.name for row in open_fields if row not in picked)
            link.note_problem(Reason.CONFLICT if rest else "", ", ".join(rest))
        store(chunk, PAIR_COLUMNS)
        decided += len(chunk)
    return decided


def keep_both(setup: ExchangeSync, link: ContactLink, name: str) -> None:
    """Give Outlook's value of the field a free place of its list, in the CRM; the CRM's keeps its own. Raises Outdated.

    The CRM then wins the conflict, and the next sync carries the other place to Outlook like any edit.
    """
    row = next((row for row in open_conflicts(setup, link) if row.name == name), None)
    place = free_place(link, row) if row else ""
    if not place or link.contact is None:
        raise Outdated
    try:
        link.contact.write({place: row.outlook}, by=setup.user)
    except StaleContact as stale:
        raise Outdated from stale


def free_place(link: ContactLink, row: Conflict) -> str:
    """The field of the same list that is empty on both sides, so that both values can be kept; '' for none."""
    group = BY_NAME[row.name].positional
    if group not in LISTS or not (row.crm and row.outlook) or link.contact is None:
        return ""
    crm, outlook = contact_fields(link.contact), complete(link.outlook or link.base_outlook)
    names = [field.name for field in FIELDS if field.positional == group]
    if any(same(name, crm[name], row.outlook) for name in names):
        return ""
    return next((name for name in names if not (crm[name] or outlook[name])), "")


def always(setup: ExchangeSync, side: Side) -> None:
    """Have `side` win every conflict from now on, the open ones with the next sync. Raises RunAtWork and Locked."""
    if setup.is_locked("conflict_rule"):
        raise Locked
    with between_runs(setup):
        ExchangeSync.objects.filter(pk=setup.pk).update(conflict_rule=side)


def open_conflicts(setup: ExchangeSync, link: ContactLink) -> tuple[Conflict, ...]:
    """The fields that both sides of a pair changed differently, as far as is known. The link's contact is at hand."""
    if link.contact is None or link.contact.is_trashed:
        return ()
    crm, outlook, base = both_sides(link, sync_notes=setup.sync_notes)
    return merge(base, crm, outlook, ConflictChoice.ASK).conflicts


def sight(link: ContactLink) -> str:
    """A word that changes when either side of a pair is edited."""
    return blake2b(f"{link.contact and link.contact.version} {link.change_key}".encode(), digest_size=8).hexdigest()
