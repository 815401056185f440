"""What the runs of a mailbox have to say on its setup page: one sentence with its one button, or nothing."""

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from crmsync.sync.health import Health, is_late
from crmsync.sync.home import Need, needs_of_sync
from crmsync.sync.standing import freshness, latest_run, standing_of, under_way
from exchange_setup.models import ExchangeSync


def notice_of(setup: ExchangeSync) -> Need | None:
    """What needs the user: a held run, one under way, a failed one, a late one. What stopped the setup itself is the
    setup page's own to say. One query."""
    if setup.trouble or not setup.enabled_at:
        return None
    run = latest_run(setup)
    if found := needs_of_sync(setup, run):
        return found[0]
    if run and run.is_open:
        state = under_way(run)
        return Need(state.icon, state.tone, _("A sync is under way."), state.sentence, _("Show the sync"), state.url)
    if setup.enabled and setup.waits_for_first_sync:
        text = _("Your contacts wait for the first sync.")
        more = _("It shows you what it would do, and changes nothing before you apply it.")
        return Need("eye", "info", text, more, _("See what it would do"), reverse("sync:start"))
    if is_late(setup, timezone.now()):
        more = _("It starts by itself once a background worker is free. If it keeps waiting, tell an administrator.")
        return Need("clock-alert", "warn", late(setup), more, _("Sync now"), reverse("sync:start"))
    return None


def late(setup: ExchangeSync) -> str:
    """That the sync is late, and since when."""
    if freshness(setup) is None:
        return _("The first sync is late.")
    return standing_of(setup, None, Health.LATE).sentence
