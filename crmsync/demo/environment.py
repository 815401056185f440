"""The demo's own settings: var/demo.env, written once and kept, so that every command sees the same demo."""

import fcntl
import os
import secrets
import socket
from pathlib import Path
from typing import IO

from cryptography.fernet import Fernet

WEB_PORT = 8000
SANDBOX_PORT = 8365
ACCESS = "M365_ACCESS"
HEADER = "# Written by `make demo`. The environment goes before what is written here.\n"


class AlreadyRunning(Exception):
    """Another supervisor runs the demo of this folder."""


class DemoEnvironment:
    """The values in the file `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loaded = self.read()
        self.claims: list[socket.socket] = []

    def read(self) -> dict[str, str]:
        """What the file says now; empty when there is no file."""
        if not self.path.exists():
            return {}
        lines = self.path.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def ensure(self) -> bool:
        """Write what is missing, and new ports where one is taken. Returns whether the settings must be read anew.

        The ports are this demo's until `release`, or until its process ends or becomes another one.
        """
        kept = self.read()
        self.release()
        self.claims = [
            claim(port_of(kept.get("CRMSYNC_BASE_URL"), WEB_PORT)),
            claim(port_of(kept.get("M365_LOGIN_URL"), SANDBOX_PORT)),
        ]
        web, sandbox = (claimed.getsockname()[1] for claimed in self.claims)
        wanted = defaults() | self.mail() | kept | addresses(web, sandbox) | chosen_access()
        if wanted != kept:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            self.path.write_text(HEADER + "".join(f"{name}={value}\n" for name, value in wanted.items()))
        return wanted != kept or bool(chosen_access())

    def release(self) -> None:
        """Give back the ports, for another demo to take."""
        for claimed in self.claims:
            claimed.close()
        self.claims = []

    def mail(self) -> dict[str, str]:
        """Mails go into a folder, to be looked at; nothing leaves the machine."""
        return {"CRMSYNC_EMAIL_FOLDER": str(self.path.parent.resolve() / "mail")}

    @property
    def web_port(self) -> int:
        return port_of(self.read().get("CRMSYNC_BASE_URL"), WEB_PORT)

    def outside(self) -> dict[str, str]:
        """This process's environment without what the file says too, for a process that reads the file anew."""
        in_file = self.loaded | chosen_access()
        return {name: value for name, value in os.environ.items() if in_file.get(name) != value}


def chosen_access() -> dict[str, str]:
    """M365_ACCESS, where the environment sets that and nothing else of Microsoft's: so the sandbox is played with."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith("M365_")}
    return chosen if chosen.keys() == {ACCESS} else {}


def defaults() -> dict[str, str]:
    """Everything but the addresses, with new keys."""
    return {
        "CRMSYNC_SECRET_KEY": secrets.token_urlsafe(50),
        "CRMSYNC_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "CRMSYNC_ALLOWED_HOSTS": "localhost,127.0.0.1",
        "M365_TENANT_ID": "5ab0c0de-0000-4000-8000-00000c0ffee5",
        "M365_CLIENT_ID": "c0ffee00-0000-4000-8000-0000000c4a11",
        "M365_CLIENT_SECRET": secrets.token_urlsafe(24),
    }


def addresses(web: int, sandbox: int) -> dict[str, str]:
    # Microsoft lets an app registration name http://localhost, and no other plain http address, to come back to.
    return {
        "CRMSYNC_BASE_URL": f"http://localhost:{web}",
        "M365_LOGIN_URL": f"http://127.0.0.1:{sandbox}",
        "M365_GRAPH_URL": f"http://127.0.0.1:{sandbox}/v1.0",
    }


def port_of(url: str | None, default: int) -> int:
    return int(url.split("/")[2].rsplit(":", 1)[1]) if url else default


def claim(first: int) -> socket.socket:
    """A hold on port `first`, or on the next that nobody listens on and no other demo has claimed.

    It is UDP's port of that number: two demos that start at once both find the other one's TCP port free still.
    """
    for port in range(first, 65_536):
        held = socket.socket(type=socket.SOCK_DGRAM)
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        if is_free(port):
            return held
        held.close()
    raise OSError(f"No port from {first} on is free.")


def is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def lock(path: Path) -> IO[str]:
    """Keep the demo of this folder for this process, until the file is closed; AlreadyRunning if another one has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise AlreadyRunning from error
    return file
