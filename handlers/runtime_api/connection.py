"""A client's connection to a worker's Runtime API: an asyncio protocol, bounded everywhere.

Written for this one job: AWS's answers byte for byte, a body that is too large read to its end so that its client sees the
413, strangers refused before they say anything, a listening socket a worker at no cost, and two requests an invocation a
little cheaper than through aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, cast

from handlers.runtime_api.requests import BadRequest, RequestReader
from handlers.runtime_api.responses import Response

if TYPE_CHECKING:
    from handlers.runtime_api.incoming import Incoming
    from handlers.runtime_api.requests import Request

REQUEST_SECONDS = 60.0
"""How long a request may take from its first byte to its last."""

CONNECTION_LIMIT = 64
"""Open connections of one worker; one more takes another's place."""

_PIPELINE_LIMIT = 16
_JOIN_LIMIT_BYTES = 256 * 1024
_TCP_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only


class Application(Protocol):
    """What serves the requests of a worker's connections."""

    def handle(self, request: Request, connection: Connection) -> Response | None:
        """Answer at once, or return None and call :meth:`Connection.answer` or :meth:`Connection.respond` later."""

    def allows(self, connection: Connection) -> bool:
        """Whether whoever connected may speak at all."""

    def closed(self, connection: Connection) -> None:
        """The connection is gone; a request of its that waits will not be answered."""


class Connection(asyncio.Protocol):
    """One client's connection: its requests are answered one after another."""

    def __init__(self, application: Application, body_limit_bytes: int, open_connections: set[Connection]) -> None:
        self._application = application
        self._reader = RequestReader(body_limit_bytes)
        self._open = open_connections
        self._transport: asyncio.Transport | None = None
        self._queue: deque[Request] = deque()
        self._pending: Request | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self.gone = asyncio.Event()

    @property
    def usable(self) -> bool:
        """Whether an answer can still be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def peer(self) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
        """The client's address and ours; None where it is gone already."""
        if self._transport is None:
            return None, None
        return self._transport.get_extra_info("peername"), self._transport.get_extra_info("sockname")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from asyncio's
        # Strangers take no room among the open connections: they could crowd out the worker's own.
        if self._application.allows(self):
            while len(self._open) >= CONNECTION_LIMIT:
                self._open.pop().abort()
            self._open.add(self)
        else:
            body = b'{"errorMessage":"This Runtime API belongs to another worker","errorType":"Forbidden"}'
            self._transport.write(Response(HTTPStatus.FORBIDDEN, body).encode(keep_alive=False))
            transport.close()

    def data_received(self, data: bytes) -> None:
        if not self.usable:
            return
        try:
            for request in self._reader.feed(data):
                if request.incoming is not None:
                    request.incoming.taken = self._read_on
                self._queue.append(request)
            if len(self._queue) > _PIPELINE_LIMIT:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "too many requests at once")
        except BadRequest as error:
            self._refuse(error)
            return
        if self._reader.wants_continue:
            self._reader.wants_continue = False
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._serve()
        self._watch_for_slowness()
        if self._reader.incoming is not None:
            self._hold_back(self._reader.incoming)
            self._acknowledge_at_once()

    def eof_received(self) -> bool:
        """A client that closes its side has gone: nobody shuts half a connection here and waits."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        self._open.discard(self)
        self._queue.clear()
        self._pending = None
        self._transport = None
        self._reader.cut()
        self._application.closed(self)
        self.gone.set()

    def answer(self, head: bytes, body: bytes) -> None:
        """Answer the request that waits with bytes that are already encoded."""
        pending, self._pending = self._pending, None
        if len(body) <= _JOIN_LIMIT_BYTES:
            self._write(head + body)
        else:
            self._write(head)
            self._write(body)
        self._after_answer(pending)
        self._serve()

    def respond(self, response: Response) -> None:
        """Answer the request that waits, when its body has come to its end; what still comes of it is thrown away."""
        pending = self._pending
        incoming = pending.incoming if pending is not None else None
        if incoming is not None and not incoming.ended:
            incoming.refuse(lambda: self.respond(response))
            return
        self._pending = None
        self._write(response.encode(keep_alive=pending is not None and pending.keep_alive))
        self._after_answer(pending)
        self._serve()

    def refuse_pending(self, response: Response) -> None:
        """Answer the request that waits with an error and close."""
        self._pending = None
        self._write(response.encode(keep_alive=False))
        self.close()

    def close(self) -> None:
        """Close once what was written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _serve(self) -> None:
        while self._queue and self._pending is None and self.usable:
            request = self._queue.popleft()
            self._pending = request
            response = self._application.handle(request, self)
            if response is not None and request.incoming is not None:
                self.respond(response)
            elif response is not None:
                self._pending = None
                self._write(response.encode(keep_alive=request.keep_alive))
                self._after_answer(request)

    def _after_answer(self, request: Request | None) -> None:
        if request is not None and not request.keep_alive:
            self.close()

    def _refuse(self, error: BadRequest) -> None:
        body = b'{"errorMessage":"%s","errorType":"InvalidRequest"}' % error.message.encode()
        self._write(Response(error.status, body).encode(keep_alive=False))
        self.close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _hold_back(self, incoming: Incoming) -> None:
        """Let the client wait while nobody takes what it streams."""
        if incoming.full and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _acknowledge_at_once(self) -> None:
        """Keep no acknowledgement back: many clients send their next small piece only when they have it, 40 ms later by default.

        The kernel forgets it again, so it is asked for each time.
        """
        if _TCP_QUICKACK is None or self._transport is None:
            return
        opened = self._transport.get_extra_info("socket")
        if opened is not None:
            with contextlib.suppress(OSError):  # the connection is going
                opened.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)

    def _read_on(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def _watch_for_slowness(self) -> None:
        # A response that is streamed may take as long as its invocation.
        incoming = self._reader.incoming
        if not self._reader.in_request or (incoming is not None and not incoming.refused):
            self._stop_watching()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self._too_slow)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self._refuse(BadRequest(HTTPStatus.REQUEST_TIMEOUT, "the request did not come to its end in time"))
