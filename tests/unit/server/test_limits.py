"""The server's bounds: sizes, times, connections and readers, on asyncio's loop and on uvloop's."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.listening import connections as bounds
from pollers.server import stream
from pollers.server.app import ROUTES
from pollers.server.guard import BODY_LIMIT_BYTES, Access, guard
from pollers.server.serve import CONNECTIONS
from pollers.telemetry.facts import Doing, Invoked, Outcome, State
from pollers.telemetry.mapping_board import Shard
from tests.unit.server.rig import Rig, rig

if TYPE_CHECKING:
    from pathlib import Path

WITHIN = 60


async def request(at: Rig, *lines: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of its own with a request's head, or the beginning of one."""
    host, port = at.address
    reader, writer = await asyncio.open_connection(host, port)
    writer.write("\r\n".join(line.replace("HOST", f"{host}:{port}") for line in lines).encode())
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What still came until the server closed the connection."""
    with anyio.fail_after(WITHIN):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def fell_to(at: Rig, readers: int) -> None:
    """Wait until the event stream has so many readers."""
    with anyio.fail_after(WITHIN):
        while at.app[ROUTES].stream.readers != readers:
            await anyio.sleep(0.02)


def fill(at: Rig, shards: int) -> None:
    """Make the snapshot large."""
    at.board.of("a").shards.update({f"shard-{number:050}": Shard() for number in range(shards)})


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_the_server_serves_on_both_event_loops(tmp_path: Path, uvloop: bool) -> None:
    """Answers, keeps the connection, streams and closes."""

    async def story() -> None:
        async with rig(tmp_path) as at:
            for path in ("/healthz", "/metrics", "/api/status", "/"):
                reply = await at.session.get(path)
                assert reply.status == 200
                await reply.read()
            async with at.session.get("/api/events") as events:
                assert (await events.content.readline()).startswith(b"event: series")
                await fell_to(at, 1)
            await fell_to(at, 0)
            reader, writer = await request(at, "GET /healthz HTTP/1.1", "Host: HOST", "Connection: close", "", "")
            assert b"200 OK" in await ended(reader)
            writer.close()

    anyio.run(story, backend_options={"use_uvloop": uvloop})


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_a_slow_reader_of_events_is_cut_off(tmp_path: Path, uvloop: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes nothing costs what one event and the sockets hold, and is let go."""
    monkeypatch.setattr(stream, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(stream, "PERIOD_SECONDS", 0.0)

    async def story() -> None:
        async with rig(tmp_path) as at:
            at.facts("a").emit(Doing("receive", State.BACKING_OFF, "x" * 500))
            fill(at, 2_000)
            _, writer = await request(at, "GET /api/events HTTP/1.1", "Host: HOST", "", "")
            await fell_to(at, 1)
            await fell_to(at, 0)
            writer.close()

    anyio.run(story, backend_options={"use_uvloop": uvloop})


async def test_more_readers_than_allowed_are_told_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event stream has a bounded number of readers."""
    monkeypatch.setattr(stream, "READERS_AT_MOST", 1)
    async with rig(tmp_path) as at, at.session.get("/api/events"):
        await fell_to(at, 1)
        reply = await at.session.get("/api/events")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    "head", [[""], ["GET /healthz HTTP/1.1", "Host: HOST", "X-Slow: "]], ids=["silent", "trickling"]
)
async def test_a_request_that_does_not_arrive_is_cut_off(
    tmp_path: Path, head: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether nothing comes at all or the head comes byte by byte."""
    monkeypatch.setattr(bounds, "ARRIVAL_SECONDS", 0.4)
    async with rig(tmp_path) as at:
        reader, writer = await request(at, *head)

        async def trickle() -> None:
            while True:
                writer.write(b"x" if head[0] else b"")
                await anyio.sleep(0.1)

        async with anyio.create_task_group() as group:
            group.start_soon(trickle)
            assert await ended(reader) == b""
            group.cancel_scope.cancel()
        writer.close()


async def test_a_further_request_that_trickles_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one being whole is no licence for the second."""
    async with rig(tmp_path) as at:
        reader, writer = await request(at, "GET /healthz HTTP/1.1", "Host: HOST", "", "")
        await reader.readuntil(b'"problems":[]}')
        monkeypatch.setattr(bounds, "ARRIVAL_SECONDS", 0.4)
        writer.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert await ended(reader) == b""
        writer.close()


async def test_an_answer_that_is_not_read_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks for more than it takes does not keep its connection."""
    monkeypatch.setattr(bounds, "SENDING_SECONDS", 0.4)
    async with rig(tmp_path) as at:
        fill(at, 60_000)
        _, writer = await request(at, "GET /api/status HTTP/1.1", "Host: HOST", "", "")
        with anyio.fail_after(WITHIN):
            while len(at.app[CONNECTIONS]) != 1:
                await anyio.sleep(0.02)
            while len(at.app[CONNECTIONS]) != 0:
                await anyio.sleep(0.02)
        writer.close()


async def test_idle_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    """Nobody keeps a probe out by holding connections open; those that are being answered are kept."""
    async with rig(tmp_path) as at:
        connections = at.app[CONNECTIONS]
        connections._at_most = 3
        opened = [await request(at, "GET /api/events HTTP/1.1", "Host: HOST", "", "") for _ in range(2)]
        await fell_to(at, 2)
        idle, idle_writer = await request(at, "")
        probe, probe_writer = await request(at, "GET /healthz HTTP/1.1", "Host: HOST", "", "")
        assert b"200 OK" in await probe.readuntil(b"\r\n")
        assert await ended(idle) == b""
        assert at.app[ROUTES].stream.readers == 2
        _, third_writer = await request(at, "GET /api/events HTTP/1.1", "Host: HOST", "", "")
        await fell_to(at, 3)
        refused, refused_writer = await request(at, "GET /healthz HTTP/1.1", "Host: HOST", "", "")
        assert await ended(refused) == b""
        assert len(connections) == 3
        writers = [writer for _, writer in opened]
        for writer in (*writers, idle_writer, probe_writer, third_writer, refused_writer):
            writer.close()


async def test_a_large_body_is_refused_unread(tmp_path: Path) -> None:
    """No route takes a body worth speaking of."""
    async with rig(tmp_path) as at:
        reply = await at.session.post("/api/drain", data=b"x" * (BODY_LIMIT_BYTES + 1))
        assert reply.status == 413
        assert not any(runner.paused for runner in at.runtime.mappings.values())


@pytest.mark.parametrize(
    "head",
    [
        ["GET /" + "x" * 9_000 + " HTTP/1.1", "Host: HOST", "", ""],
        ["GET / HTTP/1.1", "Host: HOST", "X-Long: " + "x" * 9_000, "", ""],
        ["GET / HTTP/1.1", "Host: HOST", *(f"X-{n}: x" for n in range(300)), "", ""],
        ["\x00\x01\x02 nonsense", "", ""],
    ],
    ids=["line", "field", "fields", "garbage"],
)
async def test_a_head_beyond_its_limits_is_refused(tmp_path: Path, head: list[str]) -> None:
    """Lines, fields and their number are bounded; what is no HTTP is not answered as if it were."""
    async with rig(tmp_path) as at:
        reader, writer = await request(at, *head)
        assert b" 400 " in (await ended(reader)).partition(b"\r\n")[0]
        writer.close()


def test_an_open_address_without_token_is_never_served() -> None:
    """Even if the configuration were not checked."""
    for host in ("0.0.0.0", "::", "example.com"):
        with pytest.raises(ValueError, match="a token is needed"):
            guard(Access(host))


async def test_a_hundred_mappings_are_shown_without_holding_the_loop(tmp_path: Path) -> None:
    """Status, events and metrics of many mappings are made in turns: in between, others go on."""
    names = [f"mapping-{number}" for number in range(100)]
    async with rig(tmp_path, names=names) as at:
        for name in names:
            for number in range(20):
                at.facts(name).emit(Invoked("", ["1"], f"r-{number}", Outcome.ERROR, 0.1, error="x" * 300))
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with anyio.create_task_group() as group:
            group.start_soon(others)
            routes = at.app[ROUTES]
            for make in (routes.snapshot, routes.stream._newest):
                gc.collect()
                gc.disable()  # a collection of all that other tests have left would count as one long step of ours
                try:
                    before, began = turns, time.thread_time()
                    await make()
                    spent = time.thread_time() - began
                finally:
                    gc.enable()
                assert turns - before >= spent / 0.02
            assert (await at.session.get("/metrics")).status == 200
            group.cancel_scope.cancel()
