"""What an administrator should know of somebody else's mailbox, and can do. (To the user themselves: `reasons`.)"""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crmsync.sync import reasons, words
from crmsync.sync.health import Health
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import NotReady
from crmsync.sync.standing import freshness
from crmsync.sync.words import Text
from exchange_setup.models import ExchangeSync, Trouble

ERRORS: dict[str, Text] = {
    Trouble.NEEDS_SIGN_IN: gettext_lazy("Microsoft 365 does not accept the sign-in to this mailbox."),
    Trouble.FOLDER_GONE: gettext_lazy(
        "The folder in Outlook is gone. %(user)s can have it made again, or choose another one, on their setup page."
    ),
    Trouble.MAILBOX_UNAVAILABLE: gettext_lazy(
        "Microsoft 365 has no mailbox that can be reached here. See whether it is in Exchange Online and has a licence."
    ),
    Trouble.ACCESS_DENIED: gettext_lazy(
        "Microsoft 365 does not let the CRM into this mailbox. See to the app's permissions; then %(user)s may have to "
        "connect again."
    ),
    Trouble.MAILBOX_CHANGED: gettext_lazy(
        "The user card names another mailbox than the one that was synced so far. Correct the user card, or let "
        "%(user)s say on their setup page that the new one is right."
    ),
    Trouble.QUOTA_FULL: gettext_lazy("The mailbox is full. %(user)s has to make room in Outlook."),
    "throttled": gettext_lazy(
        "Microsoft 365 was too busy for the last sync. Nothing to do: the next one goes on where it stopped."
    ),
    "unreachable": gettext_lazy(
        "Microsoft 365 could not be reached. If that lasts, look at the network between this server and Microsoft 365."
    ),
    "bad_answer": gettext_lazy(
        "Microsoft 365 sent an answer that makes no sense. Sync again; if it happens again, see the log."
    ),
    "wrong_configuration": gettext_lazy(
        "Microsoft 365 does not accept this CRM's app registration. See to its client secret and its permissions."
    ),
    "wrong_filter": gettext_lazy("The filter has a mistake in it. %(user)s can correct it on their setup page."),
    "setup_changed": gettext_lazy("The setup was changed while a sync was running. Sync again."),
    "lost": gettext_lazy("The background worker stopped in the middle of the last sync. See its log, then sync again."),
    "crashed": gettext_lazy("The last sync met a fault of its own. The log has the details."),
}

HAPPENED: dict[str, Text] = {  # where what the user is told speaks to them
    Trouble.NEEDS_SIGN_IN: ERRORS[Trouble.NEEDS_SIGN_IN],
    Trouble.MAILBOX_UNAVAILABLE: gettext_lazy("Microsoft 365 has no mailbox that can be reached here."),
    Trouble.ACCESS_DENIED: gettext_lazy("Microsoft 365 does not let the CRM into this mailbox."),
    Trouble.MAILBOX_CHANGED: gettext_lazy("The user card names another mailbox than the one that was synced so far."),
    Trouble.QUOTA_FULL: gettext_lazy("The mailbox is full."),
}

NOT_READY: dict[str, Text] = {
    "no_tenant": gettext_lazy("Microsoft 365 is not set up for this CRM yet: its settings name no tenant."),
    "no_mailbox": gettext_lazy("%(user)s has no authentication email yet. Fill it in on the user card."),
    "not_connected": gettext_lazy("The mailbox is not connected. Only %(user)s can do that, on their setup page."),
    "paused": gettext_lazy("The sync of this mailbox is paused. Resume it first."),
    "first_sync": gettext_lazy("%(user)s has not looked at the first sync yet."),
    "not_enabled": gettext_lazy("The sync of this mailbox is not enabled. %(user)s can do that on their setup page."),
}


def refusal(problem: NotReady, user: Any) -> str:
    """Why a sync of `user`'s mailbox cannot start, for the administrator who asked for it."""
    return str(NOT_READY.get(problem.code, problem.message)) % {"user": user}


def happened(run: SyncRun) -> Text:
    """Why a run failed, in a sentence without what to do: it may be long ago."""
    return HAPPENED.get(run.error) or reasons.trouble(run.error).happened


def explain(
    health: Health, user: Any, setup: ExchangeSync | None, run: SyncRun | None, open_run: SyncRun | None
) -> str:
    """One or two sentences on why the mailbox has this health. `run` is the last that ended."""
    if setup is None:
        return _("There is no setup yet.")
    return EXPLAIN[health](user, setup, open_run or run)


def of_error(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    name = {"user": user}
    if setup.enabled and not user.authentication_email:
        return str(NOT_READY["no_mailbox"]) % name
    if setup.enabled and not setup.belongs_to(user.authentication_email):
        return str(ERRORS[Trouble.MAILBOX_CHANGED]) % name
    code = setup.trouble or (run.error if run else "")
    return str(ERRORS.get(code, ERRORS["crashed"])) % name


def of_sign_in(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    if setup.trouble:
        refused = _("Microsoft 365 no longer accepts the sign-in. Only %(user)s can renew it, on their setup page.")
        return refused % {"user": user}
    return str(NOT_READY["not_connected"]) % {"user": user}


def of_held(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    return _("A sync waits for %(user)s's decision.") % {"user": user}


def of_late(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    if run and run.is_open:
        return _("A sync waits, but no background worker takes it. See whether the workers run.")
    late = _("There has been no complete sync for two intervals of %(minutes)s minutes. See whether the workers run.")
    return late % {"minutes": setup.interval_minutes}


def of_running(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    return words.headline(run) if run else ""


def of_paused(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    if setup.enabled:
        return _("%(user)s may no longer sign in to the CRM, so nothing syncs by itself.") % {"user": user}
    return _("Nothing syncs until somebody resumes it.")


def of_waiting(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    return _(
        "%(user)s has not looked at the first sync yet, so nothing starts by itself. “Sync now” lets it begin without "
        "that look."
    ) % {"user": user}


def of_well(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    since = freshness(setup)
    return _("Everything up to %(time)s is in both places.") % since if since else _("The first sync has not run yet.")


def of_nothing(user: Any, setup: ExchangeSync, run: SyncRun | None) -> str:
    return _("The setup was begun, but the sync was never enabled.")


EXPLAIN: dict[Health, Callable[[Any, ExchangeSync, SyncRun | None], str]] = {
    Health.ERROR: of_error,
    Health.NEEDS_SIGN_IN: of_sign_in,
    Health.HELD: of_held,
    Health.LATE: of_late,
    Health.RUNNING: of_running,
    Health.PAUSED: of_paused,
    Health.WAITING: of_waiting,
    Health.OK: of_well,
    Health.NOT_SET_UP: of_nothing,
}
