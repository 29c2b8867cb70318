"""A streamed response on its way from a connection to its reader: whole, bounded and never stuck, in whichever turns they come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import anyio
import anyio.lowlevel
from hypothesis import given
from hypothesis import strategies as st

from handlers.function import FunctionError, Payload, Result
from handlers.runtime_api import Connection, Delivery, RuntimeApi, StreamedResponse
from handlers.runtime_api.incoming import ROOM_BYTES
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_BYTES = 64 * 1024
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n"
HEAD = (
    b"POST /2018-06-01/runtime/invocation/r1/response HTTP/1.1\r\n"
    b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
)
ERROR = b"Lambda-Runtime-Function-Error-Type: Function.Broke\r\n"


class Wire(asyncio.Transport):
    """A transport whose other side is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.written = b""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Told:
    """A worker that remembers what it was told."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.stream: StreamedResponse | None = None
        self.broken_off = False

    def runtime_ready(self) -> None: ...

    def runtime_left(self) -> None: ...

    def runtime_failed_to_initialise(self, error: FunctionError) -> None: ...

    def runtime_responded(self, result: Result) -> None:
        self.results.append(result)

    def runtime_streams(self, response: StreamedResponse) -> None:
        self.stream = response

    def runtime_broke_off(self) -> None:
        self.broken_off = True


def reads(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The bytes as a socket gives them: in pieces of these sizes, over and over."""
    at = number = 0
    while at < len(data):
        size = sizes[number % len(sizes)]
        yield data[at : at + size]
        at, number = at + size, number + 1


@given(
    chunks=st.lists(st.sampled_from([1, 100, 70_000, 300_000]) | st.integers(1, 5_000), max_size=6),
    sizes=st.lists(st.sampled_from([500, READ_BYTES]) | st.integers(200, READ_BYTES), min_size=1, max_size=4),
    turns=st.lists(st.booleans(), min_size=1, max_size=8),
    fails=st.booleans(),
    drops_after=st.none() | st.integers(0, 3),
    cut_after=st.none() | st.integers(1, 20),
)
def test_what_is_written_is_what_is_read(
    chunks: list[int], sizes: list[int], turns: list[bool], fails: bool, drops_after: int | None, cut_after: int | None
) -> None:
    """Or what came before the reader left, or before the connection broke; the runtime is always answered at its end."""
    pieces = [bytes([97 + number]) * size for number, size in enumerate(chunks)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    sent = HEAD + body + b"0\r\n" + (ERROR if fails else b"") + b"\r\n" + NEXT

    async def story() -> None:
        told, wire, got, dropped = Told(), Wire(), bytearray(), False
        connection = Connection(api := RuntimeApi(told), 1_000, set())
        connection.connection_made(cast("asyncio.BaseTransport", wire))
        connection.data_received(NEXT)
        api.deliver(Delivery("r1", "a", 1, "arn", "trace", b"{}", streamed=True))

        async def read() -> None:
            nonlocal dropped
            while told.stream is None:
                await anyio.lowlevel.checkpoint()
            taken = 0
            while (piece := await told.stream.next()) is not None:
                got.extend(piece)
                taken += 1
                if taken == drops_after:
                    told.stream.drop()
                    dropped = True
                    return
                for _ in range(3 * turns[taken % len(turns)]):
                    await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for number, piece in enumerate(reads(sent, sizes)):
                with anyio.fail_after(10):
                    while wire.paused:
                        await anyio.sleep(0.001)
                if number == cut_after:
                    connection.connection_lost(None)
                    break
                connection.data_received(piece)
                if (stream := told.stream) is not None:
                    assert len(stream._incoming._held) < ROOM_BYTES + READ_BYTES
                if turns[number % len(turns)]:
                    await anyio.lowlevel.checkpoint()
            if told.stream is None:
                group.cancel_scope.cancel()

        whole = b"".join(pieces)
        assert whole.startswith(got)
        if told.broken_off:
            assert told.results == []
            return
        if cut_after is not None and not told.results:
            return  # it broke before it had begun
        (result,) = told.results
        assert isinstance(result, FunctionError if fails else Payload)
        assert dropped or got == whole
        assert b"202 Accepted" in wire.written
        assert cut_after is not None or api.available

    virtual_time.run(story)
