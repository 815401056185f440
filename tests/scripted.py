"""A web server that says, one after the other, what a test tells it to: for answers that no sandbox should give."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_UP = "hang up"


@dataclass
class Heard:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Script:
    """`say` queues an answer (HANG_UP closes the connection), the last of which stays; `heard` lists the requests.

    A request waits until something has been said.
    """

    address: str = ""
    spoke: threading.Event = field(default_factory=threading.Event)
    lines: list[Any] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.address}/v1.0"

    def say(self, status: int | str, body: Any = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.lines.append(HANG_UP if status == HANG_UP else (status, named, body))
        self.spoke.set()

    def answer(self, heard: Heard) -> Any:
        self.heard.append(heard)
        self.spoke.wait(10)
        return self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def any_method(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        line = self.script.answer(Heard(self.command, self.path, headers, json.loads(content) if content else None))
        if line == HANG_UP:
            self.close_connection = True
            return
        status, named, body = line
        out = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **named, "Content-Length": str(len(out))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(out)

    do_GET = do_POST = do_PATCH = do_DELETE = any_method

    def log_message(self, *args: Any) -> None:
        return None


@contextmanager
def scripted_server() -> Iterator[Script]:
    script = Script()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"script": script}))
    script.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
