"""Invoke: functions called synchronously, asynchronously, or only asked whether they could be (docs/lambda 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.function import PAYLOAD_LIMIT_BYTES, FunctionError, InfrastructureError, Payload, Throttle
from pollers.lambda_api import errors
from pollers.lambda_api.names import LATEST
from pollers.lambda_api.operations import Operation, Reply

if TYPE_CHECKING:
    from handlers.function import Result
    from pollers.lambda_api.callers import Callers
    from pollers.lambda_api.directory import Directory
    from pollers.lambda_api.operations import Call

ANY_JSON: dict[str, object] = {}


class Invoking:
    """The operations that run functions. ``queue_seconds``: how long a synchronous call waits for a free worker."""

    def __init__(self, directory: Directory, callers: Callers, queue_seconds: float) -> None:
        self._directory = directory
        self._callers = callers
        self._queue_seconds = queue_seconds

    def operations(self) -> tuple[Operation, ...]:
        """Their declarations."""
        return (
            Operation(
                "Invoke",
                "POST",
                "/2015-03-31/functions/{FunctionName}/invocations",
                self.invoke,
                success=(200, 202, 204),
                body_limit_bytes=PAYLOAD_LIMIT_BYTES,
                body=ANY_JSON,
                query=("Qualifier",),
            ),
        )

    async def invoke(self, call: Call) -> Reply:
        """Invoke."""
        found = self._directory.of(call)
        with self._callers.calling(found.host) as caller:
            invocation = await caller.invoke(
                call.body or b"{}", request_id=call.request_id, patience=self._queue_seconds
            )
        return _reply(invocation.result)


def _reply(result: Result) -> Reply:
    headers = {"X-Amz-Executed-Version": LATEST}
    match result:
        case Payload(body):
            return Reply(200, body, headers)
        case FunctionError():
            return Reply(200, result.document, {**headers, "X-Amz-Function-Error": "Unhandled"})
        case Throttle():
            raise errors.throttled(errors.CONCURRENCY_REASON, result.retry_after_seconds)
        case InfrastructureError():
            raise errors.service_error(result.message)
