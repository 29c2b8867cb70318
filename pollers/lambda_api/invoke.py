"""The operations that run functions: Invoke, InvokeAsync and InvokeWithResponseStream (docs/lambda 11)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Protocol

from handlers.errors import FunctionUnusable
from handlers.function import PAYLOAD_LIMIT_BYTES, PLAIN, FunctionError, InfrastructureError, Payload, Throttle
from handlers.function import Call as FunctionCall
from handlers.logs import log_tail
from pollers.invocations import QueueFull
from pollers.lambda_api import errors, eventstream
from pollers.lambda_api.names import LATEST
from pollers.lambda_api.operations import Operation, Reply, empty_reply
from pollers.lambda_api.payloads import check_json, client_context
from pollers.lambda_api.requested import ASYNCHRONOUS, DRY_RUN, STREAMED_TYPES, invocation_type, wants_log
from pollers.lambda_api.streaming import FrameStream
from pollers.storage import StoreError

if TYPE_CHECKING:
    from handlers.function import Invocation
    from pollers.functions import FunctionHost
    from pollers.lambda_api.callers import Callers
    from pollers.lambda_api.directory import Directory, Found
    from pollers.lambda_api.errors import ApiError
    from pollers.lambda_api.incoming import Outgoing
    from pollers.lambda_api.operations import Call

EVENT_LIMIT_BYTES = 1024 * 1024
INVOKE_ASYNC_LIMIT_BYTES = 256 * 1024
ANY_JSON: dict[str, object] = {}
NO_EVENT = b"{}"
"""What the function gets when there is no payload."""


class AsyncEvents(Protocol):
    """Who takes events to be run later: :class:`pollers.invocations.AsyncQueue`."""

    async def accept(self, function: str, event: bytes, *, request_id: str) -> bool:
        """Take an event; durable on return. Raises QueueFull and StoreError."""


class Invoking:
    """``queue_seconds``: how long a synchronous call waits for a free worker."""

    def __init__(self, directory: Directory, callers: Callers, queue_seconds: float, queue: AsyncEvents) -> None:
        self._directory = directory
        self._callers = callers
        self._queue = queue
        self._queue_seconds = queue_seconds

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        functions = "functions/{FunctionName}"
        headers = ("X-Amz-Invocation-Type", "X-Amz-Log-Type", "X-Amz-Client-Context")
        return (
            Operation(
                "Invoke",
                "POST",
                f"/2015-03-31/{functions}/invocations",
                self.invoke,
                success=(200, 202, 204),
                body_limit_bytes=PAYLOAD_LIMIT_BYTES,
                body=ANY_JSON,
                query=("Qualifier",),
                headers=headers,
            ),
            Operation(
                "InvokeAsync",
                "POST",
                f"/2014-11-13/{functions}/invoke-async",
                self.invoke_async,
                success=(202,),
                # More than is taken, so that the error can name the size.
                body_limit_bytes=PAYLOAD_LIMIT_BYTES,
                body=ANY_JSON,
            ),
            Operation(
                "InvokeWithResponseStream",
                "POST",
                f"/2021-11-15/{functions}/response-streaming-invocations",
                self.invoke_with_response_stream,
                success=(200, 204),
                body_limit_bytes=PAYLOAD_LIMIT_BYTES,
                body=ANY_JSON,
                query=("Qualifier",),
                headers=headers,
                content_type=eventstream.CONTENT_TYPE,
            ),
        )

    async def invoke(self, call: Call) -> Reply:
        """Run the function and answer with its result; or queue the event; or only look whether that could be done."""
        found = self._directory.of(call)
        how = invocation_type(call.headers)
        if how == ASYNCHRONOUS:
            return await self._accept(found, call, EVENT_LIMIT_BYTES)
        wanted = wants_log(call.headers)
        given = call.headers.get("X-Amz-Client-Context")
        function_call = FunctionCall(client_context(given)) if given else PLAIN
        check_json(event := call.body or NO_EVENT)
        if how == DRY_RUN:
            return empty_reply(204)
        invocation = await self._run(found.host, event, call.request_id, function_call)
        return _reply(invocation, found.host, log=wanted)

    async def invoke_async(self, call: Call) -> Reply:
        """Queue the event, by the deprecated operation."""
        return await self._accept(self._directory.of(call), call, INVOKE_ASYNC_LIMIT_BYTES)

    async def invoke_with_response_stream(self, call: Call) -> Reply | Outgoing:
        """Run the function, and pass its response on while it writes it."""
        found = self._directory.of(call)
        how = invocation_type(call.headers, STREAMED_TYPES)
        wanted = wants_log(call.headers)
        context = client_context(call.headers.get("X-Amz-Client-Context"))
        check_json(event := call.body or NO_EVENT)
        if how == DRY_RUN:
            return empty_reply(204)
        stream = FrameStream(call.incoming)
        invocation = await self._run(found.host, event, call.request_id, FunctionCall(context, stream))
        if not invocation.streamed:
            # Nothing has been sent: what kept the function from running is an ordinary error still.
            _raise_unless_run(invocation, found.host)
        return await stream.finish(invocation, log_result(invocation) if wanted else None)

    async def _run(self, host: FunctionHost, event: bytes, request_id: str, call: FunctionCall) -> Invocation:
        try:
            return await self._callers.invoke(
                host, event, request_id=request_id, call=call, patience=self._queue_seconds
            )
        except FunctionUnusable as problem:
            raise errors.function_unusable(str(problem)) from problem

    async def _accept(self, found: Found, call: Call, limit_bytes: int) -> Reply:
        event = call.body or NO_EVENT
        if len(event) > limit_bytes:
            raise errors.request_too_large(
                f"{len(event)} byte payload is too large for the Event invocation type (limit {limit_bytes} bytes)"
            )
        check_json(event)
        try:
            await self._queue.accept(found.named.name, event, request_id=call.request_id)
        except QueueFull:
            # The queue counts and shows it. SDKs try again by themselves.
            raise errors.throttled(errors.CALLER_REASON, 1) from None
        except StoreError as problem:
            raise errors.service_error(
                f"The event was not accepted: it cannot be written to the disk (runtime.state): {problem}"
            ) from problem
        return empty_reply(202)


def _reply(invocation: Invocation, host: FunctionHost, *, log: bool) -> Reply:
    _raise_unless_run(invocation, host)
    result = invocation.result
    headers = {"X-Amz-Executed-Version": LATEST}
    if log:
        headers["X-Amz-Log-Result"] = log_result(invocation)
    if isinstance(result, FunctionError):
        headers["X-Amz-Function-Error"] = "Unhandled"
        return Reply(200, result.document, headers)
    return Reply(200, result.body if isinstance(result, Payload) else b"", headers)


def _raise_unless_run(invocation: Invocation, host: FunctionHost) -> None:
    match invocation.result:
        case Throttle() as throttle:
            raise _throttled(throttle, host)
        case InfrastructureError() as problem:
            # Not 502: it may have run, and SDKs that try again have to be told so by the type that means exactly that.
            raise errors.service_error(problem.message)


def _throttled(throttle: Throttle, host: FunctionHost) -> ApiError:
    reserved = host.reserved is not None and host.reserved <= host.model.concurrency
    return errors.throttled(
        errors.RESERVED_REASON if reserved else errors.CONCURRENCY_REASON, throttle.retry_after_seconds
    )


def log_result(invocation: Invocation) -> str:
    """The tail of an invocation's log as the header has it."""
    return base64.b64encode(log_tail(invocation)).decode()
