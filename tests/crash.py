"""Dying on purpose: at the n-th thing that a run does to the world, and setting the world back to before.

A step is a request to the tenant (before it is sent, and again when it was carried out but nobody has read the answer)
or a commit. Death is no Exception, so that nothing in the product may catch it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from contacts.blocking import BlockedEmail
from contacts.changes import ContactChange
from contacts.likeness import ContactKey
from contacts.models import Contact, NumberSeries
from crmsync.sync import apply
from crmsync.sync.choices import Outcome
from crmsync.sync.erasures import ErasedCopy, Erasure
from crmsync.sync.models import ContactLink, ContactPreference, Ruling, SyncChange, SyncRun
from exchange_setup.models import ExchangeSync
from tests.outlook import Tenant

KEPT: list[type[models.Model]] = [
    apps.get_model("users.User"), NumberSeries, Contact, ContactChange, ContactKey,
    ExchangeSync, ContactLink, ContactPreference, SyncRun, Ruling, SyncChange, BlockedEmail, Erasure, ErasedCopy,
]  # fmt: skip
WRITES = ("INSERT", "UPDATE", "DELETE")


class Death(BaseException):
    """The process was killed."""


@dataclass
class Reaper:
    """Counts steps; at step number `at` the process dies. `steps` are told for a person who looks for the flaw.

    Given a deed instead, requests alone are counted, and it is done between the `at`-th one and the next.
    """

    tenant: Tenant
    at: int = 0
    meanwhile: Callable[[], object] | None = None
    steps: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        if self.meanwhile and not what.startswith("after"):
            return
        self.steps.append(what)
        if len(self.steps) == self.at:
            if self.meanwhile is None:
                raise Death(what)
            self.meanwhile()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """What is done in here counts.

        What is sent in the background is carried out at once: Outlook has it before anything else is on record, which
        is the worst order there is, and every time the same.
        """
        send, commit = requests.adapters.HTTPAdapter.send, connection.commit
        submit = ThreadPoolExecutor.submit

        def sent(adapter: Any, request: Any, **options: Any) -> Any:
            if not request.url.startswith(self.tenant.graph_url):
                return send(adapter, request, **options)
            self.step(f"before {request.method} {request.path_url[:60]}")
            response = send(adapter, request, **options)
            self.step(f"after {request.method} {request.path_url[:60]}")
            return response

        def committed() -> None:
            try:
                self.step("commit")
            except Death:
                connection.rollback()
                raise
            commit()

        def executed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if sql.startswith(WRITES) and not connection.in_atomic_block:
                self.step(sql[:60])
            return execute(sql, params, many, context)

        def done_at_once(executor: Any, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
            future: Future[Any] = Future()
            try:
                future.set_result(work(*arguments))
            except Exception as error:
                future.set_exception(error)
            return future

        requests.adapters.HTTPAdapter.send = sent  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = done_at_once  # type: ignore[method-assign, assignment]
        connection.commit = committed
        try:
            with connection.execute_wrapper(executed):
                yield
        finally:
            requests.adapters.HTTPAdapter.send = send  # type: ignore[method-assign]
            ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
            connection.commit = commit


def different_deaths(steps: list[str]) -> list[int]:
    """The numbers of the steps at which a death leaves another world than a death at the step before it would have.

    Between an answer and what comes next, and while something is only read, nothing is stored anywhere.
    """
    changing = ("commit", *WRITES, *(f"before {method}" for method in ("POST", "PATCH", "PUT", "DELETE")))
    return [1, *(number for number, before in enumerate(steps[:-1], start=2) if before.startswith(changing))]


def time_passes() -> None:
    """Long enough for a dead worker to be missed, and for Outlook to show what it has stored."""
    long_ago = timezone.now() - timedelta(minutes=10)
    SyncRun.objects.filter(outcome__in=(Outcome.QUEUED, Outcome.RUNNING)).update(heartbeat_at=long_ago)
    ContactLink.objects.exclude(intended_at=None).update(intended_at=long_ago)


class World:
    """Both sides as they were when this was made."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.rows = {model: list(model._base_manager.values(*columns(model))) for model in KEPT}
        self.tenant = sqlite3.connect(":memory:", check_same_thread=False)
        with sqlite3.connect(state) as live:
            live.backup(self.tenant)
        live.close()

    def restore(self) -> None:
        """Have everything as it was."""
        for model in reversed(KEPT):
            model._base_manager.all()._raw_delete("default")
        for model, rows in self.rows.items():
            model._base_manager.bulk_create([model(**row) for row in rows])
        live = sqlite3.connect(self.state, timeout=10)
        self.tenant.backup(live)
        live.close()


def columns(model: type[models.Model]) -> list[str]:
    return [column.attname for column in model._meta.concrete_fields if not column.generated]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few calls in a batch that a handful of people make several, two of them under way at once."""
    monkeypatch.setattr(apply, "LARGEST", 7)


@pytest.fixture
def database_in_a_file(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """Nobody else can use a database in memory: SQLite's goes to a file until the test is over. Gives its address."""
    if connection.vendor != "sqlite":
        facts = connection.settings_dict
        yield f"postgres://{facts['USER']}:{facts['PASSWORD']}@{facts['HOST']}:{facts['PORT'] or 5432}/{facts['NAME']}"
        return
    connection.ensure_connection()
    in_memory, name = connection.connection, connection.settings_dict["NAME"]
    path = tmp_path / "race.sqlite3"
    with sqlite3.connect(path) as file:
        in_memory.backup(file)
    file.close()
    connection.settings_dict["NAME"], connection.connection = str(path), None
    yield f"sqlite:///{path}"
    connection.close()
    connection.settings_dict["NAME"], connection.connection = name, in_memory
