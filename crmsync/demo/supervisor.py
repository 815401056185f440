"""One parent for the processes of the demo: it starts them, starts again what ended or hangs, and ends all of them.

Each child leads a session of its own, so that Ctrl-C reaches only the supervisor and a dead child's own children can
be ended as a group; on Linux a child is told to stop when the supervisor is killed.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 10.0
PARENT_DIED = 1  # prctl's PR_SET_PDEATHSIG
Alive = Callable[[], bool]


class DidNotStart(Exception):
    """A child did not come up; its log says why."""


def stop_with_parent() -> None:
    """In the child, before it runs: be sent SIGTERM when the parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGTERM)


@dataclass
class Child:
    """A process to keep running. `answers` says whether it works; `pulse`, whether it still does."""

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    answers: Alive
    pulse: Alive = lambda: True
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=stop_with_parent,
            )
        self.started = time.monotonic()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self, grace: float = 0.0) -> None:
        """Ask the child to stop, wait up to `grace` seconds for it, then end it and everything that it started."""
        if self.process is None:
            return
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Supervisor:
    """Runs `children` until a signal asks it to stop. `say` is told what people should know."""

    children: list[Child]
    say: Callable[[str], None]
    grace: float = GRACE
    stopping: bool = False

    def __enter__(self) -> "Supervisor":
        self.before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        # In the other order, so that a sync that is under way may still finish against a server that is there.
        deadline = time.monotonic() + self.grace
        for child in reversed(self.children):
            child.end(max(0.0, deadline - time.monotonic()))
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def stop(self, *signal_and_frame: object) -> None:
        self.stopping = True

    def start(self) -> None:
        """Start every child; `wait_for` says when one is up."""
        for child in self.children:
            child.start()

    def wait_for(self, child: Child, timeout: float = 60.0) -> None:
        """Return when `child` answers or a signal came. DidNotStart if it ends, or `timeout` seconds pass, before."""
        while not self.stopping and not (child.running and child.answers()):
            if not child.running or time.monotonic() - child.started > timeout:
                raise DidNotStart(f"The {child.name} did not start. {child.log} says why:\n\n{last_lines(child.log)}")
            time.sleep(0.1)

    def watch(self) -> None:
        """Keep the children running until asked to stop."""
        while not self.stopping:
            for child in self.children:
                self.look_after(child)
            time.sleep(0.3)

    def look_after(self, child: Child) -> None:
        """Start `child` again when it ended or has no pulse; not more than once in a second."""
        if child.process is None or time.monotonic() - child.started < 1:
            return
        if child.running and child.pulse():
            return
        trouble = "no longer answers" if child.running else f"ended ({child.process.returncode})"
        self.say(f"The {child.name} {trouble}; starting it again. See {child.log}")
        child.end()
        child.start()


def last_lines(path: Path, count: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
