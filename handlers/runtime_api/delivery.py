"""What a runtime is given when it asks for an invocation (docs/lambda 8.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One invocation as it is given to a runtime. ``invocation_id`` is new for each attempt.

    ``streamed``: a response that the runtime streams is passed on while it comes; else it is gathered.
    """

    request_id: str
    invocation_id: str
    deadline_ms: int
    function_arn: str
    trace_id: str
    event: bytes
    client_context: str | None = None
    streamed: bool = False

    def head(self) -> bytes:
        """The head of the answer to ``/next``. Its Content-Type is exact: clients compare it as a whole."""
        return (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {self.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {self.deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {self.function_arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {self.trace_id}\r\n"
            f"Lambda-Runtime-Invocation-Id: {self.invocation_id}\r\n"
            f"{_client_context(self.client_context) if self.client_context is not None else ''}"
            f"Content-Length: {len(self.event)}\r\n\r\n"
        ).encode("utf-8", "replace")


def _client_context(text: str) -> str:
    """Its header. Line breaks would bring headers of their own; in JSON, control characters stand only between tokens."""
    return f"Lambda-Runtime-Client-Context: {_CONTROL.sub(' ', text)}\r\n"
