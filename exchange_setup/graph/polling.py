"""Asking up to twenty mailboxes in one request whether anything has changed: for a token that opens them all."""

from collections.abc import Sequence
from typing import Any

from exchange_setup.graph.answers import Answer, Subject
from exchange_setup.graph.batch import LARGEST, read_response
from exchange_setup.graph.errors import Unreachable
from exchange_setup.graph.transport import IMMUTABLE_IDS, Request, TokenSource, Transport


def unchanged(base_url: str, token: TokenSource, links: Sequence[str]) -> dict[str, str]:
    """Of these bookmarks those behind which nothing has changed, each with the one to go on from.

    Whatever else is answered, trouble too, is for the mailbox's own run to find out. Raises RunError rather than wait.
    """
    if len(links) > LARGEST:
        raise ValueError(f"a batch holds {LARGEST} calls, not {len(links)}")
    transport = Transport(base_url, token, wait=give_up, timeout=(5, 60))
    try:
        ours = [link for link in links if transport.is_ours(link)]
        items = [item(number, link.removeprefix(transport.base_url)) for number, link in enumerate(ours)]
        url = f"{transport.base_url}/$batch"
        answer = transport.send(Request("POST", url, Subject.MAILBOX, {"requests": items}))
        told = answer.body.get("responses")
        read = (read_response(each, list(range(len(ours)))) for each in (told if isinstance(told, list) else []))
        found = {ours[number]: next_of(one, transport) for number, one in filter(None, read)}
    finally:
        transport.close()
    return {link: new for link, new in found.items() if new}


def item(number: int, url: str) -> dict[str, Any]:
    return {"id": str(number), "method": "GET", "url": url, "headers": {"Prefer": IMMUTABLE_IDS}}


def next_of(answer: Answer, transport: Transport) -> str:
    """The bookmark of an answer without changes; '' for any other answer."""
    link = answer.body.get("@odata.deltaLink")
    is_last = answer.ok and answer.body.get("value") == [] and "@odata.nextLink" not in answer.body
    return link if is_last and isinstance(link, str) and transport.is_ours(link) else ""


def give_up(seconds: float) -> None:
    raise Unreachable("the poll does not wait")
