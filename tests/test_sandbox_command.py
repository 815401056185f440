"""`manage.py sandbox`: what it prints, that a restart keeps the tenant, and what it says when it cannot start."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from django.conf import settings

from tests.outlook import Tenant

PERSON = "anne@contoso.example"


@contextmanager
def running(state: Path, *options: str) -> Iterator[tuple[Tenant, str]]:
    """The command in a process of its own: the tenant, and what was printed."""
    command = [sys.executable, "manage.py", "sandbox", "--port", "0", "--state", str(state), *options]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        printed = ""
        while "state " not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        found = re.search(r"M365_LOGIN_URL\s+(http://127.0.0.1:\d+)", printed)
        assert found
        yield Tenant(found[1]), printed
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_serves_what_it_prints_and_a_restart_keeps_everything(tmp_path: Path):
    state = tmp_path / "tenant.sqlite3"
    with running(state, "--person", f"{PERSON}=Anne Nørgård", "--latency", "5", "--tenant", "t-1") as (tenant, printed):
        assert "Sandbox tenant t-1" in printed and f"{tenant.url}/people/" in printed
        assert requests.get(f"{tenant.url}/people/", timeout=5).ok
        tenant.mailbox(PERSON).add("Contacts", givenName="Ada")
        graph = tenant.caller(PERSON)
        _, link = graph.pages("/me/contacts/delta")
        tenant.faults.add("throttled", times=0)
    with running(state) as (tenant, _):
        assert tenant.settings()["latency_ms"] == 5
        assert [contact["givenName"] for contact in tenant.mailbox(PERSON).contacts("Contacts")] == ["Ada"]
        assert [fault["do"] for fault in tenant.faults.all()] == ["throttled"]
        tenant.faults.clear()
        again = tenant.caller(PERSON)
        assert again.get(tenant.graph_url + link.partition("/v1.0")[2]).json()["value"] == [], "links live on"


def test_it_says_so_when_its_port_is_taken(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "manage.py", "sandbox", "--port", port, "--state", str(tmp_path / "tenant.sqlite3")]
        ended = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and f"Cannot listen on port {port}" in ended.stderr


def test_it_says_so_when_flask_is_missing():
    code = (
        "import sys; sys.modules['flask'] = None; sys.argv = ['manage.py', 'sandbox'];"
        "from django.core.management import execute_from_command_line as run; run(sys.argv)"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        "CommandError: The sandbox needs Flask, which is not installed: install the project's extra “demo”."
    )
