"""The demo's supervisor, with small children in the place of the web server and the worker."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crmsync.demo.supervisor import Child, DidNotStart, Supervisor

ROOT = Path(__file__).resolve().parent.parent
# Touches the file of its name, then has a child of its own, as qcluster has; ends both when asked to.
CHILD = """
import pathlib, subprocess, sys, time
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(str(inner.pid))
time.sleep(60)
"""
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def child(folder: Path, name: str, code: str = CHILD, **options: object) -> Child:
    flag = folder / name
    return Child(
        name, [sys.executable, "-c", code, str(flag)], folder, folder / f"{name}.log", answers=flag.exists, **options
    )


def grandchild(child: Child) -> int:
    return int((child.log.parent / child.name).read_text())


def test_children_are_started_one_after_the_other_and_all_end_with_it(tmp_path: Path) -> None:
    children = [child(tmp_path, "sandbox"), child(tmp_path, "web")]
    with Supervisor(children, print) as supervisor:
        supervisor.start()
        for one in children:
            supervisor.wait_for(one)
        pids = [one.process.pid for one in children] + [grandchild(one) for one in children]
        assert all(map(alive, pids))
    wait_until(lambda: not any(map(alive, pids)))


def test_a_signal_ends_the_watch(tmp_path: Path) -> None:
    with Supervisor([], print) as supervisor:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        supervisor.watch()
    assert supervisor.stopping


def test_a_child_that_ends_is_started_again_and_what_it_left_is_ended(tmp_path: Path) -> None:
    said: list[str] = []
    web = child(tmp_path, "web")
    with Supervisor([web], said.append) as supervisor:
        supervisor.start()
        supervisor.wait_for(web)
        first, orphan = web.process.pid, grandchild(web)
        web.process.kill()
        web.started = 0
        wait_until(lambda: not web.running)
        supervisor.look_after(web)
        assert web.process.pid != first
        wait_until(lambda: not alive(orphan))
        wait_until(lambda: web.running)
    assert said == [f"The web ended (-9); starting it again. See {web.log}"]


def test_a_child_without_a_pulse_is_started_again_even_when_it_does_not_listen(tmp_path: Path) -> None:
    worker = child(tmp_path, "worker", STUBBORN, pulse=lambda: False)
    with Supervisor([worker], lambda text: None, grace=0.1) as supervisor:
        supervisor.start()
        supervisor.wait_for(worker)
        first = worker.process.pid
        worker.started = 0
        supervisor.look_after(worker)
        assert worker.process.pid != first
        assert not alive(first)


def test_a_child_that_does_not_come_up_is_told_with_its_last_lines(tmp_path: Path) -> None:
    web = child(tmp_path, "web", "import sys; sys.exit('port 8000 is taken')")
    with Supervisor([web], print) as supervisor, pytest.raises(DidNotStart, match="port 8000 is taken"):
        supervisor.start()
        supervisor.wait_for(web)


def test_a_child_that_has_ended_is_not_up_though_somebody_else_answers_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "web").touch()
    web = child(tmp_path, "web", "import sys; sys.exit('port 8000 is taken')")
    with Supervisor([web], print) as supervisor, pytest.raises(DidNotStart, match="port 8000 is taken"):
        supervisor.start()
        web.process.wait()
        supervisor.wait_for(web)


def test_a_child_that_does_not_listen_is_ended_after_the_grace(tmp_path: Path) -> None:
    worker = child(tmp_path, "worker", STUBBORN)
    with Supervisor([worker], print, grace=0.2) as supervisor:
        supervisor.start()
        supervisor.wait_for(worker)
    assert worker.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys
from crmsync.demo.supervisor import Child, Supervisor
flag = pathlib.Path({str(tmp_path / "web")!r})
command = [sys.executable, "-c", {CHILD!r}, str(flag)]
web = Child("web", command, flag.parent, flag.with_suffix(".log"), answers=flag.exists)
with Supervisor([web], print) as supervisor:
    supervisor.start()
    supervisor.wait_for(web)
    print(web.process.pid, flush=True)
    supervisor.watch()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    os.kill(int((tmp_path / "web").read_text()), signal.SIGKILL)  # only the supervisor's own child is told
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(pid))
