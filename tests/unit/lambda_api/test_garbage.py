"""What a request leaves behind once its connection is gone: nothing that waits for the collector, which comes seldom."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from handlers.error_documents import raised
from handlers.errors import FunctionUnusable, ReaderGone
from handlers.function import Payload, Throttle
from pollers.lambda_api import incoming
from pollers.lambda_api.incoming import Incoming
from tests.unit.lambda_api.rig import Asked, Rig, rig
from tests.unit.lambda_api.test_limits import INVOKE, Client, connect, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from handlers.function import Result

STREAM = "POST /2021-11-15/functions/orders/response-streaming-invocations HTTP/1.1\r\nHost: localhost\r\n"
EMPTY = "Content-Length: 2\r\n\r\n{}"


@pytest.fixture
def _uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def answered(at: Rig, client: Client, text: str) -> None:
    client.send(text)
    await client.answer()


async def gone(at: Rig, client: Client, text: str) -> None:
    client.send(text)
    await until(lambda: at.service.server.bodies.arriving == 1)
    client.writer.transport.abort()


async def unread(at: Rig, client: Client, text: str) -> None:
    client.send(text)
    await until(lambda: at.service.server.bodies.held_bytes > 1_000_000)
    client.writer.transport.abort()


async def closed(at: Rig, client: Client, text: str) -> None:
    client.send(text)
    await client.rest()


def giving(result: Result) -> Callable[[Asked], Awaitable[Result]]:
    async def answer(asked: Asked) -> Result:
        return result

    return answer


async def flooding(asked: Asked) -> Result:
    assert asked.call.stream is not None
    try:
        while True:
            await asked.call.stream.write(b"x" * 2_000_000)
    except ReaderGone:
        return Payload(b"")


LARGE = giving(Payload(b"x" * 60_000_000))


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize(
    ("visit", "text", "answer"),
    [
        (answered, INVOKE + EMPTY, None),
        (answered, INVOKE + "Content-Length: 1\r\n\r\n{", None),
        (answered, INVOKE.replace("orders", "nobody") + EMPTY, None),
        (answered, INVOKE + "Content-Length: 7000000\r\n\r\n", None),
        (answered, INVOKE + "X-Amz-Invocation-Type: Event\r\n" + EMPTY, None),
        (answered, INVOKE + EMPTY, giving(raised("ValueError", "no", [], "id"))),
        (answered, INVOKE + EMPTY, giving(Throttle("busy"))),
        (answered, INVOKE + "Content-Length: 9\r\n\r\n{", None),
        (gone, INVOKE + "Content-Length: 9\r\n\r\n{", None),
        (gone, INVOKE + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", None),
        (answered, INVOKE + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n", None),
        (closed, "NONSENSE\r\n\r\n", None),
        (closed, STREAM + "Connection: close\r\n" + EMPTY, None),
        (unread, INVOKE + EMPTY, LARGE),
        (unread, STREAM + EMPTY, LARGE),
    ],
)
async def test_a_request_leaves_nothing_to_the_collector(
    visit: Callable[[Rig, Client, str], Awaitable[None]],
    text: str,
    answer: Callable[[Asked], Awaitable[Result]] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However it ends: a hundred kilobytes for each bad client would add up to gigabytes."""
    monkeypatch.setattr(incoming, "BODY_SECONDS", 0.05 if visit is answered else 60)
    monkeypatch.setattr(incoming, "READING_SECONDS", 0.1)
    async with rig() as at:
        at.told["orders"].answer = answer
        for _ in range(3):
            client = await connect(at)
            await visit(at, client, text)
            client.writer.transport.abort()
            await until(lambda: at.service.server.requests == 0 and len(at.service.server._connections) == 0)
        at.told["orders"].asked.clear()
        await until(lambda: not any(isinstance(one, Incoming) for one in gc.get_objects()))


@pytest.mark.usefixtures("_uncollected")
async def test_a_stream_without_a_reader_leaves_nothing_to_the_collector() -> None:
    """The function runs on for a while, and then nothing is left."""
    async with rig() as at:
        at.told["orders"].answer, at.told["orders"].streams = flooding, True
        client = await connect(at)
        client.send(STREAM + EMPTY)
        await until(lambda: len(at.told["orders"].asked) == 1)
        client.writer.transport.abort()
        await until(lambda: at.service.server.requests == 0)
        at.told["orders"].asked.clear()
        await until(lambda: not any(isinstance(one, Incoming) for one in gc.get_objects()))


@pytest.mark.usefixtures("_uncollected")
async def test_a_function_that_cannot_be_had_leaves_nothing_to_the_collector() -> None:
    """Its problem is kept, and not who asked."""
    async with rig() as at:
        at.told["orders"].problem = FunctionUnusable("there is no folder")
        client = await connect(at)
        await answered(at, client, INVOKE + EMPTY)
        client.writer.transport.abort()
        await until(lambda: len(at.service.server._connections) == 0)
        await until(lambda: not any(isinstance(one, Incoming) for one in gc.get_objects()))
