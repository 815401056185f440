"""Serving the sandbox: waitress, with threads enough that waiting (latency, limits) never queues behind waiting.

waitress also gives faults that really cut connections (`crmsync.sandbox.faults`), so no other server is needed.
"""

import logging
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from crmsync.sandbox.app import create_app
from crmsync.sandbox.sandbox import Registration, Sandbox

THREADS = 32


class Server:
    """A sandbox on `host`:`port` (0: any free port) over the state file `state`. `start` serves in a thread."""

    def __init__(
        self, state: Path, *, host: str = "127.0.0.1", port: int = 0, registration: Registration | None = None
    ) -> None:
        app = create_app(state, registration)
        self.sandbox: Sandbox = app.extensions["sandbox"]
        # Faults make waitress warn of what they do on purpose.
        logging.getLogger("waitress").setLevel(logging.CRITICAL)
        self._sockets: dict[int, Any] = {}
        self._server = create_server(
            app,
            map=self._sockets,
            host=host,
            port=port,
            threads=THREADS,
            log_socket_errors=False,
            ident="sandbox",
            channel_timeout=600,
            clear_untrusted_proxy_headers=False,  # a stand-in for the real sign-in host says so with them
        )
        self.host, self.port = host, int(self._server.effective_port)
        self._thread = threading.Thread(target=self.serve, name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def serve(self) -> None:
        """Serve until the process ends or `stop`."""
        self._server.run()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and wait until the thread that served has ended."""
        with suppress(OSError):  # a worker's own wake-up may have had the loop close its pipe before ours is written
            self._server.trigger.pull_trigger(partial(wasyncore.close_all, self._sockets, ignore_all=True))
        self._thread.join(timeout=5)
        self._server.task_dispatcher.shutdown(timeout=1)
