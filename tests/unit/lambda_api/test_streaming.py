"""InvokeWithResponseStream, read by botocore's own decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import orjson
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from handlers.error_documents import raised
from handlers.errors import ReaderGone
from handlers.function import InfrastructureError, Payload, Throttle
from pollers.lambda_api import eventstream
from tests.unit.lambda_api.rig import Asked, Rig, rig

if TYPE_CHECKING:
    from handlers.function import Result

PATH = "/2021-11-15/functions/orders/response-streaming-invocations"
TYPE = "application/vnd.amazon.eventstream"


def frames(data: bytes) -> list[tuple[str, bytes]]:
    """Types and payloads."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(event.headers[":event-type"], event.payload) for event in buffer]


async def streamed(at: Rig, **headers: str) -> tuple[int, str, bytes]:
    """Status, type and body."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with at.session.post(PATH, data=b"{}", headers=given) as reply:
        return reply.status, reply.headers["Content-Type"], await reply.read()


@given(st.binary(max_size=200))
def test_a_frame_is_read_back(payload: bytes) -> None:
    """Lengths and checksums hold."""
    assert frames(b"".join(eventstream.payload_chunk(payload))) == [("PayloadChunk", payload)]


def test_the_last_frame_tells_only_what_there_is() -> None:
    """No member is empty."""
    assert frames(eventstream.invoke_complete()) == [("InvokeComplete", b"{}")]
    assert frames(eventstream.invoke_complete("E", "d", "bG9n")) == [
        ("InvokeComplete", b'{"ErrorCode":"E","ErrorDetails":"d","LogResult":"bG9n"}')
    ]


async def test_a_function_that_does_not_stream_is_one_chunk() -> None:
    """Also a large one; the last frame has the log if it was asked for."""
    async with rig() as at:
        body = b"x" * 300_000

        async def answer(asked: Asked) -> Result:
            return Payload(body)

        at.told["orders"].answer, at.told["orders"].log = answer, ("hello",)
        status, kind, data = await streamed(at, X_Amz_Log_Type="Tail")
        assert (status, kind) == (200, TYPE)
        assert frames(data) == [("PayloadChunk", body), ("InvokeComplete", b'{"LogResult":"aGVsbG8K"}')]


async def test_pieces_arrive_while_the_function_still_writes() -> None:
    """The first one before the second is written."""
    async with rig() as at:
        seen = anyio.Event()

        async def answer(asked: Asked) -> Result:
            assert asked.call.stream is not None
            asked.call.stream.begin("text/plain")
            await asked.call.stream.write(b"one")
            await seen.wait()
            await asked.call.stream.write(b"two")
            return Payload(b"")

        at.told["orders"].answer, at.told["orders"].streams = answer, True
        buffer = EventStreamBuffer()
        async with at.session.post(PATH, data=b"{}") as reply:
            assert reply.headers["X-Amz-Executed-Version"] == "$LATEST"
            while not seen.is_set():
                buffer.add_data(await reply.content.readany())
                for event in buffer:
                    assert event.payload == b"one"
                    seen.set()
            rest = await reply.read()
        assert frames(rest) == [("PayloadChunk", b"two"), ("InvokeComplete", b"{}")]


async def test_an_error_in_the_middle_comes_in_the_last_frame() -> None:
    """The status is sent already."""
    async with rig() as at:
        error = raised("ValueError", "no", [], "id")

        async def answer(asked: Asked) -> Result:
            assert asked.call.stream is not None
            await asked.call.stream.write(b"one")
            return error

        at.told["orders"].answer, at.told["orders"].streams = answer, True
        _, _, data = await streamed(at)
        [chunk, (kind, last)] = frames(data)
        assert (chunk, kind) == (("PayloadChunk", b"one"), "InvokeComplete")
        assert orjson.loads(last) == {"ErrorCode": "ValueError", "ErrorDetails": error.document.decode()}


@pytest.mark.parametrize(
    ("result", "status"),
    [(Throttle("busy"), 429), (InfrastructureError("no worker"), 500)],
)
async def test_what_keeps_the_function_from_running_is_an_ordinary_error(result: Result, status: int) -> None:
    """Nothing has been sent then."""
    async with rig() as at:

        async def answer(asked: Asked) -> Result:
            return result

        at.told["orders"].answer = answer
        found, kind, _ = await streamed(at)
        assert (found, kind) == (status, "application/json")


async def test_no_event_can_be_streamed() -> None:
    """There is no such type."""
    async with rig() as at:
        assert (await streamed(at, X_Amz_Invocation_Type="Event"))[0] == 400


async def test_a_client_that_goes_away_does_not_stop_the_function() -> None:
    """It is told that nobody reads, and runs on; the server goes on, too."""
    async with rig() as at:
        gone, ended = anyio.Event(), anyio.Event()

        async def answer(asked: Asked) -> Result:
            assert asked.call.stream is not None
            try:
                while True:
                    await asked.call.stream.write(b"x" * 100_000)
            except ReaderGone:
                gone.set()
            ended.set()
            return Payload(b"")

        at.told["orders"].answer, at.told["orders"].streams = answer, True
        async with at.session.post(PATH, data=b"{}") as reply:
            await reply.content.readany()
            reply.close()
        with anyio.fail_after(30):
            await gone.wait()
            await ended.wait()
            while at.service.server.requests:
                await anyio.sleep(0.01)
        at.told["orders"].answer = None
        assert (await at.invoke())[0] == 200
