"""One request as it comes in, with bounds on its body, and the answer that goes out while the function still writes it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.web_protocol import RequestPayloadError
from multidict import CIMultiDict

from handlers.errors import ReaderGone
from pollers.lambda_api.bodies import ORDINARY_LIMIT_BYTES
from pollers.lambda_api.errors import CALLER_REASON, ApiError, malformed, throttled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping

    from multidict import CIMultiDictProxy

    from pollers.lambda_api.bodies import Bodies
    from pollers.listening import Bounded

BODY_SECONDS = 60.0
"""How long a body may take to arrive: 6 MB in that time are 100 KB a second."""
LARGE_BODY_SECONDS = 300.0
"""The same of a body that is longer than ordinary ones: 70 MB in that time are 240 KB a second."""
TURN_SECONDS = 60.0
"""How long a request with such a body waits for its turn."""
READING_SECONDS = 60.0
"""How long a client may take to make room for a piece of an answer."""
SLOWEST_BYTES_A_SECOND = 100_000
"""How fast a client has to read a whole answer, after that time."""
PIECE_BYTES = 64 * 1024
"""Longer answers are written piece by piece, so that a client that reads slowly is noticed."""


class BodyTooLong(Exception):  # noqa: N818 - named for what came
    """A body is longer than its operation takes. ``announced``: its length, if the client has said it."""

    def __init__(self, limit_bytes: int, announced: int | None) -> None:
        super().__init__(f"a body of more than {limit_bytes} bytes")
        self.announced = announced


class CutShort(ReaderGone):
    """The client is there, but its answer cannot be finished; what it has got of it is all that there is."""


class Incoming:
    """A request. ``request_id`` is made by us, and goes to the function and back to the client (docs/lambda 11.4).

    ``operation`` is set by whoever knows it. ``begun``: a part of the answer has been sent already.
    """

    def __init__(self, request: web.BaseRequest, request_id: str, bodies: Bodies, connection: Bounded | None) -> None:
        self._request = request
        self._connection = connection
        self._bodies = bodies
        self._held_bytes = 0
        self._has_turn = False
        self.begun = False
        self.operation = ""
        self.request_id = request_id
        self.method = request.method
        self.headers: CIMultiDictProxy[str] = request.headers
        # As the client sent them: decoding is for whoever knows where a segment ends.
        self.raw_path, _, self.raw_query = request.raw_path.partition("?")

    @property
    def host(self) -> str:
        """The header ``Host`` in small letters, with its port if it has one; empty without one."""
        return self.headers.get(hdrs.HOST, "").lower()

    @cached_property
    def repeated_headers(self) -> list[tuple[str, str]]:
        """Every header in the order that they came, names in small letters, values as sent without the blanks around them."""
        return [
            (name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape").strip(" \t"))
            for name, value in self._request.raw_headers
        ]

    @property
    def peer(self) -> str:
        """The address of whoever has connected, without the port; empty if it is gone."""
        transport = self._request.transport
        found = transport.get_extra_info("peername") if transport is not None else None
        return str(found[0]) if found else ""

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Every header in the order that they came, as bytes."""
        return self._request.raw_headers

    @property
    def port(self) -> int:
        """The port that the client has connected to; 0 if it is gone."""
        transport = self._request.transport
        found = transport.get_extra_info("sockname") if transport is not None else None
        return int(found[1]) if found else 0

    @property
    def http_version(self) -> str:
        """Such as ``HTTP/1.1``."""
        major, minor = self._request.version
        return f"HTTP/{major}.{minor}"

    async def read(self, limit_bytes: int) -> bytes:
        """The body.

        Never more than ``limit_bytes`` of it are held. Raises BodyTooLong beyond, and ApiError when it does not come in time, is
        broken, or too many bytes are held already; the rest of it is read and dropped by the server then. Raises ReaderGone when
        the client went away while it waited for a word.
        """
        content = self._request.content
        length = self._request.content_length
        if length is not None and length > limit_bytes:
            raise BodyTooLong(limit_bytes, length)
        if limit_bytes > ORDINARY_LIMIT_BYTES and (length is None or length > ORDINARY_LIMIT_BYTES):
            await self._take_turn()
        await self._invite()
        if content.is_eof():
            # The usual case: it came with the head.
            body: bytes = content.read_nowait()
            self._hold(len(body))
            if len(body) > limit_bytes:
                raise BodyTooLong(limit_bytes, None)
            return body
        seconds = LARGE_BODY_SECONDS if self._has_turn else BODY_SECONDS
        try:
            async with asyncio.timeout(seconds):
                with self._arriving(seconds):
                    return await self._read_slowly(limit_bytes)
        except TimeoutError:
            raise ApiError(408, "RequestTimeoutException", f"the body did not arrive within {seconds:.0f} s") from None
        except (RequestPayloadError, ConnectionError) as broken:
            # The body's reader keeps the exception, whose frames keep the reader and all that it holds. The collector comes seldom
            # (pollers/aws/wire/collector.py), so a hundred kilobytes for each client that goes away would add up.
            broken.__traceback__ = None
            raise malformed(f"its body is broken: {broken}") from None

    async def _read_slowly(self, limit_bytes: int) -> bytes:
        # One array and not a list of parts: parts of a byte or two would take many times their size.
        kept = bytearray()
        async for part in self._request.content.iter_any():
            if len(kept) + len(part) > limit_bytes:
                raise BodyTooLong(limit_bytes, None)
            self._hold(len(part), arriving=True)
            kept += part
        return bytes(kept)

    @contextmanager
    def _arriving(self, seconds: float) -> Iterator[None]:
        """While the body arrives, the connection is none of those that work."""
        self._bodies.arriving += 1
        if self._connection is not None:
            self._connection.arriving(2 * seconds)  # the timeout comes first, and is answered
        try:
            yield
        finally:
            self._bodies.arriving -= 1
            if self._connection is not None:
                self._connection.begun()

    async def _take_turn(self) -> None:
        """Wait until no other request has such a body. Nothing of this one is read meanwhile. Raises ApiError."""
        try:
            async with asyncio.timeout(TURN_SECONDS):
                with self._arriving(TURN_SECONDS):
                    await self._bodies.large.acquire()
        except TimeoutError:
            raise throttled(CALLER_REASON, 1) from None
        self._has_turn = True

    def _hold(self, count: int, *, arriving: bool = False) -> None:
        if self._has_turn:
            return
        if not self._bodies.take(count, arriving=arriving):
            raise throttled(CALLER_REASON, 1)
        self._held_bytes += count

    async def _invite(self) -> None:
        """Answer a client that waits for a word before it sends its body (RFC 9110, 10.1.1). Raises ReaderGone."""
        if self._request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and (
            self._request.version >= HttpVersion11
        ):
            writer = self._request.writer
            try:
                await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            except ConnectionError as gone:
                raise ReaderGone("the client has gone") from gone
            writer.output_size = 0

    def release(self) -> None:
        """What was held of its body is held no longer."""
        self._bodies.give(self._held_bytes)
        self._held_bytes = 0
        if self._has_turn:
            self._has_turn = False
            self._bodies.large.release()

    async def begin(self, status: int, headers: Mapping[str, str], content_type: str | None) -> Outgoing:
        """Send the head of an answer whose body comes piece by piece. Raises ReaderGone."""
        head = CIMultiDict(headers)
        if content_type is not None:
            head[hdrs.CONTENT_TYPE] = content_type
        head["x-amzn-RequestId"] = self.request_id
        return await self._begin(web.StreamResponse(status=status, headers=head))

    async def send(self, status: int, headers: CIMultiDict[str], body: bytes) -> Outgoing:
        """Send a long answer piece by piece. Raises ReaderGone."""
        headers[hdrs.CONTENT_LENGTH] = str(len(body))
        async with self.sending(len(body)):
            outgoing = await self._begin(web.StreamResponse(status=status, headers=headers))
            whole = memoryview(body)
            for start in range(0, len(body), PIECE_BYTES):
                await outgoing.write(whole[start : start + PIECE_BYTES])
            await outgoing.end()
            return outgoing

    @asynccontextmanager
    async def sending(self, count: int) -> AsyncIterator[None]:
        """While an answer of so many bytes is sent, which are held meanwhile. Raises ReaderGone when the client takes too long.

        One that reads a little now and then would else hold it for hours.
        """
        seconds = READING_SECONDS + count / SLOWEST_BYTES_A_SECOND
        self._bodies.add(count)
        seconds = LARGE_BODY_SECONDS if self._has_turn else BODY_SECONDS
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise ReaderGone(f"the client has not read {count} bytes within {seconds:.0f} s") from None
        finally:
            self._bodies.give(count)

    async def _begin(self, response: web.StreamResponse) -> Outgoing:
        self.begun = True
        try:
            await response.prepare(self._request)
        except ConnectionError as gone:
            gone.__traceback__ = None  # see Outgoing
            raise ReaderGone("the client has gone") from None
        return Outgoing(response)


class Outgoing:
    """An answer that has begun. Whoever began it returns it as the answer of its handler, after :meth:`end`."""

    __slots__ = ("response",)

    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response

    async def write(self, chunk: bytes | memoryview) -> None:
        """Pass a piece on. Waits while the client reads slowly, and raises ReaderGone when it has gone or reads nothing at all."""
        await self._within(self.response.write(chunk))

    async def end(self) -> None:
        """That was all. Waits while the client reads slowly, and raises ReaderGone as :meth:`write` does."""
        await self._within(self.response.write_eof())

    async def _within(self, writing: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(READING_SECONDS):
                await writing
        except ConnectionError as gone:
            # aiohttp keeps what it raised with its own frames, and those keep ours, where the answer is, until the collector comes.
            gone.__traceback__ = None
            raise ReaderGone("the client has gone") from None
        except TimeoutError:
            raise ReaderGone(f"the client has read nothing for {READING_SECONDS:.0f} s") from None
