"""`make fuzz`: the property machine at length, in several processes, with figures at the end.

Environment: HISTORIES (10000), STEPS (20, the most things that happen in one history), SEED (from the clock; printed,
to play the same again), SHRINK=1 (look for the shortest history that breaks a promise), DATABASE_URL (a PostgreSQL).
"""

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from crmsync.sync import apply
from tests.figures import FIRST_SEED
from tests.machine import FIGURES
from tests.machine_people import Histories
from tests.outlook import Tenant

BATCH = 25
HISTORIES = int(os.environ.get("HISTORIES", "10000"))
PHASES = [Phase.generate, Phase.shrink] if os.environ.get("SHRINK") else [Phase.generate]
LONG = settings(
    max_examples=BATCH,
    stateful_step_count=int(os.environ.get("STEPS", "20")),
    deadline=None,
    database=None,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(FIRST_SEED, FIRST_SEED + -(-HISTORIES // BATCH)))
def test_histories(number: int, sandbox: Tenant, quiet: None, record_property: Any, monkeypatch: Any) -> None:
    if number % 2:  # a few people then make several batches, two of them under way at once
        monkeypatch.setattr(apply, "LARGEST", 3)
    Histories.tenant = sandbox
    FIGURES.clear()
    try:
        run_state_machine_as_test(seed(number)(Histories), settings=LONG)
    finally:
        for what, times in FIGURES.items():
            record_property(what, times)
