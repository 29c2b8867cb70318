"""Functions behind HTTP: Lambda's Runtime Interface Emulator, and plain web services (docs/lambda 8.5)."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import anyio

from handlers import error_documents
from handlers.errors import FunctionUnusable
from handlers.function import PLAIN, Call, FunctionStatus, InfrastructureError, Invocation, Result, Throttle
from handlers.remote.body import CHUNK_BYTES, encoded_context, read_bounded, service_time
from handlers.remote.endpoints import Endpoint, FreeEndpoints
from handlers.remote.passing import Passing
from handlers.remote.replies import Reply, result_of

if TYPE_CHECKING:
    from types import SimpleNamespace, TracebackType

    from anyio.abc import TaskGroup

    import config.models as models

CONNECT_SECONDS = 10.0
"""How long a connection may take. The function's timeout starts when there is one."""

EMULATOR_MARGIN_SECONDS = 1.0
"""How much longer than the function's timeout an emulator's reply is waited for: it stops the function itself and reports that."""


class HttpFunction:
    """Posts each event to one of its URLs.

    The Runtime Interface Emulator, known by its path, crashes when it is called twice at a time: each of its URLs serves one
    invocation, and one that was given up keeps its URL until the emulator has answered after all. The URLs of plain web
    services are used in turn.
    """

    def __init__(self, name: str, arn: str, model: models.HttpFunction) -> None:
        self.name = name
        self.arn = arn
        self.timeout_seconds = model.timeout
        self._endpoints = FreeEndpoints(list(dict.fromkeys([*([model.url] if model.url else []), *model.urls])))
        self.concurrency = min(model.concurrency, self._endpoints.capacity or model.concurrency)
        self._model = model
        self._busy = 0
        self._problem: str | None = None

    async def __aenter__(self) -> HttpFunction:
        if not self._endpoints.all:
            raise FunctionUnusable(f"function {self.name}: no url; url or urls would be right")
        tls = tls_context(self.name, self._model.tls)
        headers = {"Content-Type": "application/json", **self._model.headers}
        if self._model.bearer_token is not None:
            headers["Authorization"] = f"Bearer {self._model.bearer_token}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_connection_trace()],
        )
        self._late: TaskGroup = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._late.cancel_scope.cancel()
        try:
            await self._late.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                await self._session.close()

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """Post the event. See :meth:`handlers.function.Function.invoke`; cancelling closes the connection."""
        begun = time.perf_counter()  # uvloop's own clock only counts milliseconds
        request = _Request(event, request_id, call, Passing(call.stream) if call.stream is not None else None)
        self._busy += 1
        try:
            result = await self._invoke(request)
        finally:
            self._busy -= 1
        self._problem = result.message if isinstance(result, InfrastructureError) else None
        return Invocation(request_id, result, time.perf_counter() - begun, streamed=request.passed_on)

    def status(self) -> FunctionStatus:
        """No workers; ``problem`` is why the last invocation did not reach the function."""
        return FunctionStatus(workers=0, busy=self._busy, problem=self._problem)

    async def _invoke(self, request: _Request) -> Result:
        endpoint = self._endpoints.take()
        if endpoint is None:
            return Throttle(f"every emulator of {self.name} still runs an invocation that was given up", 1.0)
        with anyio.CancelScope() as patience:
            if endpoint.one_at_a_time:
                return await self._invoke_emulator(endpoint, request, patience)
            return await self._post(endpoint, request, patience)
        return error_documents.timed_out(self.timeout_seconds, request.request_id)

    async def _invoke_emulator(self, endpoint: Endpoint, request: _Request, patience: anyio.CancelScope) -> Result:
        """Post in a task that outlives an invocation that is given up: the emulator can take no other until it has answered."""
        found: list[Result] = []
        answered = anyio.Event()

        async def call() -> None:
            try:
                found.append(await self._post(endpoint, request, patience))
            finally:
                self._endpoints.give_back(endpoint)
                answered.set()

        self._late.start_soon(call)
        await answered.wait()
        return found[0] if found else InfrastructureError(f"{endpoint.url}: not used any more")

    async def _post(self, endpoint: Endpoint, request: _Request, patience: anyio.CancelScope) -> Result:
        """One request. ``patience`` ends at the function's timeout, which starts when there is a connection."""
        timeout = self.timeout_seconds + (EMULATOR_MARGIN_SECONDS if endpoint.one_at_a_time else 0)
        with anyio.move_on_after(CONNECT_SECONDS) as connecting:
            try:
                return await self._exchange(endpoint, request, _Connecting(connecting, patience, timeout))
            except (aiohttp.ClientError, OSError) as error:
                if request.passed_on:
                    return error_documents.truncated()
                return InfrastructureError(f"{endpoint.url}: {_described(error)}")
        return InfrastructureError(f"{endpoint.url}: no connection within {CONNECT_SECONDS:g} s")

    async def _exchange(self, endpoint: Endpoint, request: _Request, trace: _Connecting) -> Result:
        async with self._session.post(
            endpoint.url,
            data=request.event,
            headers=request.headers(),
            allow_redirects=False,
            trace_request_ctx=trace,
        ) as response:
            chunks = response.content.iter_chunked(CHUNK_BYTES)
            if request.passing is not None and not endpoint.one_at_a_time and _streams(response):
                request.passing.begin(response.headers.get("Content-Type"))
                return await request.passing.pass_on(chunks)
            body = await read_bounded(chunks)
            if body is None:
                response.close()
                return error_documents.response_too_large()
            reply = Reply(response.status, response.reason or "", response.headers.get("Retry-After"), body)
            now = service_time(response.headers.get("Date"), time.time())
            return result_of(reply, endpoint.one_at_a_time, request.request_id, now)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked, and where a reply may be passed on while it comes."""

    event: bytes
    request_id: str
    call: Call
    passing: Passing | None

    @property
    def passed_on(self) -> bool:
        """Whether the reply goes there."""
        return self.passing is not None and self.passing.begun

    def headers(self) -> dict[str, str]:
        """Its own, beside the function's."""
        headers = {"X-Amzn-RequestId": self.request_id}
        if self.call.client_context is not None:
            headers["X-Amz-Client-Context"] = encoded_context(self.call.client_context)
        return headers


def _streams(response: aiohttp.ClientResponse) -> bool:
    """A success whose length is not known when it begins."""
    return 200 <= response.status < 300 and "chunked" in response.headers.get("Transfer-Encoding", "").lower()


class _Connecting:
    """Ends one deadline and starts another when a request has its connection, new or used before."""

    def __init__(self, connecting: anyio.CancelScope, patience: anyio.CancelScope, timeout_seconds: float) -> None:
        self._connecting = connecting
        self._patience = patience
        self._timeout_seconds = timeout_seconds

    def done(self) -> None:
        """There is a connection."""
        self._connecting.deadline = float("inf")
        self._patience.deadline = anyio.current_time() + self._timeout_seconds


def _connection_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: object) -> None:
        context.trace_request_ctx.done()

    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


def _described(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def tls_context(function_name: str, tls: models.Tls) -> ssl.SSLContext | bool:
    """What aiohttp takes for ``ssl``. Raises :class:`FunctionUnusable` for files that do not hold what they should."""
    if tls.verify and tls.ca_file is None and tls.cert_file is None:
        return True
    try:
        context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise FunctionUnusable(f"function {function_name}: tls.ca_file: {tls.ca_file}: {error}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file is not None:
        try:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        except (OSError, ssl.SSLError) as error:
            raise FunctionUnusable(f"function {function_name}: tls.cert_file: {tls.cert_file}: {error}") from error
    return context
