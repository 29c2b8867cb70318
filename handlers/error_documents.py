"""Lambda's own error documents, for runners that have to write one themselves (docs/lambda 8.1).

Each function returns the :class:`FunctionError` that its document describes: type, message and document always agree.
"""

from __future__ import annotations

from typing import Any

import orjson

from handlers.function import RESPONSE_LIMIT_BYTES, FunctionError

EXIT_ERROR = "Runtime.ExitError"
OUT_OF_MEMORY = "Runtime.OutOfMemory"
TIMED_OUT = "Sandbox.Timedout"
TRUNCATED = "Runtime.TruncatedResponse"
RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"
UNHANDLED = "Unhandled"

_LEVELS = 100
"""How deep a document of ours may be nested; the encoder goes to 254."""


def raised(error_type: str, message: str, stack_trace: list[str], request_id: str) -> FunctionError:
    """The function raised: the document that AWS's Python runtime client writes, keys in its order."""
    return _error(
        {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": stack_trace}
    )


def timed_out(timeout_seconds: float, request_id: str) -> FunctionError:
    """The invocation was stopped at the function's timeout, written with two decimals as Lambda does."""
    message = f"RequestId: {request_id} Error: Task timed out after {timeout_seconds:.2f} seconds"
    return _error({"errorType": TIMED_OUT, "errorMessage": message})


def exited(request_id: str, reason: str | None = None, *, error_type: str = EXIT_ERROR) -> FunctionError:
    """The runtime's process ended during the invocation.

    ``reason`` is Lambda's wording of how ("exit status 127", "signal: killed"); None when it ended with status 0.
    """
    how = f"with error: {reason}" if reason else "without providing a reason"
    return _error({"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: Runtime exited {how}"})


def init_failed(document: bytes) -> FunctionError:
    """The runtime posted ``document`` to ``/runtime/init/error``: that body, with an empty ``requestId``."""
    found = _members(document)
    if found is None:
        found = {"errorMessage": _text(document), "errorType": "Runtime.Unknown"}
    return _error({**found, "requestId": ""})


def response_too_large(limit_bytes: int = RESPONSE_LIMIT_BYTES) -> FunctionError:
    """The function answered more than ``limit_bytes``."""
    message = f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes)."
    return _error({"errorType": RESPONSE_TOO_LARGE, "errorMessage": message})


def truncated() -> FunctionError:
    """The function streamed its response, and its connection broke before the end."""
    return _error({"errorType": TRUNCATED, "errorMessage": "The response was broken off before its end"})


def reported(document: bytes, *, error_type: str | None = None) -> FunctionError:
    """An error that the function or its runtime reported itself; a ``document`` that is a JSON object stays as it is.

    ``error_type`` (a header's) serves where the document names none. Anything but an object becomes a message.
    """
    found = _members(document)
    if found is None:
        return _error({"errorMessage": _text(document), "errorType": error_type or UNHANDLED})
    return FunctionError(_named(found, error_type or UNHANDLED), _message(found), document)


def log_text(error: FunctionError) -> str:
    """What AWS's Python runtime client writes to the log of an error: type, message and where it was raised."""
    members = _members(error.document) or {}
    stack = members.get("stackTrace")
    text = f"[ERROR] {error.error_type}: {error.message}"
    if not isinstance(stack, list) or not stack:
        return text
    frames = "".join(frame if isinstance(frame, str) else f"({type(frame).__name__})\n" for frame in stack)
    return f"{text}\nTraceback (most recent call last):\n{frames.rstrip()}"


def _error(members: dict[str, Any]) -> FunctionError:
    """User text may hold lone surrogates, which no UTF-8 can carry; what is nested deeper than the encoder goes is left out."""
    try:
        document = orjson.dumps(members)
    except orjson.JSONEncodeError:
        members = _cleaned(members)
        document = orjson.dumps(members)
    return FunctionError(_named(members, UNHANDLED), _message(members), document)


def _named(members: dict[str, Any], otherwise: str) -> str:
    kind = members.get("errorType")
    return kind if isinstance(kind, str) and kind else otherwise


def _message(members: dict[str, Any]) -> str:
    message = members.get("errorMessage")
    return message if isinstance(message, str) else ""


def _cleaned(value: Any, levels: int = _LEVELS) -> Any:  # noqa: ANN401 - walks JSON of any kind
    """What the encoder takes of a value; below ``levels`` only the kind of what is there."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict | list) and not levels:
        return f"({type(value).__name__}, nested too deep)"
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item, levels - 1) for key, item in value.items()}
    return [_cleaned(item, levels - 1) for item in value] if isinstance(value, list) else value


def _members(document: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(document)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _text(document: bytes) -> str:
    return document.decode("utf-8", "replace")
