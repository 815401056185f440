"""`kill -9` of real workers in the middle of runs, on whichever database the suite runs, with either broker.

A few kills here. By hand, with figures at the end: KILLS=1000 pytest tests/test_sync_kill.py -s
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as product
from django.db import connection
from django_q.conf import Conf

from contacts.models import Contact
from crmsync.sync.choices import Kind, Outcome, Trigger
from crmsync.sync.models import SyncRun
from crmsync.sync.runs import request_run
from crmsync.sync.sweep import sweep
from exchange_setup.models import ExchangeSync
from tests.crash import database_in_a_file, time_passes  # noqa: F401
from tests.machine import Histories
from tests.oracle import flaws

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = int(os.environ.get("KILLS", "2"))
BETWEEN_LOOKS = 10  # kills between one look at everything and the next
REDIS = "redis://127.0.0.1:6379/9"


def has_redis() -> bool:
    try:
        return bool(redis.from_url(REDIS, socket_connect_timeout=0.5).ping())
    except redis.RedisError:
        return False


@dataclass
class Cluster:
    """A `manage.py qcluster` in a session of its own."""

    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "qcluster"],
                cwd=product.BASE_DIR, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(params=["database", "redis"])
def cluster(request, sandbox, tmp_path, monkeypatch) -> Iterator[Cluster]:
    names = ("M365_TENANT_ID", "M365_CLIENT_ID", "M365_CLIENT_SECRET", "SECRET_KEY")
    environment = {name if name.startswith("M365") else f"CRMSYNC_{name}": getattr(product, name) for name in names}
    environment |= {
        "PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "crmsync.settings", "CRMSYNC_ENV_FILE": os.devnull,
        "CRMSYNC_ENCRYPTION_KEYS": ",".join(product.ENCRYPTION_KEYS), "CRMSYNC_QUEUE_NAME": f"kill-{os.getpid()}",
        "M365_ACCESS": "application", "M365_LOGIN_URL": sandbox.login_url, "M365_GRAPH_URL": sandbox.graph_url,
        "DATABASE_URL": request.getfixturevalue("database_in_a_file"),
        "CRMSYNC_DELETE_LIMIT": "1000", "CRMSYNC_OVERWRITE_PERCENT": "100000",
    }  # fmt: skip
    monkeypatch.setattr(Conf, "CLUSTER_NAME", environment["CRMSYNC_QUEUE_NAME"])
    monkeypatch.setattr(Conf, "PREFIX", environment["CRMSYNC_QUEUE_NAME"])
    monkeypatch.setattr(Conf, "ORM", "default")  # whatever the suite itself runs with
    if request.param == "redis":
        if not has_redis():
            pytest.skip("no Redis here")
        environment["REDIS_URL"] = REDIS
        monkeypatch.setattr(Conf, "ORM", None)
        monkeypatch.setattr(Conf, "REDIS", REDIS)
    cluster = Cluster(environment, tmp_path / "cluster.log")
    cluster.start()
    yield cluster
    cluster.kill()
    if request.param == "redis":
        redis.from_url(REDIS).flushdb()


@dataclass
class Killer:
    """Has the cluster sync both mailboxes while people work, and kills it, over and over."""

    cluster: Cluster
    world: Histories
    chance: random.Random
    figures: Counter[str] = field(default_factory=Counter)

    def populate(self, number: int = 25) -> None:
        for at in range(number):
            self.world.new_contact(100 + at, "NORTH")
            self.world.new_item(at % 2, 200 + at, private=False, number=1)

    def people_work(self) -> None:
        chance, world = self.chance, self.world
        who, pick = chance.randrange(2), chance.randrange(60)
        for _ in range(4):
            world.edit_contact(chance.randrange(60), "job_title")
            world.edit_item(chance.randrange(2), chance.randrange(60), "city")
        world.new_contact(1000 + self.figures["kills"], "NORTH")
        world.new_item(who, 100_000 + self.figures["kills"], private=False, number=1)
        chance.choice([world.trash, lambda pick: world.take_away(who, pick, "remove")])(pick)

    def ask_for_runs(self) -> None:
        for person in self.world.people:
            setup = ExchangeSync.objects.select_related("user").get(pk=person.setup.pk)
            whole = self.chance.random() < 0.2
            request_run(setup, kind=Kind.FULL if whole else Kind.SYNC, trigger=Trigger.SCHEDULE)

    def kill(self) -> None:
        """Kill the worker of a run, or all there is: as soon as one is at work, and a little later."""
        running = SyncRun.objects.filter(outcome=Outcome.RUNNING)
        wait_for(running.exists)
        time.sleep(self.chance.uniform(0, 0.6))
        workers = list(running.values_list("worker", flat=True))
        self.figures["kills"] += 1
        self.figures["in the middle of a run"] += bool(workers)
        if workers and self.chance.random() < 0.8:
            with suppress(ProcessLookupError):
                os.kill(int(self.chance.choice(workers).partition(":")[2]), signal.SIGKILL)
        else:
            self.figures["of a whole cluster"] += 1
            self.cluster.kill()
            self.cluster.start()

    def all_is_done(self) -> None:
        """A dead run is missed after a while, and the sweep rings for it, also where Redis lost its task."""
        until = time.monotonic() + 90
        while SyncRun.objects.open().exists():
            assert time.monotonic() < until, list(SyncRun.objects.open().values()) + [
                self.cluster.log.read_text()[-2000:]
            ]
            time_passes()
            sweep()
            with suppress(TimeoutError):
                wait_for(lambda: not SyncRun.objects.open().exists(), seconds=4)

    def look(self) -> None:
        """Both sides come to rest, and every promise was kept."""
        self.world.come_to_rest()
        found = flaws(self.world.people, self.world.notes)
        assert not found, "\n".join(found)
        self.figures |= Counter(contacts=Contact.objects.count(), runs=SyncRun.objects.count())


def wait_for(there_is: Any, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not there_is():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.02)


def test_killed_workers_leave_nobody_twice_and_lose_nothing(cluster, sandbox):
    Histories.tenant = sandbox
    world = Histories()
    time.sleep = world.sleep  # here time is real
    try:
        sandbox.settings(latency_ms=15)
        killer = Killer(cluster, world, random.Random(KILLS))
        killer.populate()
        while killer.figures["kills"] < KILLS:
            killer.people_work()
            killer.ask_for_runs()
            killer.kill()
            killer.all_is_done()
            if killer.figures["kills"] % BETWEEN_LOOKS == 0 or killer.figures["kills"] == KILLS:
                killer.look()
                print(f"{connection.vendor} {dict(killer.figures)}, nobody twice, nothing lost", flush=True)
    finally:
        world.overridden.disable()
