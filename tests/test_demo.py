"""`manage.py demo` itself, as somebody starts it: its settings, its processes, and their end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import load_command_class

from crmsync.demo.environment import AlreadyRunning, DemoEnvironment, lock
from crmsync.demo.pulse import PATIENCE, Pulse
from crmsync.demo.show import Demo

ROOT = Path(__file__).resolve().parent.parent


class RunningDemo:
    """`manage.py demo` in a process of its own, with everything that it keeps in `home`."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.home = home
        kept = {"PATH": os.environ["PATH"], "CRMSYNC_ENV_FILE": str(home / "demo.env")}
        kept["DATABASE_URL"] = f"sqlite:///{home / 'crmsync.sqlite3'}"
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", *arguments],
            cwd=ROOT,
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def wait_for(self, text: str) -> str:
        """Everything that was said up to a line with `text`."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return self.said
        raise AssertionError(f"it ended ({self.process.wait()}): {self.said}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.said += self.process.communicate(timeout=30)[0]
        return self.process.returncode

    @property
    def children(self) -> list[int]:
        """Every process that was started with this demo's environment, its own among them."""
        found = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [int(pid) for pid in found if str(self.home) in environment_of(pid)]


def environment_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type[RunningDemo]]:
    started: list[RunningDemo] = []

    def run(*arguments: str, **environment: str) -> RunningDemo:
        started.append(RunningDemo(tmp_path, *arguments, **environment))
        return started[-1]

    yield run
    for demo in started:
        if demo.process.poll() is None:
            demo.stop()


def address(said: str, label: str) -> str:
    found = re.search(rf"^  {re.escape(label)}\s+(http\S+)$", said, re.MULTILINE)
    assert found, said
    return found[1]


@pytest.mark.xdist_group("demo")
def test_one_command_runs_everything_and_ctrl_c_ends_it(start, tmp_path: Path) -> None:
    demo = start()
    said = demo.wait_for("kirsten.berg@contoso.example")
    assert requests.get(address(said, "The CRM"), timeout=10).url.endswith("/accounts/login/?next=/")
    assert requests.get(address(said, "Outlook (pretended)"), timeout=10).ok
    assert "jens.rask@contoso.example       demo" in said
    assert len(demo.children) >= 6  # the supervisor, sandbox, web server, and the worker's own four
    second = start()
    assert "runs already" in second.wait_for("runs already")
    assert second.process.wait() == 1
    assert demo.stop() == 0
    assert demo.children == []
    kept = (tmp_path / "demo.env").read_text()
    again = start()
    assert "Made up a CRM" not in again.wait_for("kirsten.berg@contoso.example")
    assert (tmp_path / "demo.env").read_text() == kept


@pytest.mark.xdist_group("demo")
def test_with_a_tenant_of_ones_own_there_is_no_sandbox(start, tmp_path: Path) -> None:
    tenant = "11111111-2222-4333-8444-555555555555"
    demo = start(M365_TENANT_ID=tenant, M365_CLIENT_ID="app", M365_CLIENT_SECRET="secret")
    said = demo.wait_for("kirsten.berg@contoso.example")
    assert tenant in said
    assert "/exchange-setup/callback/" in said
    assert "/accounts/microsoft/login/callback/" in said
    assert not (tmp_path / "sandbox.sqlite3").exists()


@pytest.mark.xdist_group("demo")
def test_half_a_tenant_is_refused_with_what_to_set(start) -> None:
    demo = start(M365_TENANT_ID="11111111-2222-4333-8444-555555555555")
    assert "M365_CLIENT_ID, M365_CLIENT_SECRET not set" in demo.wait_for("crmsync.E007")
    assert demo.process.wait() == 1


def test_reset_deletes_only_a_database_of_the_demos_own(start, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    demo = start("--reset", DATABASE_URL=f"sqlite:///{tmp_path / 'elsewhere/crm.sqlite3'}")
    demo.wait_for("unset DATABASE_URL")
    assert demo.process.wait() == 1


# --- var/demo.env -----------------------------------------------------------------------------------------------------

PORTS = ("CRMSYNC_BASE_URL", "M365_LOGIN_URL")


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Callable[[str], DemoEnvironment]]:
    """Gives the settings of a demo in the folder of that name; in the end all give their ports back."""
    made: list[DemoEnvironment] = []

    def make(name: str) -> DemoEnvironment:
        made.append(DemoEnvironment(tmp_path / name / "demo.env"))
        return made[-1]

    yield make
    for environment in made:
        environment.release()


def test_the_settings_are_written_once_and_kept(in_folder) -> None:
    environment = in_folder("var")
    assert environment.ensure()
    first = environment.read()
    assert not environment.ensure()
    assert environment.read() == first
    assert environment.path.stat().st_mode & 0o077 == 0


def test_the_keys_of_two_demos_differ(in_folder) -> None:
    one, other = in_folder("one"), in_folder("other")
    assert one.ensure() and other.ensure()
    for name in ("CRMSYNC_SECRET_KEY", "CRMSYNC_ENCRYPTION_KEYS", "M365_CLIENT_SECRET"):
        assert one.read()[name] != other.read()[name]


def test_a_taken_port_moves_the_demo_and_every_address_follows(in_folder) -> None:
    environment = in_folder("var")
    environment.ensure()
    before = environment.read()
    with socket.create_server(("127.0.0.1", environment.web_port)):
        assert environment.ensure()
    after = environment.read()
    assert after["CRMSYNC_BASE_URL"] != before["CRMSYNC_BASE_URL"]
    assert after["CRMSYNC_SECRET_KEY"] == before["CRMSYNC_SECRET_KEY"]
    assert after["M365_GRAPH_URL"] == after["M365_LOGIN_URL"] + "/v1.0"


def test_two_demos_that_start_at_once_share_no_port(in_folder) -> None:
    """Neither listens yet when the other one looks."""
    one, other = in_folder("one"), in_folder("other")
    assert one.ensure() and other.ensure()
    ports = [url for demo in (one, other) for name, url in demo.read().items() if name in PORTS]
    assert len(set(ports)) == 4, ports
    assert not one.ensure() and not other.ensure()
    one.release()
    third = in_folder("third")
    assert third.ensure()
    assert third.read()["CRMSYNC_BASE_URL"] == one.read()["CRMSYNC_BASE_URL"]


def test_a_new_process_gets_the_environment_without_what_came_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo.env").write_text("TRY_ONE=from the file\nTRY_TWO=from the file\n")
    monkeypatch.setenv("TRY_ONE", "from the file")
    monkeypatch.setenv("TRY_TWO", "from outside")
    outside = DemoEnvironment(tmp_path / "demo.env").outside()
    assert "TRY_ONE" not in outside
    assert outside["TRY_TWO"] == "from outside"


def test_the_kind_of_access_alone_is_tried_with_the_sandbox(in_folder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("M365_")]:
        monkeypatch.delenv(name)
    environment = in_folder("var")
    monkeypatch.setenv("M365_ACCESS", "application")
    assert environment.ensure()
    assert environment.read()["M365_ACCESS"] == "application"
    assert "M365_ACCESS" not in environment.outside()
    monkeypatch.delenv("M365_ACCESS")
    assert not environment.ensure()
    assert environment.read()["M365_ACCESS"] == "application"


def test_one_folder_has_one_demo(tmp_path: Path) -> None:
    with lock(tmp_path / "demo.lock"), pytest.raises(AlreadyRunning):
        lock(tmp_path / "demo.lock")
    lock(tmp_path / "demo.lock").close()


# --- The worker's pulse -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_pulse_is_felt_once_the_worker_has_done_a_job(tmp_path: Path, run_queue) -> None:
    pulse = Pulse(tmp_path / "worker.alive")
    assert not pulse.felt()
    run_queue()
    assert pulse.felt()


@pytest.mark.django_db
def test_a_worker_without_a_pulse_is_given_as_long_again_after_its_restart(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "worker.alive", since=time.time() - PATIENCE - 1)
    assert not pulse.steady()
    assert pulse.steady()


def test_the_sandbox_takes_any_secret(tmp_path: Path, settings: Any) -> None:
    """A random one may begin with the sign by which options begin."""
    settings.M365_LOGIN_URL, settings.M365_CLIENT_SECRET = "http://127.0.0.1:8365", "-secret"
    _python, script, name, *options = Demo(tmp_path, 8000, print).sandbox().command
    parsed = load_command_class("crmsync.sandbox", name).create_parser(script, name).parse_args(options)
    assert (parsed.client_secret, parsed.port) == ("-secret", 8365)
