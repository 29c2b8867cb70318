"""A function in AWS, or in an emulator of it, through Lambda's Invoke API (docs/lambda 8.1)."""

from __future__ import annotations

import asyncio
import base64
import functools
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import structlog
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from config import parse_arn
from handlers import error_documents
from handlers.errors import FunctionUnusable
from handlers.function import (
    PLAIN,
    Call,
    FunctionError,
    FunctionStatus,
    InfrastructureError,
    Invocation,
    Payload,
    Result,
    Throttle,
)
from handlers.remote.body import CHUNK_BYTES, encoded_context, read_bounded, retry_after_seconds, service_time
from handlers.remote.passing import Passing

if TYPE_CHECKING:
    from types import TracebackType

    import config.models as models

log = structlog.stdlib.get_logger(__name__)

COLD_START_SECONDS = 15.0
"""How much longer than the function's timeout to wait for a reply: starting an environment takes up to 10 s more."""

CONNECT_SECONDS = 10.0
RENEW_SECONDS = 5.0
"""Refused credentials make the SDK's chain run anew, no more often than this."""

EVENT_REFUSED = frozenset(
    {
        "InvalidRequestContentException",
        "RecursiveInvocationException",
        "RequestTooLargeException",
        "SerializedRequestEntityTooLargeException",
        "UnsupportedMediaTypeException",
    }
)
"""Errors about the event itself: it would be refused for ever, so they are failures of the function on it.

All other errors say that the function did not run: the batch is tried again at no cost until that is repaired.
"""

CREDENTIALS_REFUSED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)


class InvokeApiFunction:
    """Calls Invoke, request-response, once for each invocation: the SDK's own retries are off, they would run it twice.

    ``timeout`` should be the function's own in AWS: it is Lambda that stops it there. A reply that does not come within that
    and ``COLD_START_SECONDS`` is given up and counts as timed out.
    """

    def __init__(self, name: str, model: models.LambdaFunction, aws: models.Aws) -> None:
        self.name = name
        self.concurrency = model.concurrency
        self.timeout_seconds = model.timeout
        self.arn, from_arn = split_qualifier(model.function_arn)
        self._qualifier = model.qualifier or from_arn
        self._region = parse_arn(model.function_arn).region
        self._endpoint_url = aws.endpoint_urls.lambda_ or aws.endpoint_url
        self._busy = 0
        self._problem: str | None = None
        self._exits = AsyncExitStack()
        self._client: Any = None
        self._renewing = asyncio.Lock()
        self._renewed_at = 0.0

    async def __aenter__(self) -> InvokeApiFunction:
        try:
            await self._renew()
        except (BotoCoreError, ValueError) as error:
            raise FunctionUnusable(f"function {self.name}: no client for {self.arn}: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._exits.aclose()

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """See :meth:`handlers.function.Function.invoke`. Cancelling it closes the connection, but the function goes on."""
        begun = time.perf_counter()  # uvloop's own clock only counts milliseconds
        self._busy += 1
        lines: tuple[str, ...] = ()
        passing = Passing(call.stream) if call.stream is not None else None
        result: Result = error_documents.timed_out(self.timeout_seconds, request_id)
        try:
            with anyio.move_on_after(self.timeout_seconds + COLD_START_SECONDS):
                result, lines = await self._invoke(event, request_id, call, passing)
        finally:
            self._busy -= 1
        self._problem = result.message if isinstance(result, InfrastructureError) else None
        streamed = passing is not None and passing.begun
        return Invocation(request_id, result, time.perf_counter() - begun, lines, streamed, reported=bool(lines))

    def status(self) -> FunctionStatus:
        """No workers; ``problem`` is why the last invocation did not reach the function."""
        return FunctionStatus(workers=0, busy=self._busy, problem=self._problem)

    async def _invoke(
        self, event: bytes, request_id: str, call: Call, passing: Passing | None
    ) -> tuple[Result, tuple[str, ...]]:
        try:
            if passing is None:
                return await self._call(event, request_id, call)
            return await self._stream(event, call, passing)
        except Exception as error:  # what the SDK's parser makes of a malformed reply is no class of its own
            return InfrastructureError(f"invoking {self.arn}: the reply cannot be read: {repr(error)[:500]}"), ()

    async def _call(self, event: bytes, request_id: str, call: Call) -> tuple[Result, tuple[str, ...]]:
        try:
            reply = await self._client.invoke(**self._arguments(event, call))
            payload = reply["Payload"]
            try:
                body = await read_bounded(payload.iter_chunks(CHUNK_BYTES))
            finally:
                payload.close()  # back to the pool when it was read to its end, else closed
        except ClientError as error:
            return await self._refused(error), ()
        except (BotoCoreError, aiohttp.ClientError, OSError) as error:
            return self._lost(error), ()
        lines = log_lines(reply.get("LogResult"))
        log.debug(
            "lambda function invoked",
            function=self.name,
            request_id=request_id,
            aws_request_id=reply["ResponseMetadata"].get("RequestId"),
            executed_version=reply.get("ExecutedVersion"),
            log=lines,
        )
        if body is None:
            return error_documents.response_too_large(), lines
        return error_documents.reported(body) if reply.get("FunctionError") else Payload(body), lines

    async def _stream(self, event: bytes, call: Call, passing: Passing) -> tuple[Result, tuple[str, ...]]:
        """InvokeWithResponseStream: pieces are passed on while they come; what ended it comes last."""
        arguments = self._arguments(event, call)
        del arguments["InvocationType"]
        try:
            reply = await self._client.invoke_with_response_stream(**arguments)
            events = reply["EventStream"]
            try:
                ended = await _passed_on(events, reply.get("ResponseStreamContentType"), passing)
            finally:
                events.close()
            if ended is not None:
                return ended
            raise ConnectionResetError("the reply was broken off")
        except (BotoCoreError, ClientError, aiohttp.ClientError, OSError) as error:
            if passing.begun:
                return error_documents.truncated(), ()
            return (await self._refused(error) if isinstance(error, ClientError) else self._lost(error)), ()

    def _lost(self, error: Exception) -> InfrastructureError:
        return InfrastructureError(f"invoking {self.arn}: {type(error).__name__}: {error}")

    def _arguments(self, event: bytes, call: Call) -> dict[str, Any]:
        arguments = {
            "FunctionName": self.arn,
            "InvocationType": "RequestResponse",
            "LogType": "Tail",
            "Payload": event,
        }
        if self._qualifier:
            arguments["Qualifier"] = self._qualifier
        if call.client_context is not None:
            arguments["ClientContext"] = encoded_context(call.client_context)
        return arguments

    async def _refused(self, error: ClientError) -> Result:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        result = result_of(error, self.arn, service_time(headers.get("date"), time.time()))
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in CREDENTIALS_REFUSED and anyio.current_time() - self._renewed_at >= RENEW_SECONDS:
            await self._renew()
        return result

    async def _renew(self) -> None:
        """A client of a new session, whose chain of credential providers runs anew. The old one serves what it has begun."""
        async with self._renewing:
            self._renewed_at = anyio.current_time()
            session = get_session()
            session.register_component("data_loader", _api_models())
            made = session.create_client(
                "lambda",
                region_name=self._region,
                endpoint_url=self._endpoint_url,
                config=AioConfig(
                    retries={"mode": "standard", "total_max_attempts": 1},
                    parameter_validation=False,
                    max_pool_connections=self.concurrency,
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=self.timeout_seconds + 2 * COLD_START_SECONDS,
                ),
            )
            self._client = await self._exits.enter_async_context(made)


async def _passed_on(events: Any, content_type: str | None, passing: Passing) -> tuple[Result, tuple[str, ...]] | None:  # noqa: ANN401 - the SDK's stream
    """Pass the pieces on; what ended them and the log's tail, or None where nothing has."""
    async for event in events:
        if "PayloadChunk" in event:
            passing.begin(content_type)
            if (error := await passing.write(event["PayloadChunk"].get("Payload", b""))) is not None:
                return error, ()
        elif "InvokeComplete" in event:
            ended = event["InvokeComplete"]
            lines = log_lines(ended.get("LogResult"))
            if ended.get("ErrorCode"):
                document = str(ended.get("ErrorDetails", "")).encode("utf-8", "replace")
                return error_documents.reported(document, error_type=str(ended["ErrorCode"])), lines
            passing.begin(content_type)
            return Payload(b""), lines
    return None


@functools.cache
def _api_models() -> Any:  # noqa: ANN401 - the SDK's loader has no type
    """Reads and keeps the SDK's API models: each session reading them for itself would hold up the loop for long."""
    return get_session().get_component("data_loader")


def split_qualifier(function_arn: str) -> tuple[str, str | None]:
    """A function's unqualified ARN, and the version or alias at the end of the given one, if any."""
    parts = function_arn.split(":")
    return (":".join(parts[:7]), parts[7]) if len(parts) > 7 else (function_arn, None)


def log_lines(tail: str | None) -> tuple[str, ...]:
    """The log tail (base64, at most 4 KB) in lines."""
    if not tail:
        return ()
    try:
        return tuple(base64.b64decode(tail).decode("utf-8", "replace").splitlines())
    except ValueError:  # a header that is no base64 is no reason to lose the reply that it came with
        return ()


def result_of(error: ClientError, arn: str, now: float) -> Throttle | InfrastructureError | FunctionError:
    """What an error of the Invoke API means for the batch (decider; ``now`` is wall-clock time)."""
    response: dict[str, Any] = error.response
    found, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(found.get("Code", "")), meta.get("HTTPStatusCode", 0)
    reason = f" ({response['Reason']})" if response.get("Reason") else ""
    message = f"invoking {arn}: {code}: {found.get('Message', '')}{reason}"
    after = retry_after_seconds(
        response.get("retryAfterSeconds") or meta.get("HTTPHeaders", {}).get("retry-after"), now
    )
    if status == 429 or code == "TooManyRequestsException":
        return Throttle(message, after)
    if code in EVENT_REFUSED or status == 413:
        return error_documents.raised(code, message, [], "")
    return InfrastructureError(message, after)
