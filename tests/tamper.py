"""Between the engine and the sandbox: a relay that changes what Graph answers, where no sandbox would answer so."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Item = dict[str, Any]


@dataclass
class Relay:
    """`item` is called with every contact that passes (in pages, alone, in batches) and gives what is sent on.

    `page` gets the rows of a page of changes, and gives them. Each is as it was unless it is set.
    """

    url: str = ""
    item: Callable[[Item], Any] = lambda item: item
    page: Callable[[list[Any]], list[Any]] = lambda rows: rows

    def changed(self, body: Any, path: str) -> Any:
        if not isinstance(body, dict):
            return body
        if "responses" in body:
            for answer in body["responses"]:
                answer["body"] = self.changed(answer.get("body"), path)
        elif isinstance(body.get("value"), list) and "contactFolders?" not in path:
            rows = [self.item(row) if "changeKey" in row else row for row in body["value"]]
            body["value"] = self.page(rows) if "delta" in path else rows
        elif "changeKey" in body:
            body = self.item(body)
        return body


@contextmanager
def relay(target: str) -> Iterator[Relay]:
    """A relay to the sandbox at `target`, listening at its `url`."""
    through, session = Relay(), requests.Session()
    session.trust_env = False

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = session.request(self.command, target + self.path, data=content, headers=dict(self.headers))
            out = answer.content
            if answer.headers.get("Content-Type", "").startswith("application/json"):
                out = json.dumps(through.changed(answer.json(), self.path)).encode()
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in {"content-length", "connection", "date", "server", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(out)))
            self.end_headers()
            self.wfile.write(out)

        do_GET = do_POST = do_PATCH = do_DELETE = pass_on

        def log_message(self, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    through.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield through
    finally:
        server.shutdown()
        server.server_close()
