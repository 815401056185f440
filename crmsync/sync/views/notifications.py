"""Where Microsoft Graph posts that something changed. It may be anybody who posts here, and nothing of it is believed.

A genuine notification (its client state is the one that we gave that subscription) has its mailbox looked at soon; that
is all it can do, so a replay, a flood or another order is worth one look. Everything else is answered the same.
"""

import json
import logging
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from crmsync.sync.models import ContactLink
from crmsync.sync.push import knock
from crmsync.sync.subscription import Subscription

logger = logging.getLogger(__name__)
LARGEST = 1_000_000  # bytes
MOST = 1_000  # notifications in one post
LONGEST_TOKEN = 1_000
REMOVED, EXPIRES = "subscriptionRemoved", "reauthorizationRequired"


@csrf_exempt
@require_POST
def notifications(request: HttpRequest) -> HttpResponse:
    """202 for what can be read; with a validation token, the token."""
    if token := request.GET.get("validationToken"):
        return HttpResponse(token[:LONGEST_TOKEN], content_type="text/plain; charset=utf-8")
    if is_too_large(request.headers.get("Content-Length") or "0"):
        return HttpResponse(status=413)
    entries = read(request.body)
    if entries is None:
        return HttpResponse(status=400)
    take_in(entries)
    return HttpResponse(status=202)


def is_too_large(length: str) -> bool:
    return not (length.isascii() and length.isdigit()) or int(length[:20]) > LARGEST


def read(content: bytes) -> list[dict[str, Any]] | None:
    """The notifications of one post; None where it is none of Graph's."""
    try:
        value = json.loads(content)["value"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(value, list):
        return None
    return [entry for entry in value[:MOST] if isinstance(entry, dict)]


def take_in(entries: list[dict[str, Any]]) -> None:
    """Note what genuine notifications ask for: to look, to renew, to ask anew. A constant number of queries."""
    told = {text(entry, "subscriptionId"): text(entry, "clientState") for entry in entries}
    genuine = {row.subscription_id: row for row in Subscription.objects.genuine(told)}
    if len(genuine) < len(told):
        logger.info("%s of %s subscriptions in a notification are not ours", len(told) - len(genuine), len(told))
    events = [(genuine.get(text(entry, "subscriptionId")), text(entry, "lifecycleEvent")) for entry in entries]
    removed = {row.pk for row, event in events if row and event == REMOVED}
    expiring = {row.pk for row, event in events if row and event == EXPIRES}
    Subscription.objects.filter(pk__in=removed).delete()
    Subscription.objects.filter(pk__in=expiring).update(expires_at=timezone.now(), asked_at=None)
    echoes = our_own(genuine, entries)
    knock(
        {
            row.setup_id
            for (row, event), entry in zip(events, entries, strict=True)
            if row and event != EXPIRES and (row.setup_id, *version(entry)) not in echoes
        }
    )


def our_own(genuine: dict[str, Subscription], entries: list[dict[str, Any]]) -> set[tuple[int, str, str]]:
    """(setup, item, change key) of items in the very version that a link holds: what a sync has written itself."""
    setups = [row.setup_id for row in genuine.values()]
    items = [item for item, change_key in map(version, entries) if item and change_key]
    links = ContactLink.objects.filter(setup__in=setups, outlook_id__in=items).exclude(change_key="")
    return set(links.values_list("setup", "outlook_id", "change_key"))


def version(entry: dict[str, Any]) -> tuple[str, str]:
    """The item that changed and its change key, '' where the notification names none."""
    data = entry.get("resourceData")
    if not isinstance(data, dict) or text(entry, "changeType") == "deleted":
        return "", ""
    return text(data, "id"), text(data, "@odata.etag").removeprefix('W/"').removesuffix('"')


def text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:600] if isinstance(value, str) else ""
