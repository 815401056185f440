"""What Graph answers: `Answer` for what went well, `Refusal` for an error that a caller gets to see."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"


@dataclass
class Answer:
    """One HTTP answer. `body` is a JSON object, raw bytes (a photo, garbage), or None for no body at all."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class Refusal(Exception):
    """An error answer: its HTTP status, Graph's error code and message, and extra headers."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})

    def answer(self, request_id: str = "") -> Answer:
        """Graph's error envelope."""
        inner = {
            "date": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
            "request-id": request_id or str(uuid.uuid4()),
            "client-request-id": request_id or str(uuid.uuid4()),
        }
        body = {"error": {"code": self.code, "message": self.message, "innerError": inner}}
        return Answer(self.status, body, {"Content-Type": "application/json", **self.headers})


def item_not_found() -> Refusal:
    return Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def malformed_id() -> Refusal:
    return Refusal(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def unreadable_json() -> Refusal:
    wanted = "Please ensure Content-Type header is set and payload is of valid JSON format."
    return bad_request(f"Unable to read JSON request payload. {wanted}")


def method_not_allowed() -> Refusal:
    return Refusal(405, "ErrorInvalidRequest", "The OData request is not supported.")


def unknown_segment(name: str) -> Refusal:
    return bad_request(f"Resource not found for the segment '{name}'.")


def access_denied() -> Refusal:
    return Refusal(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
