"""Numbers read off a page, and counted anew from the rows of the journal, both by the same words."""

import html
import re
from collections import Counter
from typing import Any

from django.test import Client

from crmsync.sync.choices import Kind
from crmsync.sync.models import SyncChange, SyncRun

VERBS = {
    "created in Outlook": ("outlook", {"create", "restore"}),
    "updated in Outlook": ("outlook", {"update"}),
    "removed from Outlook": ("outlook", {"delete"}),
    "created in the CRM": ("crm", {"create", "restore"}),
    "updated in the CRM": ("crm", {"update"}),
    "moved to the CRM's trash": ("crm", {"delete"}),
}
TO_DO = {
    "to create in Outlook": "created in Outlook", "to update in Outlook": "updated in Outlook",
    "to remove from Outlook": "removed from Outlook", "to create in the CRM": "created in the CRM",
    "to update in the CRM": "updated in the CRM", "to move to the CRM's trash": "moved to the CRM's trash",
    "to pair with": "paired with", "left alone": "left out",
}  # fmt: skip
OTHERS = ("paired with", "left out", "conflict", "failed", "left for the next sync")
TABS = {
    "All": lambda row: True,
    "Outlook": lambda row: row.side == "outlook" and row.action != "skip",
    "CRM": lambda row: row.side == "crm" and row.action != "skip",
    "Conflicts": lambda row: bool(row.conflicts),
    "Left out": lambda row: row.action == "skip" or row.outcome == "skipped",
    "Failed": lambda row: row.outcome == "failed",
}


# --- Counting anew ---------------------------------------------------------------------------------------------------


def rows_of(run: SyncRun) -> list[SyncChange]:
    return list(SyncChange.objects.filter(run=run))


def journal(run: SyncRun, *, split: bool = False) -> dict[str, int]:
    """What the rows of a run say, in the words of its sentence, without what is nought.

    An undo says "left alone" of what it leaves out and of what is stale, unless that is to be `split`.
    """
    rows = rows_of(run)
    counted = {
        words: sum(
            row.side == side and row.action in actions and row.outcome in ("done", "planned", "parked") for row in rows
        )
        for words, (side, actions) in VERBS.items()
    }
    counted["paired with"] = sum(row.action == "link" and row.outcome in ("done", "planned", "parked") for row in rows)
    counted["conflict"] = sum(bool(row.conflicts) for row in rows)
    for words, outcome in (("left out", "skipped"), ("failed", "failed"), ("left for the next sync", "stale")):
        counted[words] = sum(row.outcome == outcome for row in rows)
    if run.kind == Kind.UNDO and not split:
        counted["left out"] += counted.pop("left for the next sync")
    return {words: number for words, number in counted.items() if number}


def said(sentence: str) -> dict[str, int]:
    """The numbers of a sentence, by the same words."""
    phrases = {**{words: words for words in (*VERBS, *OTHERS)}, **TO_DO}
    found: Counter[str] = Counter()
    for number, words in re.findall(rf"([\d,]+) ({'|'.join(sorted(phrases, key=len, reverse=True))})", sentence):
        found[phrases[words]] += int(number.replace(",", ""))
    return dict(found)


def counted(report: dict[str, Any]) -> dict[str, int]:
    """The counts of the plan format, by the same words."""
    verbs = {"created": "create", "updated": "update", "deleted": "delete"}
    found = {
        words: report[side][verb]
        for words, (side, actions) in VERBS.items()
        for verb, action in verbs.items()
        if action in actions
    }
    found |= {"paired with": report["paired"], "conflict": report["conflicts"], "failed": report["failed"]}
    found |= {"left out": report["skipped"], "left for the next sync": report["stale"]}
    if report["kind"] == Kind.UNDO:
        found["left out"] += found.pop("left for the next sync")
    return {words: number for words, number in found.items() if number}


# --- Reading pages ---------------------------------------------------------------------------------------------------


def page(client: Client, address: str) -> str:
    response = client.get(address, follow=True)
    assert response.status_code == 200, address
    return response.content.decode()


def plain(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def number(text: str) -> int:
    return int(text.replace(",", ""))


def headline(markup: str) -> str:
    return plain(re.search(r'class="sync-headline">(.*?)</p>', markup, re.DOTALL)[1])


def labelled(markup: str) -> dict[str, int]:
    """Numbers that stand behind their word: tabs and chips."""
    pairs = re.findall(r'>([^<>]+?)\s*(?:</svg>)?\s*<span class="count">([\d,]+)</span>', markup)
    return {html.unescape(label).strip(): number(count) for label, count in pairs}


def cards(markup: str) -> Counter[str]:
    """Numbers that stand before their words: the groups of a preview, the causes of a held run."""
    pairs = re.findall(r"<b>([\d,]+)</b>(.*?)(?:</a>|</legend>)", markup, re.DOTALL)
    return Counter({plain(words): number(count) for count, words in pairs})


def fact(markup: str, label: str) -> int:
    return number(plain(re.search(rf"<dt>{label}</dt>\s*<dd>(.*?)</dd>", markup, re.DOTALL)[1]))


def metrics(client: Client) -> dict[str, float]:
    lines = [line for line in page(client, "/metrics").splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _space, value in (line.rpartition(" ") for line in lines)}
