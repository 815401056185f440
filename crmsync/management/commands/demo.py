"""`manage.py demo`: everything that the product consists of, with made-up data, until Ctrl-C."""

import logging
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from crmsync.demo.environment import AlreadyRunning, DemoEnvironment, lock
from crmsync.demo.supervisor import DidNotStart

try:
    from crmsync.demo.show import Demo
except ModuleNotFoundError as error:  # a server has only what requirements.lock lists
    if error.name != "faker":
        raise
    Demo = None  # type: ignore[assignment, misc]


class Command(BaseCommand):
    help = "Runs the product with made-up data: a pretend Microsoft 365 tenant, web server and worker. Ctrl-C ends all."
    requires_system_checks: list[str] = []  # on the first start, there are no settings to check yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reset", action="store_true", help="Start afresh: what was in the demo is deleted.")

    def handle(self, *args: Any, reset: bool, **options: Any) -> None:
        if Demo is None:
            raise CommandError("The demo needs what requirements-demo.lock lists; `make demo` installs it.")
        logging.disable(logging.INFO)  # what the product logs for its operators is in the log files
        environment = DemoEnvironment(Path(os.environ.get("CRMSYNC_ENV_FILE") or settings.VAR_DIR / "demo.env"))
        home = environment.path.parent
        try:
            with lock(home / "demo.lock"):
                if reset:
                    delete(home)
                if environment.ensure() or reset:
                    start_again(environment)
                self.check()
                Demo(home, environment.web_port, self.say).run()
        except AlreadyRunning as error:
            raise CommandError(
                f"This demo runs already, at {settings.BASE_URL}; Ctrl-C in its window ends it."
            ) from error
        except DidNotStart as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.say("Stopped before it was running.")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def delete(home: Path) -> None:
    """Delete everything that a demo in `home` keeps. CommandError where its database is somewhere else."""
    database = Path(str(settings.DATABASES["default"]["NAME"]))
    if database.parent != home:
        raise CommandError("Only the demo's own SQLite database can be started afresh; unset DATABASE_URL.")
    for name in (database.name, "sandbox.sqlite3"):
        for path in home.glob(f"{name}*"):
            path.unlink()
    (home / "demo.env").unlink(missing_ok=True)


def start_again(environment: DemoEnvironment) -> None:
    """Become a new process, which reads its settings from what was just written."""
    arguments = [argument for argument in sys.argv if argument != "--reset"]
    os.execve(sys.executable, [sys.executable, *arguments], environment.outside())
