"""docs/sandbox.md names every switch, with its default, and every fault."""

import re
from dataclasses import fields
from itertools import takewhile

from django.conf import settings

from crmsync.sandbox.faults import WORDS
from crmsync.sandbox.switches import Switches


def rows(table: str) -> dict[str, str]:
    """The table under the comment that names it: each name of its first column, with its second column."""
    text = (settings.BASE_DIR / "docs" / "sandbox.md").read_text().partition(f"<!-- {table}: ")[2]
    lines = list(takewhile(lambda line: line.startswith("|"), text.splitlines()[1:]))[2:]
    found = {}
    for line in lines:
        names, second = line.strip("|").split("|")[:2]
        parts = [part.strip() for part in second.split(",")]
        for at, name in enumerate(re.findall(r"`(\w+)`", names)):
            found[name] = parts[min(at, len(parts) - 1)]
    return found


def test_every_switch_is_there_with_its_default():
    shown = {True: "on", False: "off"}
    defaults = {
        item.name: shown[item.default] if isinstance(item.default, bool) else str(item.default).removesuffix(".0")
        for item in fields(Switches)
    }
    assert rows("switches") == defaults


def test_every_fault_is_there():
    assert set(rows("faults")) == set(WORDS)
