"""Bad clients: slow, greedy, broken and gone ones, on asyncio's loop and on uvloop's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from handlers.function import Payload
from pollers.lambda_api import bodies, incoming, server
from pollers.listening import connections as bounds
from tests.unit.lambda_api.rig import PATH, Asked, Rig, rig

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from handlers.function import Result

WITHIN = 60
INVOKE = f"POST {PATH.format('orders')} HTTP/1.1\r\nHost: localhost\r\n"


class Client:
    """A connection of its own, on which a test writes what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        with anyio.fail_after(WITHIN):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            return int(head.split()[1]), await self.reader.readexactly(int(length.partition(b":")[2]))

    async def rest(self) -> bytes:
        """What still came until the server closed the connection."""
        with anyio.fail_after(WITHIN):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


async def connect(at: Rig) -> Client:
    return Client(*await at.connect())


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(WITHIN):
        while not condition():
            await anyio.sleep(0.005)


class Gate:
    """Holds invocations up until it is opened."""

    def __init__(self, at: Rig) -> None:
        self.entered = anyio.Event()
        self.opened = anyio.Event()
        self.done = 0
        at.told["orders"].answer = self._answer

    async def _answer(self, asked: Asked) -> Result:
        self.entered.set()
        await self.opened.wait()
        self.done += 1
        return Payload(asked.event)


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_the_api_serves_on_both_event_loops(uvloop: bool) -> None:
    """Answers, keeps the connection, reads a slow body, pauses for one that sends ahead, and closes."""

    async def story() -> None:
        async with rig() as at:
            client = await connect(at)
            client.send(INVOKE + "Content-Length: 5\r\n\r\n[1,")
            await anyio.lowlevel.checkpoint()
            client.send("2]")
            assert await client.answer() == (200, b"[1,2]")
            one = (INVOKE + "Content-Length: 2\r\n\r\n{}").encode()
            client.send(one * 2_000)
            for _ in range(2_000):
                assert await client.answer() == (200, b"{}")
            client.writer.close()

    anyio.run(story, backend_options={"use_uvloop": uvloop})


@pytest.mark.parametrize(
    "head", ["", INVOKE + "X-Slow: ", INVOKE + "Content-Length: 2\r\n"], ids=["silent", "trickling", "unfinished"]
)
async def test_a_head_that_does_not_arrive_is_cut_off(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether nothing comes at all or not the end of it."""
    async with rig() as at:
        monkeypatch.setattr(bounds, "ARRIVAL_SECONDS", 0.2)
        client = await connect(at)
        client.send(head)
        assert await client.rest() == b""
        assert (await at.invoke())[0] == 200


async def test_a_head_without_end_is_cut_off() -> None:
    """However small its lines are."""
    async with rig() as at:
        client = await connect(at)
        client.send(INVOKE)
        for number in range(120):
            client.send(f"X-{number}: {'x' * 1_000}\r\n")
        client.send("\r\n")
        assert await client.rest() == b""


async def test_a_body_that_does_not_arrive_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and what was held of it is held no longer."""
    async with rig() as at:
        monkeypatch.setattr(incoming, "BODY_SECONDS", 0.1)
        client = await connect(at)
        client.send(INVOKE + "Content-Length: 100000\r\n\r\n[1,")
        assert (await client.answer())[0] == 408
        await until(lambda: at.service.server.bodies.held_bytes == 0)
        assert at.told["orders"].asked == []


async def test_a_body_that_is_broken_off_runs_nothing() -> None:
    """The client has gone in the middle."""
    async with rig() as at:
        client = await connect(at)
        client.send(INVOKE + "Content-Length: 100\r\n\r\n[1,")
        await until(lambda: at.service.server.bodies.arriving == 1)
        client.writer.close()
        await until(lambda: at.service.server.requests == 0)
        assert (at.told["orders"].asked, at.service.server.bodies.held_bytes) == ([], 0)


@pytest.mark.parametrize(
    "request_text",
    [
        INVOKE + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        INVOKE + "Content-Length: x\r\n\r\n{}",
        INVOKE + "Content-Length: -1\r\n\r\n{}",
        INVOKE + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        INVOKE + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        INVOKE + "Transfer-Encoding: gzip\r\n\r\n{}",
        "NONSENSE\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\r\n\r\n",
        f"POST {'/x' * 20_000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_runs_nothing(request_text: str) -> None:
    """400, or a closed connection; the server goes on."""
    async with rig() as at:
        client = await connect(at)
        client.send(request_text)
        assert (await client.rest())[:13] in (b"", b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")
        assert at.told["orders"].asked == []
        assert (await at.invoke())[0] == 200


async def test_a_chunked_body_is_read_whole() -> None:
    """However it is cut."""
    async with rig() as at:
        client = await connect(at)
        client.send(INVOKE + "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n")
        await anyio.lowlevel.checkpoint()
        client.send("2;x=y\r\n1]\r\n0\r\n\r\n")
        assert await client.answer() == (200, b"[1]")


async def test_a_client_that_waits_for_a_word_gets_it() -> None:
    """curl does so for large bodies; it gets none where the body is not wanted."""
    async with rig() as at:
        client = await connect(at)
        client.send(INVOKE + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send("{}")
        assert await client.answer() == (200, b"{}")
        client.send(INVOKE + "Expect: 100-continue\r\nContent-Length: 7000000\r\n\r\n")
        assert (await client.answer())[0] == 413


async def test_a_client_that_goes_away_while_it_waits_for_a_word_is_no_fault_of_ours() -> None:
    """Nothing runs, and nothing is said."""
    async with rig() as at:
        client = await connect(at)
        client.send(INVOKE + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        client.writer.transport.abort()
        counts = at.service.counts.requests
        await until(lambda: at.service.server.requests == 0 and len(at.service.server._connections) == 0)
        for _ in range(20):
            client = await connect(at)
            client.send((INVOKE + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n") * 2)
            await client.reader.readuntil(b"\r\n\r\n")
            client.writer.transport.abort()
        await until(lambda: at.service.server.requests == 0 and len(at.service.server._connections) == 0)
        assert (at.told["orders"].asked, [status for _, status in counts if status >= 500]) == ([], [])


async def test_an_old_client_is_answered_and_let_go() -> None:
    """HTTP/1.0, streamed as well."""
    async with rig() as at:
        client = await connect(at)
        client.send(INVOKE.replace("HTTP/1.1", "HTTP/1.0") + "Content-Length: 2\r\n\r\n{}")
        assert (await client.rest()).endswith(b"\r\n\r\n{}")


async def test_requests_that_are_sent_ahead_are_answered_in_order() -> None:
    """One after the other."""
    async with rig() as at:
        client = await connect(at)
        client.send("".join(f"{INVOKE}Content-Length: 3\r\n\r\n[{number}]" for number in range(8)))
        assert [await client.answer() for _ in range(8)] == [(200, f"[{number}]".encode()) for number in range(8)]


async def test_idle_and_slow_connections_make_room_for_new_ones() -> None:
    """Those whose requests run are kept."""
    async with rig() as at:
        at.service.server._connections._at_most = 3
        gate = Gate(at)
        running = await connect(at)
        running.send(INVOKE + "Content-Length: 2\r\n\r\n{}")
        await gate.entered.wait()
        slow, idle = await connect(at), await connect(at)
        slow.send(INVOKE + "Content-Length: 20\r\n\r\n{}")
        await until(lambda: at.service.server.bodies.arriving == 1)
        others = [await connect(at) for _ in range(2)]
        assert (await slow.rest(), await idle.rest()) == (b"", b"")
        gate.opened.set()
        assert (await running.answer())[0] == 200
        for other in others:
            other.send(INVOKE + "Content-Length: 2\r\n\r\n{}")
            assert (await other.answer())[0] == 200


async def test_too_many_requests_at_once_are_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    """429, which SDKs try again; those whose bodies still arrive do not count."""
    async with rig() as at:
        monkeypatch.setattr(server, "REQUESTS_AT_ONCE", 1)
        gate = Gate(at)
        slow = await connect(at)
        slow.send(INVOKE + "Content-Length: 20\r\n\r\n{}")
        await until(lambda: at.service.server.bodies.arriving == 1)
        async with anyio.create_task_group() as group:
            group.start_soon(at.invoke)
            await gate.entered.wait()
            status, body = await at.invoke()
            assert status == 429
            assert b"CallerRateLimitExceeded" in body
            gate.opened.set()


async def test_too_many_bytes_at_once_are_throttled() -> None:
    """Of all bodies together; a request that fits is answered still."""
    async with rig() as at:
        held = at.service.server.bodies = bodies.Bodies(1_000, 500)
        slow = await connect(at)
        slow.send(INVOKE + "Content-Length: 900\r\n\r\n" + "[" * 400)
        await until(lambda: held.held_bytes == 400)
        assert (await at.invoke(body=b" " * 700 + b"1"))[0] == 429
        assert (await at.invoke(body=b" " * 500 + b"1"))[0] == 200
        slow.send("[" * 200)
        assert (await slow.answer())[0] == 429
        await until(lambda: held.held_bytes == 0)


def _long(count: int) -> str:
    return f"{INVOKE}Content-Length: {count}\r\n\r\n"


async def test_bodies_that_bring_code_come_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one waits unread until the one before has been answered or its client has gone; ordinary ones wait for nobody."""
    monkeypatch.setattr(incoming, "ORDINARY_LIMIT_BYTES", 100)
    async with rig() as at:
        first, second, third = [await connect(at) for _ in range(3)]
        first.send(_long(202) + '"' + "x" * 100)
        await until(lambda: at.service.server.bodies.large.locked())
        second.send(_long(202) + '"' + "y" * 200 + '"')
        third.send(_long(4) + '"zz"')
        assert await third.answer() == (200, b'"zz"')
        assert [asked.event for asked in at.told["orders"].asked] == [b'"zz"']
        first.writer.close()
        assert await second.answer() == (200, b'"' + b"y" * 200 + b'"')
        await until(lambda: not at.service.server.bodies.large.locked())
        assert at.service.server.bodies.held_bytes == 0


async def test_whoever_waits_too_long_for_a_turn_is_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the one that has it goes on."""
    monkeypatch.setattr(incoming, "ORDINARY_LIMIT_BYTES", 100)
    monkeypatch.setattr(incoming, "TURN_SECONDS", 0.05)
    async with rig() as at:
        first, second = await connect(at), await connect(at)
        first.send(_long(202) + '"' + "x" * 100)
        await until(lambda: at.service.server.bodies.large.locked())
        second.send(_long(202) + '"' + "y" * 200 + '"')
        status, body = await second.answer()
        assert (status, b"CallerRateLimitExceeded" in body) == (429, True)
        first.send("x" * 100 + '"')
        assert (await first.answer())[0] == 200
        await until(lambda: not at.service.server.bodies.large.locked())


async def test_an_answer_that_is_not_read_counts_until_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that takes nothing holds its answer for a while, and no longer."""
    async with rig() as at:
        monkeypatch.setattr(incoming, "READING_SECONDS", 0.3)
        monkeypatch.setattr(bounds, "SENDING_SECONDS", 0.3)

        async def answer(asked: Asked) -> Result:
            return Payload(b"x" * 6_000_000)

        at.told["orders"].answer = answer
        client = await connect(at)
        client.send(INVOKE + "Content-Length: 2\r\n\r\n{}")
        held = at.service.server.bodies
        await until(lambda: held.held_bytes == 6_000_000)
        await until(lambda: held.held_bytes == 0)
        await until(lambda: len(at.service.server._connections) == 0)
        client.writer.close()


async def test_a_client_that_reads_a_little_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would hold its answer for hours, streamed or not."""
    monkeypatch.setattr(incoming, "SLOWEST_BYTES_A_SECOND", 200_000_000)
    monkeypatch.setattr(incoming, "READING_SECONDS", 0.2)

    async def answer(asked: Asked) -> Result:
        return Payload(b"x" * 60_000_000)

    async with rig() as at:
        at.told["orders"].answer = answer
        held = at.service.server.bodies
        for path in (PATH, "/2021-11-15/functions/{}/response-streaming-invocations"):
            client = await connect(at)
            client.send(f"POST {path.format('orders')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}")
            await until(lambda: held.held_bytes >= 60_000_000)
            while held.held_bytes:
                await client.reader.read(20_000)
                await anyio.sleep(0.02)
            client.writer.close()


async def test_a_client_that_goes_away_does_not_stop_the_function() -> None:
    """What it asked for is done."""
    async with rig() as at:
        gate = Gate(at)
        client = await connect(at)
        client.send(INVOKE + "Content-Length: 2\r\n\r\n{}")
        await gate.entered.wait()
        client.writer.close()
        await until(lambda: len(at.service.server._connections) == 0)
        gate.opened.set()
        await until(lambda: gate.done == 1 and at.service.server.requests == 0)


async def test_a_stop_answers_what_runs_and_closes_what_is_idle() -> None:
    """Nothing new is accepted meanwhile."""
    async with rig() as at:
        gate = Gate(at)
        running, idle = await connect(at), await connect(at)
        idle.send(INVOKE + "Content-Length: 2\r\n\r\n[")
        await until(lambda: at.service.server.bodies.arriving == 1)
        idle.send("]")
        running.send(INVOKE + "Content-Length: 2\r\n\r\n{}")
        await gate.entered.wait()
        gate.opened.set()
        await idle.answer()
        gate = Gate(at)
        running.send(INVOKE + "Content-Length: 2\r\n\r\n{}")
        await running.answer()
        await gate.entered.wait()
        at.stop.request()
        assert await idle.rest() == b""
        with pytest.raises(OSError, match="onnect"):
            await connect(at)
        assert not at.ended.is_set()
        gate.opened.set()
        assert (await running.answer())[0] == 200
        assert await running.rest() == b""
        with anyio.fail_after(WITHIN):
            await at.ended.wait()


async def test_a_hurried_stop_breaks_off_what_runs() -> None:
    """The grace period is over: the function is stopped, and the client sees no answer."""
    async with rig() as at:
        gate = Gate(at)
        client = await connect(at)
        client.send(INVOKE + "Content-Length: 2\r\n\r\n{}")
        await gate.entered.wait()
        at.stop.request()
        at.stop.hurry()
        with anyio.fail_after(WITHIN):
            await at.ended.wait()
        assert (gate.done, at.service.running()) == (0, 0)
        assert await client.rest() == b""


async def test_a_stop_does_not_wait_for_a_body_that_arrives_slowly() -> None:
    """It is no invocation, so the shutdown hurries at once."""
    async with rig() as at:
        client = await connect(at)
        client.send(INVOKE + "Content-Length: 20\r\n\r\n{")
        await until(lambda: at.service.server.bodies.arriving == 1)
        assert at.service.running() == 0
        at.stop.request()
        at.stop.hurry()
        with anyio.fail_after(WITHIN):
            await at.ended.wait()
