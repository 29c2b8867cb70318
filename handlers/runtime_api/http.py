"""As much of an HTTP/1.1 server as clients of Lambda's Runtime API need, bounded everywhere.

Written for this one job: AWS's answers byte for byte, a body that is too large read to its end so that its client sees the
413, strangers refused before they say anything, a listening socket a worker at no cost, and two requests an invocation a
little cheaper than through aiohttp. The parser does no I/O; the connection around it is an asyncio protocol.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol, cast

HEAD_LIMIT_BYTES = 2 * 1024 * 1024
"""Clients put an X-Ray error cause of up to 1 MiB into one header (docs/lambda 8.4)."""

DISCARD_LIMIT_BYTES = 64 * 1024 * 1024
"""How much of a body that is too large is read, and thrown away, before the connection is closed instead."""

REQUEST_SECONDS = 60.0
"""How long a request may take from its first byte to its last."""

CONNECTION_LIMIT = 64
"""Open connections of one worker; one more takes another's place."""

_PIPELINE_LIMIT = 16
_JOIN_LIMIT_BYTES = 256 * 1024


class BadRequest(Exception):  # noqa: N818 - named for the status that it becomes
    """The bytes that came are no request that is served. The connection is closed after the answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Request:
    """One request. ``body`` is empty if the body was larger than the limit: ``body_size`` says how large it was."""

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool
    body: bytes = b""
    body_size: int = 0
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """One response; a body is always JSON but for a plain text ``content_type``."""

    status: HTTPStatus
    body: bytes
    content_type: bytes = b"application/json"

    def encode(self, *, keep_alive: bool) -> bytes:
        """The bytes on the wire."""
        return b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
            self.status.value,
            self.status.phrase.encode(),
            self.content_type,
            len(self.body),
            b"" if keep_alive else b"Connection: close\r\n",
            self.body,
        )


@dataclass(slots=True)
class _Body:
    """The part of a request's body that has come so far."""

    limit: int
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= self.limit:
            self.parts.append(data)
        else:
            self.parts.clear()
            if self.size > DISCARD_LIMIT_BYTES:
                raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")


class RequestParser:
    """Makes requests of bytes, however they are cut into pieces."""

    def __init__(self, body_limit_bytes: int) -> None:
        self._limit = body_limit_bytes
        self._buffer = b""
        self._request: Request | None = None
        self._body = _Body(body_limit_bytes)
        self._remaining = 0  # bytes still to come of the body, or of the chunk; -1: no chunk is open
        self._chunked = False
        self._in_trailers = False
        self._scanned = 0
        self.wants_continue = False
        """The head of a request with ``Expect: 100-continue`` has come; its client waits to be told to go on."""

    @property
    def in_request(self) -> bool:
        """A request has begun and not ended."""
        return self._request is not None or bool(self._buffer)

    def feed(self, data: bytes) -> list[Request]:
        """Take what came; return the requests that are complete now.

        Raises:
            BadRequest: for bytes that are no HTTP/1.x request, or too many of them.
        """
        self._buffer = self._buffer + data if self._buffer else data
        done: list[Request] = []
        while self._buffer or self._request is not None:
            if self._request is None and not self._read_head():
                break
            if not self._read_body():
                break
            assert self._request is not None  # noqa: S101 - _read_head has just made it
            done.append(self._finish(self._request))
        return done

    def _finish(self, request: Request) -> Request:
        request.body_size = self._body.size
        request.too_large = self._body.size > self._limit
        if not request.too_large:
            parts = self._body.parts
            request.body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._request = None
        self.wants_continue = False
        self._body = _Body(self._limit)
        return request

    def _read_head(self) -> bool:
        if self._buffer.startswith(b"\r\n"):  # a line left over from the request before (RFC 9112, 2.2)
            self._buffer = self._buffer.lstrip(b"\r\n")
            if not self._buffer:
                return False
        end = self._buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned > HEAD_LIMIT_BYTES:
                raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large")
            return False
        head, self._buffer, self._scanned = self._buffer[:end], self._buffer[end + 4 :], 0
        if end > HEAD_LIMIT_BYTES:
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large")
        self._request = _parse_head(head)
        self._prepare_body(self._request.headers)
        return True

    def _prepare_body(self, headers: dict[bytes, bytes]) -> None:
        self._chunked = self._in_trailers = False
        self._remaining = 0
        if b"transfer-encoding" in headers:
            if headers[b"transfer-encoding"].lower() != b"chunked" or b"content-length" in headers:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "unsupported transfer coding")
            self._chunked, self._remaining = True, -1
        elif b"content-length" in headers:
            length = headers[b"content-length"]
            if not length.isdigit() or len(length) > 18:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "invalid Content-Length")
            self._remaining = int(length)
        waits = headers.get(b"expect", b"").lower() == b"100-continue"
        self.wants_continue = waits and self._remaining != 0 and not self._buffer

    def _read_body(self) -> bool:
        if self._chunked:
            return self._read_chunks()
        if self._remaining > DISCARD_LIMIT_BYTES:
            # Not read at all: the request is complete with the size that it announced, and its connection is closed.
            assert self._request is not None  # noqa: S101 - only called with a request
            self._request.keep_alive = False
            self._body.size, self._buffer, self._remaining = self._remaining, b"", 0
            return True
        return self._read_remaining()

    def _read_remaining(self) -> bool:
        if self._remaining and self._buffer:
            part = self._buffer if len(self._buffer) <= self._remaining else self._buffer[: self._remaining]
            self._buffer = self._buffer[len(part) :]
            self._remaining -= len(part)
            self._body.add(part)
        return self._remaining == 0

    def _read_chunks(self) -> bool:
        while True:
            if self._remaining > 0 and not self._read_remaining():
                return False
            line = self._read_line()
            if line is None:
                return False
            if self._in_trailers:
                if not line:
                    return True
            elif self._remaining == 0:
                if line:
                    raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed chunk")
                self._remaining = -1
            else:
                self._remaining = _chunk_size(line)
                self._in_trailers = self._remaining == 0

    def _read_line(self) -> bytes | None:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            if len(line) > HEAD_LIMIT_BYTES:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed chunk")
            return None
        self._buffer = rest
        return line


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed chunk")
    return int(digits, 16)


def _parse_head(head: bytes) -> Request:
    first, *lines = head.split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or not parts[0].isalpha() or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "not an HTTP/1.1 request")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name or name != name.strip():
            raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed header")
        value = value.strip()
        if name == b"content-length" and headers.get(name, value) != value:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "two different Content-Length headers")
        headers[name] = value
    wish = headers.get(b"connection", b"").lower()
    keep_alive = wish == b"keep-alive" if parts[2] == b"HTTP/1.0" else wish != b"close"
    return Request(parts[0], parts[1], headers, keep_alive)


class Application(Protocol):
    """What serves the requests of a worker's connections."""

    def handle(self, request: Request, connection: Connection) -> Response | None:
        """Answer at once, or return None and call :meth:`Connection.answer` later."""

    def allows(self, connection: Connection) -> bool:
        """Whether whoever connected may speak at all."""

    def closed(self, connection: Connection) -> None:
        """The connection is gone; a request of its that waits will not be answered."""


class Connection(asyncio.Protocol):
    """One client's connection: its requests are answered one after another."""

    def __init__(self, application: Application, body_limit_bytes: int, open_connections: set[Connection]) -> None:
        self._application = application
        self._parser = RequestParser(body_limit_bytes)
        self._open = open_connections
        self._transport: asyncio.Transport | None = None
        self._queue: deque[Request] = deque()
        self._pending: Request | None = None
        self._timer: asyncio.TimerHandle | None = None

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
            self._queue.extend(self._parser.feed(data))
            if len(self._queue) > _PIPELINE_LIMIT:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "too many requests at once")
        except BadRequest as error:
            self._refuse(error)
            return
        if self._parser.wants_continue:
            self._parser.wants_continue = False
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._watch_for_slowness()
        self._serve()

    def eof_received(self) -> bool:
        """A client that closes its side has gone: nobody shuts half a connection here and waits."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        self._open.discard(self)
        self._queue.clear()
        self._pending = None
        self._transport = None
        self._application.closed(self)

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
            if response is not None:
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

    def _watch_for_slowness(self) -> None:
        if not self._parser.in_request:
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
