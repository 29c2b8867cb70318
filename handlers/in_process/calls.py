"""One in-process invocation as it crosses threads, and what becomes of what the handler returns or raises."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from awslambdaric.lambda_runtime_exception import FaultException
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from handlers import error_documents
from handlers.function import RESPONSE_LIMIT_BYTES, FunctionError, Payload, Result
from handlers.logs import LogTail, context_of

if TYPE_CHECKING:
    import asyncio
    import contextvars
    import threading
    from types import TracebackType

    from handlers.in_process.context import LambdaContext

_OWN_FOLDER = str(Path(__file__).parent)
_MESSAGE_LIMIT = 64 * 1024
_marshaller = LambdaMarshaller()


class InvocationStopped(BaseException):
    """Raised inside a handler's thread to end an invocation that ran past its timeout or was cancelled."""


class Call:
    """An invocation. ``waiter`` and ``ended`` belong to the poller's loop, the rest to the call's runner."""

    __slots__ = (
        "acknowledged",
        "context",
        "dropped",
        "ended",
        "event",
        "finished",
        "level",
        "tail",
        "task",
        "thread",
        "waiter",
    )

    def __init__(
        self, event: bytes, context: LambdaContext, waiter: asyncio.Future[Result | None], level: int = 0
    ) -> None:
        """``level`` is the least one that the function logs, as ``logging`` numbers them."""
        self.level = level
        self.tail = LogTail()
        self.event = event
        self.context = context
        self.waiter = waiter
        self.ended: asyncio.Future[None] | None = None
        self.finished = False
        self.dropped = False
        self.acknowledged = False
        self.thread: threading.Thread | None = None
        self.task: asyncio.Task[None] | None = None

    def log_context(self) -> contextvars.Context:
        """The context that the handler runs in."""
        return context_of(self.context.function_name, self.context.aws_request_id, self.level, self.tail)

    def expire(self) -> None:
        """The timeout is over: the waiter gets None. Without effect once there is a result."""
        if not self.waiter.done():
            self.waiter.set_result(None)

    def settle(self, result: Result) -> None:
        """The handler came to its end. A result that nobody waits for any more is forgotten."""
        if not self.waiter.done():
            self.waiter.set_result(result)
        self.end()

    def end(self) -> None:
        """The handler no longer runs."""
        self.finished = True
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(None)


def parse(event: bytes) -> Any:  # noqa: ANN401 - an event is JSON of any kind
    """The event as Lambda's Python runtime gives it to a handler: as ``json.loads`` reads it, with integers of any size.

    Raises ``FaultException`` for what is not JSON.
    """
    try:
        return msgspec.json.decode(event)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # it takes half the time and reads what it accepts alike, but is stricter: with lone surrogates, NaN and 1e400
    try:
        return json.loads(event)
    except (ValueError, RecursionError) as error:
        raise FaultException(FaultException.UNMARSHAL_ERROR, f"Unable to unmarshal input: {error}", None) from None


def serialise(answer: object) -> Result:
    """What Lambda makes of a handler's return value, by AWS's own marshaller: JSON, or bytes as they are.

    Raises ``FaultException`` for what is not JSON.
    """
    if answer is None:
        return Payload(b"null")
    body, _ = _marshaller.marshal_response(answer)
    try:
        encoded = body if isinstance(body, bytes) else body.encode()
    except UnicodeEncodeError as error:
        raise FaultException(FaultException.MARSHAL_ERROR, f"Unable to marshal response: {error}", None) from None
    if len(encoded) > RESPONSE_LIMIT_BYTES:
        return error_documents.response_too_large()
    return Payload(encoded)


def failure(error: BaseException, request_id: str) -> FunctionError:
    """What Lambda makes of what a handler raises. ``SystemExit`` ends the runtime there, so it reads as an exit."""
    if isinstance(error, FaultException):
        frames = [_text(frame) for frame in error.trace] if isinstance(error.trace, list) else []
        return error_documents.raised(_text(error.exception_type), _text(error.msg), frames, request_id)
    if isinstance(error, SystemExit):
        return error_documents.exited(request_id, _exit_status(error))
    found = error_documents.raised(type(error).__name__, _text(error), _stack(error.__traceback__), request_id)
    if len(found.document) > RESPONSE_LIMIT_BYTES:
        return error_documents.raised(type(error).__name__, _text(error), [], request_id)
    return found


def _exit_status(error: SystemExit) -> str | None:
    if error.code is None or error.code == 0:
        return None
    return f"exit status {error.code & 0xFF if isinstance(error.code, int) else 1}"


def _text(error: object) -> str:
    try:
        return str(error)[:_MESSAGE_LIMIT]
    except BaseException as broken:  # user code's own __str__ may raise anything
        return f"<{type(error).__name__}, whose text cannot be had: {type(broken).__name__}>"


def _stack(frames: TracebackType | None) -> list[str]:
    """The user's own frames: ours, which called the handler, are left out as AWS's client leaves out its own."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frames = frames.tb_next
    try:
        summary = traceback.extract_tb(frames)
        return traceback.format_list([(frame.filename, frame.lineno or 0, frame.name, frame.line) for frame in summary])
    except Exception:  # it reads the user's source files, which may be anything
        return [f"  <stack trace not available: {sys.exc_info()[1]!r}>\n"]
