"""What every test may ask for: a sandbox tenant, and the background queue run to its end."""

import gc
import sys
from collections.abc import Callable, Iterator
from multiprocessing import Event, Value

import pytest
from django.conf import settings as product_settings
from django.utils import translation
from django_q.brokers import get_broker
from django_q.models import Task
from django_q.monitor import monitor
from django_q.pusher import pusher
from django_q.queues import Queue
from django_q.worker import worker

from crmsync.sandbox.sandbox import Registration
from crmsync.sandbox.server import Server
from tests.browser import (  # noqa: F401
    background,
    browser_context_args,
    browser_type_launch_args,
    complaints,
    context,
    enter,
    served,
    way_to_microsoft,
)
from tests.outlook import Tenant
from tests.scene import jens, no_brake_on_overwrites, stage  # noqa: F401

gc.disable()  # until all is imported and collected, of which nothing is garbage


def pytest_collection_finish() -> None:
    """Look for no garbage among what is there by now: that takes time each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def english() -> None:
    """Nobody goes on in the language of the page that was asked for last."""
    translation.activate("en")


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One sandbox for the whole session, registered as the test settings say."""
    registration = Registration(
        product_settings.M365_TENANT_ID, product_settings.M365_CLIENT_ID, product_settings.M365_CLIENT_SECRET
    )
    server = Server(tmp_path_factory.mktemp("sandbox") / "state.sqlite3", registration=registration)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sandbox(sandbox_server: Server, settings) -> Tenant:
    """An empty tenant, and the product's settings pointed at it."""
    tenant = Tenant(sandbox_server.url)
    tenant.reset()
    settings.M365_LOGIN_URL, settings.M365_GRAPH_URL = tenant.login_url, tenant.graph_url
    return tenant


@pytest.fixture
def run_queue(db, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Task]]]:
    """Runs every waiting background job, here and now; gives the rows of all finished ones."""
    for name in ("worker", "monitor"):
        # Closing "old" connections would close the test's own, with its transaction.
        monkeypatch.setattr(sys.modules[f"django_q.{name}"], "close_old_django_connections", lambda: None)

    def run() -> list[Task]:
        broker = get_broker()
        while broker.queue_size():
            tasks, results, stop = Queue(), Queue(), Event()
            stop.set()
            pusher(tasks, stop, broker)
            tasks.put("STOP")
            worker(tasks, results, Value("f", -1))
            results.put("STOP")
            monitor(results, broker)
        return list(Task.objects.all())

    broker = get_broker()
    broker.purge_queue()
    yield run
    broker.purge_queue()
