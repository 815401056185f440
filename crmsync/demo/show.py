"""The demo as a whole: what it starts, in which order, and what it says."""

import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import requests
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.urls import reverse

from crmsync.demo import outlook, sample
from crmsync.demo.pulse import Pulse
from crmsync.demo.supervisor import Child, Supervisor
from crmsync.environment import is_loopback

Say = Callable[[str], None]


class Demo:
    """Everything under one supervisor. `home` is the folder for what the demo keeps; the web server is on `port`."""

    def __init__(self, home: Path, port: int, say: Say) -> None:
        self.home, self.port, self.say = home, port, say
        self.pretends = is_loopback(settings.M365_GRAPH_URL)
        self.tenant = outlook.Tenant(settings.M365_LOGIN_URL)
        self.pulse = Pulse(home / "worker.alive")
        self.session = requests.Session()
        self.session.trust_env = False

    def run(self) -> None:
        """Prepare, start everything, say where it is, and keep it running until Ctrl-C. Raises DidNotStart."""
        self.prepare()
        sandbox, others = self.sandbox(), [self.web(), self.worker()]
        with Supervisor([sandbox, *others] if self.pretends else others, self.say) as supervisor:
            supervisor.start()
            if self.pretends:
                supervisor.wait_for(sandbox)
                self.furnish(supervisor)
            for child in others:
                supervisor.wait_for(child)
            if not supervisor.stopping:
                self.say(self.welcome())
            supervisor.watch()
            self.say("\nStopping …")

    def prepare(self) -> None:
        """The database, the schedules, and the made-up CRM where there is none yet."""
        self.say("Preparing the database …")
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns where it is missing
        call_command("migrate", verbosity=0)
        call_command("setup_schedules", stdout=StringIO())
        if sample.load():
            self.say("Made up a CRM …")
        connections.close_all()

    def furnish(self, supervisor: Supervisor) -> None:
        """The mailboxes' own contacts, and the first salesperson's sign-in, where there are none yet."""
        if not supervisor.stopping:
            outlook.fill(self.tenant)
            outlook.connect(self.tenant)

    def sandbox(self) -> Child:
        options = {
            "--port": settings.M365_LOGIN_URL.rsplit(":", 1)[1],
            "--state": str(self.home / "sandbox.sqlite3"),
            "--tenant": settings.M365_TENANT_ID,
            "--client-id": settings.M365_CLIENT_ID,
            "--client-secret": settings.M365_CLIENT_SECRET,
        }
        command = ["manage.py", "sandbox", *(f"{name}={value}" for name, value in options.items())]
        return self.child("sandbox", command, self.tenant.answers)

    def web(self) -> Child:
        command = ["-m", "waitress", f"--listen=127.0.0.1:{self.port}", "--threads=8", "crmsync.wsgi:application"]
        return self.child("web server", command, self.web_answers)

    def worker(self) -> Child:
        return self.child("worker", ["manage.py", "qcluster"], self.pulse.felt, self.pulse.steady)

    def child(
        self, name: str, command: list[str], answers: Callable[[], bool], pulse: Callable[[], bool] | None = None
    ) -> Child:
        log = self.home / "log" / f"{name.split()[0]}.log"
        return Child(name, [sys.executable, *command], settings.BASE_DIR, log, answers, pulse or (lambda: True))

    def web_answers(self) -> bool:
        try:
            return self.session.get(f"http://127.0.0.1:{self.port}/healthz/web", timeout=5).ok
        except requests.RequestException:
            return False

    def welcome(self) -> str:
        """Where everything is and who can sign in, in plain columns."""
        places = [("The CRM", settings.BASE_URL)]
        if self.pretends:
            places.append(("Outlook (pretended)", f"{settings.M365_LOGIN_URL}/people/"))
        else:
            places.append(("Microsoft 365", f"your tenant {settings.M365_TENANT_ID}; its app registration has to know"))
            places += [
                ("", settings.BASE_URL + reverse(name)) for name in ("exchange_setup:callback", "microsoft_callback")
            ]
        if settings.EMAIL_FOLDER:
            places.append(("Mails, as files", settings.EMAIL_FOLDER))
        places.append(("Logs", str(self.home / "log")))
        lines = ["", "crmsync is running. Ctrl-C ends it.", ""]
        lines += [f"  {name:<22}{place}" for name, place in places]
        lines += ["", f"  {'Sign in as':<32}{'Password':<11}"]
        lines += [
            f"  {user['email']:<32}{sample.PASSWORD:<11}{user['name']}, {user['about']}" for user in sample.users()
        ]
        return "\n".join([*lines, ""])
