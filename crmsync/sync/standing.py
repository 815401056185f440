"""Where a person's mailbox stands: in a few words for the top bar of every page, in a sentence for Home."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _

from crmsync.sync import reasons, words
from crmsync.sync.choices import NO_SYNC, OPEN, Kind, Outcome
from crmsync.sync.health import Health, health_of, is_late
from crmsync.sync.models import SyncRun
from exchange_setup.models import ExchangeSync, Trouble


@dataclass(frozen=True)
class Standing:
    """An icon, a few words and a sentence, the page to go to, and whether a run is under way. `tone` is a badge's."""

    icon: str
    text: str
    tone: str
    url: str
    sentence: str
    busy: bool = False
    held: bool = False
    is_undo: bool = False


def standing(user: AbstractBaseUser) -> Standing:
    """Where `user`'s mailbox stands now. At most three queries."""
    setup = ExchangeSync.objects.filter(user=user).first()
    if setup is None:
        return not_set_up()
    return standing_of(setup, latest_run(setup), health_of(setup))


def latest_run(setup: ExchangeSync) -> SyncRun | None:
    """The open run, else the last one that was a sync of both sides. One query."""
    return setup.runs.filter(Q(outcome__in=OPEN) | ~Q(kind__in=NO_SYNC)).first()


def standing_of(setup: ExchangeSync, run: SyncRun | None, health: str) -> Standing:
    """Where `setup` stands, whose `latest_run` is `run`."""
    if run and run.outcome == Outcome.HELD:
        return held(setup, run)
    if run and run.is_open:
        return waiting(setup, run) if health == Health.LATE else under_way(run)
    return at_rest(setup, run, health)


def not_set_up() -> Standing:
    sentence = _("Your contacts are not in your Outlook yet.")
    return Standing("plug", _("Not set up"), "muted", reverse("exchange_setup:setup"), sentence)


def held(setup: ExchangeSync, run: SyncRun) -> Standing:
    """A run waits for a person's decision."""
    sentence = words.headline(run)
    if (since := freshness(setup)) and run.kind != Kind.UNDO:
        sentence = _("Last complete sync: %(time)s. One since then waits for your decision.") % since
    is_undo = run.kind == Kind.UNDO
    return Standing(
        "hand", _("Held: your decision"), "warn", run.get_absolute_url(), sentence, held=True, is_undo=is_undo
    )


def waiting(setup: ExchangeSync, run: SyncRun) -> Standing:
    """A run that no worker takes, or whose worker has not been heard of."""
    since = freshness(setup)
    text = _("Late · last %(time)s") % since if since else str(Health.LATE.label)
    sentence = _("A sync waits for a background worker, and goes on as soon as one is there.")
    return Standing("clock-alert", text, "warn", run.get_absolute_url(), sentence)


def under_way(run: SyncRun) -> Standing:
    """A run that waits to start, or how far it is."""
    url, sentence = run.get_absolute_url(), words.headline(run)
    if run.kind == Kind.VERIFY:
        return Standing("refresh-cw", _("Comparing…"), "info", url, sentence, busy=True)
    if not run.total:
        return Standing("refresh-cw", _("Syncing…"), "info", url, sentence, busy=True)
    numbers = {"done": words.number(min(run.done, run.total)), "total": words.number(run.total)}
    return Standing("refresh-cw", _("Syncing %(done)s of %(total)s") % numbers, "info", url, sentence, busy=True)


def at_rest(setup: ExchangeSync, run: SyncRun | None, health: str) -> Standing:
    """No run is open: what is wrong, else up to when both sides are the same. `run` is the last one, if any."""
    since = freshness(setup)
    setup_url = reverse("exchange_setup:setup")
    if trouble := setup.trouble or unseen_trouble(setup, run, health):
        return Standing("triangle-alert", str(Trouble(trouble).label), "bad", setup_url, stopped(trouble, since))
    if not setup.enabled:
        return paused(since) if setup.enabled_at else not_set_up()
    if setup.waits_for_first_sync:
        return waits_for_first()
    if run and run.outcome == Outcome.FAILED:
        return Standing(
            "triangle-alert", _("Last sync failed"), "bad", run.get_absolute_url(), stopped(run.error, since)
        )
    if since is None:
        sentence = _("Your sync is enabled and has not run yet.")
        return Standing("circle-dashed", _("Not synced yet"), "muted", reverse("sync:run-list"), sentence)
    url = run.get_absolute_url() if run else reverse("sync:run-list")
    if is_late(setup, timezone.now()):
        sentence = _("The sync is late: nothing that changed after %(time)s is in the other place yet.") % since
        return Standing("clock-alert", _("Late · last %(time)s") % since, "warn", url, sentence)
    sentence = _("Everything up to %(time)s is in both places.") % since
    return Standing("check", _("In sync · %(time)s") % since, "ok", url, sentence)


def unseen_trouble(setup: ExchangeSync, run: SyncRun | None, health: str) -> str:
    """What stands in the way though no sync has met it yet: nobody is signed in, or the user card names another
    mailbox."""
    if health == Health.NEEDS_SIGN_IN:
        return Trouble.NEEDS_SIGN_IN
    failed = run is not None and run.outcome == Outcome.FAILED
    return Trouble.MAILBOX_CHANGED if health == Health.ERROR and not failed else ""


def stopped(error: str, since: dict[str, str] | None) -> str:
    """That the sync stopped; before the first complete one, why."""
    if since is None:
        return str(reasons.trouble(error).happened)
    return _("The sync stopped: what changed after %(time)s may not be in the other place yet.") % since


def paused(since: dict[str, str] | None) -> Standing:
    sentence = _("Contact sync is paused.")
    if since:
        sentence = _("Contact sync is paused: nothing that changed after %(time)s is in the other place yet.") % since
    return Standing("pause", _("Paused"), "muted", reverse("exchange_setup:setup"), sentence)


def waits_for_first() -> Standing:
    """Enabled, and nobody has let the first sync begin."""
    sentence = _("Your sync is enabled and waits for you: see what the first one would do, and apply it.")
    return Standing("circle-dashed", _("Waiting for your first sync"), "info", reverse("sync:start"), sentence)


def freshness(setup: ExchangeSync) -> dict[str, str] | None:
    """Up to when both sides are the same, as the `time` of a sentence; None before the first complete sync."""
    return {"time": moment(setup.last_sync_at, timezone.now())} if setup.last_sync_at else None


def moment(at: datetime, now: datetime) -> str:
    """'14:02' today, '3 Sept' on any other day, in the reader's time zone and language."""
    local = timezone.localtime(at)
    today = local.date() == timezone.localtime(now).date()
    return time_format(local, "H:i") if today else date_format(local, "MONTH_DAY_FORMAT")
