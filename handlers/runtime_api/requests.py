"""Makes the requests of a Runtime API's client of bytes, however they are cut into pieces; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from handlers.http1 import (
    Body,
    BodyTooLong,
    ChunkedBody,
    HeadReader,
    HeadTooLong,
    KeptBody,
    Malformed,
    check_breaks,
    framing,
    joined,
    stays_open,
)
from handlers.runtime_api.incoming import Incoming

HEAD_LIMIT_BYTES = 2 * 1024 * 1024
"""Clients put an X-Ray error cause of up to 1 MiB into one header (docs/lambda 8.4)."""

DISCARD_LIMIT_BYTES = 64 * 1024 * 1024
"""How much of a body that is too large is read, and thrown away, before the connection is closed instead."""

RESPONSE_MODE_HEADER = b"lambda-runtime-function-response-mode"

_DECISIVE = frozenset({b"transfer-encoding", b"content-length", b"connection"})
"""Headers that say how to read on: all of their values count. Of others the last one does."""


class BadRequest(Exception):  # noqa: N818 - named for the status that it becomes
    """The bytes that came are no request that is served. The connection is closed after the answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Request:
    """One request. ``body`` is empty if the body was larger than the limit: ``body_size`` says how large it was.

    ``incoming`` is the body of a response that is streamed (docs/lambda 8.6): such a request is given as soon as its head is
    whole, and its body comes while it is served.
    """

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool
    body: bytes = b""
    body_size: int = 0
    too_large: bool = False
    incoming: Incoming | None = None


class RequestReader:
    """Fed with bytes; gives the requests that are whole."""

    def __init__(self, body_limit_bytes: int) -> None:
        """A longer body is read to its end, up to :data:`DISCARD_LIMIT_BYTES`, and not kept."""
        self._limit = body_limit_bytes
        self._head = HeadReader(HEAD_LIMIT_BYTES)
        self._request: Request | None = None
        self._body: KeptBody | None = None
        self.incoming: Incoming | None = None
        """The body that comes now, of a request that has been given already."""
        self._chunks: ChunkedBody | None = None
        self._missing = 0  # bytes still to come of a body of announced length
        self._parts: list[bytes] = []  # what has come of it
        self.wants_continue = False
        """The head of a request with ``Expect: 100-continue`` has come; its client waits to be told to go on."""

    @property
    def in_request(self) -> bool:
        """A request has begun and not ended."""
        return self._request is not None or self._head.begun

    def cut(self) -> None:
        """Nothing more will come."""
        if self.incoming is not None:
            self.incoming.cut()

    def feed(self, data: bytes) -> list[Request]:
        """Take what came; return the requests that are complete now, or whose bodies are handed on as they come.

        Raises:
            BadRequest: for bytes that are no HTTP/1.x request, or too many of them.
        """
        done: list[Request] = []
        try:
            while data:
                rest = self._read(data, done)
                if rest is None:
                    break
                if self.incoming is not None:
                    self._finish_incoming(self.incoming)
                elif self._request is not None:
                    done.append(self._finish(self._request))
                data = rest
        except HeadTooLong as error:
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, str(error)) from error
        except BodyTooLong as error:
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from error
        except Malformed as error:
            raise BadRequest(HTTPStatus.BAD_REQUEST, str(error)) from error
        return done

    def _read(self, data: bytes, done: list[Request]) -> bytes | None:
        """Read up to the end of a request, and return what came after it; None if that is not there yet."""
        if self._request is None:
            if not self._head.begun and data.startswith(b"\r\n"):
                data = data.lstrip(b"\r\n")  # lines left over from the request before (RFC 9112, 2.2)
            found = self._head.feed(data)
            if found is None:
                return None
            head, data = found
            head = head.lstrip(b"\r\n")
            if not head:
                return data
            self._request = self._begin(head, data)
            if self.incoming is not None:
                done.append(self._request)
        if self._chunks is not None:
            return self._chunks.feed(data)
        return self._read_measured(self._request, data)

    def _begin(self, head: bytes, rest: bytes) -> Request:
        request, length, chunked = _parse_head(head)
        self._missing = request.body_size = length or 0
        if RESPONSE_MODE_HEADER in request.headers and _streams(request):
            request.incoming = self.incoming = Incoming()
        if chunked:
            body: Body
            if self.incoming is None:
                body = self._body = KeptBody(self._limit, DISCARD_LIMIT_BYTES)
            else:
                body = self.incoming
            self._chunks = ChunkedBody(body, HEAD_LIMIT_BYTES)
        if not rest and (chunked or length):
            self.wants_continue = request.headers.get(b"expect", b"").lower() == b"100-continue"
        return request

    def _read_measured(self, request: Request, data: bytes) -> bytes | None:
        if self.incoming is not None:
            part = data[: self._missing]
            self._missing -= len(part)
            self.incoming.add(part)
            return None if self._missing else data[len(part) :]
        if self._missing > DISCARD_LIMIT_BYTES:
            # Not read at all: the request is complete with the size that it announced, and its connection is closed.
            request.keep_alive = False
            return b""
        part = data[: self._missing]
        self._missing -= len(part)
        if request.body_size <= self._limit:
            self._parts.append(part)
        return None if self._missing else data[len(part) :]

    def _finish(self, request: Request) -> Request:
        if self._body is not None:
            request.body_size, request.body = self._body.size, bytes(self._body.kept)
        elif self._parts:
            request.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
        request.too_large = request.body_size > self._limit
        self._request = self._body = self._chunks = None
        self.wants_continue = False
        return request

    def _finish_incoming(self, incoming: Incoming) -> None:
        """Its request was given when it began."""
        chunks = self._chunks
        self._request = self.incoming = self._chunks = None
        self.wants_continue = False
        # Last, since it may be answered by this, and then the next request is served.
        incoming.finish(chunks.trailers if chunks is not None else ())


def _streams(request: Request) -> bool:
    """Whether its body is a response that is streamed."""
    return request.headers[RESPONSE_MODE_HEADER].lower() == b"streaming" and request.path.endswith(b"/response")


def _parse_head(head: bytes) -> tuple[Request, int | None, bool]:
    """The request, the length of its body, and whether that comes in chunks."""
    first, *lines = head.split(b"\r\n")
    check_breaks(head, len(lines))
    parts = first.split(b" ")
    if len(parts) != 3 or not parts[0].isalpha() or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Malformed("not an HTTP/1.1 request")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        # A blank before the name would continue the line before, and one after it would hide it from some readers.
        if not colon or not name or name != name.strip():
            raise Malformed("malformed header")
        name, value = name.lower(), value.strip()
        if name in headers and name in _DECISIVE:
            value = joined((headers[name], value))
        headers[name] = value
    coding, wish = headers.get(b"transfer-encoding"), headers.get(b"connection")
    length, chunked = framing(coding.lower() if coding is not None else None, headers.get(b"content-length"))
    keep_alive = stays_open(wish.lower() if wish else None, version_1_1=parts[2] == b"HTTP/1.1")
    return Request(parts[0], parts[1], headers, keep_alive), length, chunked
