"""What an HTTP reply says of the invocation (decider)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from handlers import error_documents
from handlers.function import InfrastructureError, Payload, Result, Throttle
from handlers.remote.body import retry_after_seconds

_TIMED_OUT = re.compile(rb"Task timed out after (\d+\.\d\d) seconds\s*")
_ERROR_MEMBERS = frozenset({"errorMessage", "errorType", "stackTrace", "requestId", "trace", "cause"})
"""What AWS's runtime clients put in an error: of Python (stackTrace, requestId), of Node.js (trace), of Java (cause)."""
_QUOTED_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a reply that matter here."""

    status: int
    reason: str
    retry_after: str | None
    body: bytes


def result_of(reply: Reply, emulator: bool, request_id: str, now: float) -> Result:
    """The invocation's result. ``emulator``: the reply comes from Lambda's Runtime Interface Emulator, which says in the body
    what Lambda says in headers. ``now`` is wall-clock time."""
    return _of_emulator(reply, request_id) if emulator else _of_service(reply, request_id, now)


def _of_emulator(reply: Reply, request_id: str) -> Result:
    """docs/lambda 8.5: errors and timeouts come as 200, crashes as 502 or 504."""
    if reply.status != 200:
        return _failed(reply, request_id)
    timed_out = _TIMED_OUT.fullmatch(reply.body)
    if timed_out is not None:
        return error_documents.timed_out(float(timed_out[1]), request_id)
    if _is_error(reply.body):
        return error_documents.reported(reply.body)
    return Payload(reply.body)


def _of_service(reply: Reply, request_id: str, now: float) -> Result:
    after = retry_after_seconds(reply.retry_after, now)
    if 200 <= reply.status < 300:
        return Payload(reply.body or b"null")
    if reply.status == 429 or (reply.status == 503 and after is not None):
        return Throttle(_message(reply), after)
    if reply.status == 503:
        return InfrastructureError(_message(reply))
    return _failed(reply, request_id)


def _failed(reply: Reply, request_id: str) -> Result:
    """The service's own error document where it sends one, else one made of the status."""
    if _names_error(_object(reply.body)):
        return error_documents.reported(reply.body)
    return error_documents.raised(f"HTTP.{reply.status}", _message(reply), [], request_id)


def _message(reply: Reply) -> str:
    text = reply.body[:_QUOTED_BYTES].decode("utf-8", "replace").strip()
    return f"HTTP {reply.status} {reply.reason}".rstrip() + (f": {text}" if text else "")


def _is_error(body: bytes) -> bool:
    """Whether a 200's body is a runtime client's error: it has these members and no others (an answer has others)."""
    if b'"errorType"' not in body or b'"errorMessage"' not in body:
        return False
    found = _object(body)
    return _names_error(found) and found.keys() <= _ERROR_MEMBERS


def _names_error(found: dict[str, Any]) -> bool:
    return isinstance(found.get("errorType"), str) and isinstance(found.get("errorMessage"), str)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
