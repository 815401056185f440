"""How runs and changes look: an icon and a word each, never a colour alone."""

from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from crmsync.sync import words
from crmsync.sync.choices import WAITING, Action, Cause, ChangeOutcome, Outcome
from crmsync.sync.health import LOOKS, Health, health_of
from crmsync.sync.models import SyncChange, SyncRun
from crmsync.sync.notice import notice_of
from crmsync.sync.paging import Page
from crmsync.sync.secret import days_left, threshold
from exchange_setup.models import ExchangeSync

register = template.Library()

RUN_LOOKS = {
    Outcome.QUEUED: ("clock", "info"),
    Outcome.RUNNING: ("refresh-cw", "info"),
    Outcome.HELD: ("hand", "warn"),
    Outcome.DONE: ("circle-check", "ok"),
    Outcome.FAILED: ("circle-alert", "bad"),
    Outcome.REJECTED: ("ban", "muted"),
    Outcome.CANCELLED: ("circle-x", "muted"),
}
CHANGE_LOOKS = {
    ChangeOutcome.PLANNED: ("circle-dashed", "info"),
    ChangeOutcome.DONE: ("check", "ok"),
    ChangeOutcome.SKIPPED: ("circle-minus", "muted"),
    ChangeOutcome.STALE: ("skip-forward", "muted"),
    ChangeOutcome.FAILED: ("circle-alert", "bad"),
}
ACTION_ICONS = {
    Action.CREATE: "user-plus",
    Action.UPDATE: "pencil",
    Action.DELETE: "trash-2",
    Action.LINK: "link",
    Action.UNLINK: "unlink",
    Action.SKIP: "circle-minus",
    Action.RESTORE: "undo-2",
}


@register.inclusion_tag("partials/_badge.html")
def run_badge(run: SyncRun) -> dict[str, object]:
    icon, tone = RUN_LOOKS.get(run.outcome, ("circle", "muted"))
    return {"icon": icon, "tone": tone, "text": run.get_outcome_display()}


@register.inclusion_tag("sync/_row_icons.html")
def row_icons() -> dict[str, object]:
    """The icons of a list's rows, once, for `row_icon` to point to: they would be a third of the page."""
    return {"icons": sorted({*ACTION_ICONS.values(), *(icon for icon, _tone in CHANGE_LOOKS.values()), "hand"})}


@register.simple_tag
def row_icon(name: str, size: int = 16) -> SafeString:
    return format_html('<svg width="{0}" height="{0}"><use href="#i-{1}"/></svg>', size, name)


@register.inclusion_tag("sync/_change_badge.html")
def change_badge(change: SyncChange, run: SyncRun) -> dict[str, object]:
    """What became of a change of `run`, which its owner looks at."""
    is_asked = run.outcome == Outcome.HELD and change.cause != Cause.ERASED
    if is_asked and change.outcome in WAITING:
        return {"icon": "hand", "tone": "warn", "text": gettext("Waits for you")}
    icon, tone = CHANGE_LOOKS.get(change.outcome, ("circle", "muted"))
    is_left_alone = change.undoes_id and change.outcome in (ChangeOutcome.STALE, ChangeOutcome.SKIPPED)
    text = gettext("Left alone") if is_left_alone else change.get_outcome_display()
    return {"icon": icon, "tone": tone, "text": text}


@register.inclusion_tag("sync/_notice.html")
def sync_notice(setup: ExchangeSync) -> dict[str, object]:
    """What the runs of `setup` need of its user, for the setup page. One query."""
    return {"notice": notice_of(setup)}


@register.inclusion_tag("partials/_badge.html")
def health_badge(health: str) -> dict[str, object]:
    """One of `Health`."""
    icon, tone = LOOKS[Health(health)]
    return {"icon": icon, "tone": tone, "text": Health(health).label}


@register.simple_tag
def setup_health(setup: ExchangeSync) -> str:
    """How a setup is doing, one of `Health`. One query, however often a page asks."""
    known = vars(setup)
    if "health" not in known:
        known["health"] = health_of(setup)
    return str(known["health"])


@register.inclusion_tag("sync/_secret_banner.html")
def secret_banner(user: Any) -> dict[str, object]:
    """For administrators, from 30 days before the client secret expires. No query."""
    days = days_left(timezone.localdate())
    is_for_them = threshold(days) is not None and getattr(user, "is_administrator", False)
    return {"shown": is_for_them, "days": days, "expires": settings.M365_CLIENT_SECRET_EXPIRES}


@register.simple_tag
def verified(run: SyncRun) -> str:
    """What a comparison found: '99.8% identical, 7 differ.'"""
    return words.verified(run)


@register.filter
def action_icon(change: SyncChange) -> str:
    return ACTION_ICONS.get(change.action, "circle")


@register.filter
def range_of(page: Page[Any], total: int) -> str:
    """'41–60 of 318', of a page of `total` rows; '' where that is not known."""
    last = page.first + len(page.rows) - 1 if page.first else 0
    if not last or not (last < total if page.after else last == total):
        return ""
    shown = {"first": words.number(page.first), "last": words.number(last), "total": words.number(total)}
    return gettext("%(first)s–%(last)s of %(total)s") % shown


@register.filter
def within(text: object) -> str:
    """'Full sync' as it stands within a sentence: 'full sync'."""
    return f"{text}"[:1].lower() + f"{text}"[1:]


@register.filter
def number(value: int) -> str:
    """1200 as people write it in the reader's language."""
    return words.number(value)
