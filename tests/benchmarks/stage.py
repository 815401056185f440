"""What the benchmarks stand on: a sandbox in a process of its own, and the product on a database of its own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
EMAIL = "jens@contoso.example"


def prepare(folder: Path, url: str = "http://127.0.0.1:1") -> None:
    """Set up Django on a SQLite file in `folder`, for application access to the sandbox at `url`."""
    import tests.settings  # noqa: F401  (its environment first, ours above it)

    os.environ.update(
        DATABASE_URL=f"sqlite:///{folder}/crm.sqlite3",
        M365_ACCESS="application",
        M365_LOGIN_URL=url,
        M365_GRAPH_URL=f"{url}/v1.0",
        DJANGO_SETTINGS_MODULE="crmsync.settings",
    )
    for name in [name for name in sys.modules if name.startswith("crmsync.settings")]:
        del sys.modules[name]
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


@contextmanager
def sandbox(folder: Path) -> Iterator[Any]:
    """A sandbox served by a process of its own; gives its `tests.outlook.Tenant`."""
    from tests.outlook import Tenant

    code = (
        "import sys; from pathlib import Path; from crmsync.sandbox.sandbox import Registration;"
        "from crmsync.sandbox.server import Server;"
        "s = Server(Path(sys.argv[1]), registration=Registration(*sys.argv[2:5])); print(s.url, flush=True); s.serve()"
    )
    import tests.settings as ours

    argv = [str(folder / "tenant.sqlite3"), ours.M365_TENANT_ID, ours.M365_CLIENT_ID, ours.M365_CLIENT_SECRET]
    with subprocess.Popen([sys.executable, "-c", code, *argv], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Tenant(process.stdout.readline().strip())
        finally:
            process.kill()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what `work` gave."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def table(title: str, header: list[str], rows: list[list[Any]]) -> None:
    """Print a table in Markdown."""
    print(f"\n## {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    sys.stdout.flush()


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def people(number: int, prefix: str = "p") -> None:
    """That many persons in the CRM, as full as people's cards are."""
    from contacts.models import Contact, NumberSeries

    for start in range(0, number, 5000):
        count = min(5000, number - start)
        names = NumberSeries.take(count)
        Contact.objects.bulk_create(
            Contact(
                number=name, first_name="First", surname=f"Last{name}", name=f"First Last{name}",
                email=f"{prefix}{name.lower()}@customer.example", phone="+45 33 11 22 33",
                mobile_phone="+45 20 20 20 20", job_title="Buyer", company_name="Fabrikam A/S",
                address="Nørregade 12", city="København", post_code="1165", country="DK",
            )
            for name in names
        )  # fmt: skip


def make_setup() -> Any:
    from django.contrib.auth import get_user_model

    from exchange_setup.models import ExchangeSync

    user = get_user_model().objects.create_user(EMAIL, name="Jens", authentication_email=EMAIL)
    return ExchangeSync.objects.create(user=user, mailbox=EMAIL, enabled=True)


def run(*, full: bool = False) -> Any:
    """One run in the foreground; the finished SyncRun."""
    from crmsync.sync.choices import Kind, Trigger
    from crmsync.sync.engine import perform
    from crmsync.sync.models import SyncRun
    from crmsync.sync.runs import request_run
    from exchange_setup.models import ExchangeSync

    setup = ExchangeSync.objects.select_related("user").get()
    kind = Kind.FULL if full else Kind.SYNC
    opened, _ = request_run(setup, kind=kind, trigger=Trigger.COMMAND, enqueue=False)
    perform(opened.pk, budget=float("inf"))
    done = SyncRun.objects.get(pk=opened.pk)
    assert done.outcome == "done", (done.outcome, done.error, done.error_detail, done.brakes)
    return done
