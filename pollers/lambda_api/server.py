"""The server of Lambda's API and of function URLs, with limits of its own."""

from __future__ import annotations

import asyncio
import logging
import resource
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from aiohttp import hdrs, web
from multidict import CIMultiDict

from handlers.errors import ReaderGone
from pollers.lambda_api.bodies import Bodies
from pollers.lambda_api.errors import CALLER_REASON, ApiError, service_error, throttled
from pollers.lambda_api.http import Server
from pollers.lambda_api.incoming import PIECE_BYTES, CutShort, Incoming, Outgoing
from pollers.lambda_api.operations import JSON
from pollers.listening import Bounded, Connections, Listening, Reserve, url_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pollers.lambda_api.operations import Reply

log = structlog.stdlib.get_logger(__name__)
_LEVELS = logging.getLogger(__name__)

CONNECTIONS_AT_MOST = 1024
DESCRIPTORS_SHARE = 4
"""At most one file descriptor in so many is a connection's: sources and workers need the others."""
REQUESTS_AT_ONCE = 768
"""Fewer than connections, so that one request too many is answered and not cut off."""
KEEPALIVE_SECONDS = 50.0
"""How long an idle connection is kept; less than the time to read an answer (:mod:`pollers.listening`), which runs from its end."""
HEAD_LIMIT_BYTES = 16 * 1024
"""Of the request's line, and of one header: a presigned URL with a session token takes 2 KB, a client context 4 KB."""
HEADERS_AT_MOST = 128
HEADS_LIMIT_BYTES = 64 * 1024
"""Of a whole head."""
GOODBYE_SECONDS = 0.1
"""How long connections may take to close at the end."""
MALFORMED_LOGGER = "headrace.lambda_api.malformed"


class ApiServer:
    """Answers requests by ``answer``. ``new_id`` makes the ids of requests; ``answered`` is told operation and status of each.

    A request runs on when its client goes away: what it asked for is done all the same (docs/lambda 11.7).
    """

    def __init__(
        self,
        answer: Callable[[Incoming], Awaitable[Reply | Outgoing]],
        new_id: Callable[[], str],
        answered: Callable[[str, int], None],
        host: str,
        port: int,
    ) -> None:
        self._answer = answer
        self._new_id = new_id
        self._told = answered
        self._host = host
        self._port = port
        self._connections = Connections(_connections_at_most(), HEADS_LIMIT_BYTES)
        self._tasks: set[asyncio.Task[Any] | None] = set()
        self._idle = anyio.Event()
        self._stopping = False
        self._listening: Listening | None = None
        self._inner: Server | None = None
        self.bodies = Bodies()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen until left; gives the URL. Clients wait until :meth:`accept`. Raises OSError when the address is not available."""
        inner = self._inner = self._make_inner()
        reserve = Reserve()
        self._connections.ended = reserve.refill
        listening = self._listening = Listening(lambda: Bounded(inner(), self._connections), reserve)
        try:
            yield url_of(*await listening.listen(self._host, self._port))
        finally:
            self.stop()
            reserve.close()
            with anyio.CancelScope(shield=True):
                await inner.shutdown(GOODBYE_SECONDS)

    def _make_inner(self) -> Server:
        # aiohttp would log every client that goes away: nobody may fill our log.
        malformed = logging.getLogger(MALFORMED_LOGGER)
        malformed.disabled = True
        return Server(
            self._handle,
            access_log=None,
            logger=malformed,
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_line_size=HEAD_LIMIT_BYTES,
            max_field_size=HEAD_LIMIT_BYTES,
            max_headers=HEADERS_AT_MOST,
            auto_decompress=False,
        )

    def accept(self) -> None:
        """Answer requests from now on."""
        if self._listening is not None and not self._stopping:
            self._listening.accept()

    def stop(self) -> None:
        """Accept nothing more, and close the connections that are idle. What runs is answered, and its connection closed then."""
        self._stopping = True
        if self._listening is not None:
            self._listening.close()
        if self._inner is not None:
            # It ends those connections only when they have answered; those that wait for a request would stay open.
            self._inner.pre_shutdown()
            self._connections.close_idle()
        self._tell_idle()

    async def until_idle(self) -> None:
        """Wait until :meth:`stop` was called and no request is under way."""
        await self._idle.wait()

    def cancel(self) -> None:
        """Break off every request that is under way."""
        for task in self._tasks:
            if task is not None:
                task.cancel()

    @property
    def requests(self) -> int:
        """How many requests are under way."""
        return len(self._tasks)

    def _tell_idle(self) -> None:
        if self._stopping and not self._tasks:
            self._idle.set()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        self._tasks.add(task)
        connection = self._connections.of(request.transport)
        if connection is not None:
            connection.begun()
        incoming = Incoming(request, self._new_id(), self.bodies, connection)
        try:
            return await self._send(incoming, await self._answered(incoming))
        except ReaderGone as gone:
            # What it asked for was done. Nothing is raised into aiohttp: its task would keep the exception, whose frames keep the
            # task, until the collector comes. It finds the connection closed when it sends this.
            _close(request.transport, at_once=not isinstance(gone, CutShort))
            return web.Response()
        finally:
            incoming.release()
            if connection is not None:
                connection.ended(rest=not request.content.is_eof())
            self._tasks.discard(task)
            self._tell_idle()

    async def _answered(self, incoming: Incoming) -> Reply | Outgoing | ApiError:
        try:
            if len(self._tasks) - self.bodies.arriving > REQUESTS_AT_ONCE:
                raise throttled(CALLER_REASON, 1)
            return await self._answer(incoming)
        except ApiError as error:
            # Its frames, and those of what it comes of, hold the body, which is not counted any more while this is sent.
            error.__context__ = error.__cause__ = None
            return error.with_traceback(None)
        except ReaderGone:
            raise
        except Exception as fault:
            log.error(
                "a request failed by a fault of ours",
                operation=incoming.operation,
                request_id=incoming.request_id,
                exc_info=fault,
            )
            if incoming.begun:
                # A second head would be taken for a part of the body. A body without its end is noticed by every client.
                raise CutShort("the answer cannot be finished") from fault
            return service_error("an error of Headrace, which is in its log")

    def _note(self, incoming: Incoming, status: int) -> None:
        self._told(incoming.operation, status)
        # The logger itself would take longer to find out that nobody wants the line.
        if _LEVELS.isEnabledFor(logging.DEBUG):
            log.debug("call", operation=incoming.operation, status=status, request_id=incoming.request_id)

    async def _send(self, incoming: Incoming, answer: Reply | Outgoing | ApiError) -> web.StreamResponse:
        if isinstance(answer, Outgoing):
            self._note(incoming, answer.response.status)
            return answer.response
        self._note(incoming, answer.status)
        headers: CIMultiDict[str] = CIMultiDict(answer.headers)
        headers["x-amzn-RequestId"] = incoming.request_id
        if isinstance(answer, ApiError):
            headers["x-amzn-ErrorType"] = answer.error_type
            headers[hdrs.CONTENT_TYPE] = JSON
            body = answer.body()
        else:
            body = answer.body
            if answer.content_type is not None:
                headers[hdrs.CONTENT_TYPE] = answer.content_type
        if self._stopping:
            headers[hdrs.CONNECTION] = "close"
        incoming.release()
        if len(body) > PIECE_BYTES and incoming.method != hdrs.METH_HEAD:
            return (await incoming.send(answer.status, headers, body)).response
        return web.Response(status=answer.status, headers=headers, body=body or None)


def _close(transport: asyncio.Transport | None, *, at_once: bool) -> None:
    """Close a connection, ``at_once`` or when its client has read what was written; neither ends the answer that is under way."""
    if transport is None:
        return
    if at_once:
        transport.abort()
    else:
        transport.close()


def _connections_at_most() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        CONNECTIONS_AT_MOST if limit == resource.RLIM_INFINITY else min(CONNECTIONS_AT_MOST, limit // DESCRIPTORS_SHARE)
    )
