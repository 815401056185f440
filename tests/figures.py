"""The figures of `make fuzz`, as a pytest plugin: what every process counted, added up at the end."""

import os
import time
from collections import Counter
from typing import Any

import pytest

FIRST_SEED = int(os.environ.setdefault("SEED", str(int(time.time()))))
TOTAL: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        TOTAL.update(dict(report.user_properties))
        TOTAL["broken promises"] += report.failed


def pytest_terminal_summary(terminalreporter: Any) -> None:
    figures = ", ".join(f"{times:,} {what}" for what, times in sorted(TOTAL.items()))
    terminalreporter.write_line(f"seed {FIRST_SEED}: {figures}")
