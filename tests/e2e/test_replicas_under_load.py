"""Replicas of real processes that are killed, stopped in the middle, replaced and asked to go, while records come in."""

from __future__ import annotations

import signal
import time
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.e2e.harness import ended, terminate, until, until_true
from tests.e2e.replicas import FAILOVER, HELD, replicas
from tests.e2e.streams import stream

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pollers.emulators import Emulator
    from tests.e2e.replicas import Replicas
    from tests.e2e.streams import Stream

pytestmark = pytest.mark.timeout(300)

SHARDS = 6


@asynccontextmanager
async def load(shared: Replicas, source: Stream) -> AsyncIterator[None]:
    """Records come in all the time."""

    async def keep_writing() -> None:
        while True:
            await shared.write(source, 24)
            await anyio.sleep(0.05)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep_writing)
        yield
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def shared_stream(
    folder: Path, kinesis: Emulator, dynamodb: Emulator
) -> AsyncIterator[tuple[Stream, Replicas, ExitStack]]:
    """A stream, its replicas to come, and what ends their processes."""
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(stream(kinesis, shards=SHARDS))
        shared = await stack.enter_async_context(replicas(folder, kinesis, dynamodb))
        yield source, shared, stack.enter_context(ExitStack())


async def balanced(shared: Replicas, shares: list[int]) -> None:
    """Wait until the leases are shared like that."""

    async def so() -> bool:
        return await shared.shares() == shares

    await until_true(so, what=f"shares of {shares}")


def gaps(shared: Replicas) -> list[float]:
    """For each time a shard went to another replica: the seconds between the last batch of one and the first of the other."""
    batches: dict[str, set[tuple[float, float, str]]] = {}
    for place in shared.places:
        for note in place.notes():
            if "id" in note:
                batches.setdefault(note["shard"], set()).add((note["began"], note["ended"], place.folder.name))
    found = []
    for of_shard in batches.values():
        ordered = sorted(of_shard)
        found += [after[0] - before[1] for before, after in pairwise(ordered) if before[2] != after[2]]
    return found


async def test_a_rolling_restart_under_load_loses_nothing_and_repeats_nothing(
    tmp_path: Path, kinesis_local: Emulator, ministack: Emulator
) -> None:
    """Two start at once and share; each is replaced by a new one that comes first: every record once, and no shard waits."""
    slow = 20.0
    async with shared_stream(tmp_path, kinesis_local, ministack) as (source, shared, processes):

        def start(name: str) -> subprocess.Popen[bytes]:
            return processes.enter_context(shared.place(name, source.arn, source=HELD, failover=slow).headrace())

        running = [start("a"), start("b")]
        await balanced(shared, [3, 3])
        async with load(shared, source):
            for name in ("c", "d"):
                running.append(start(name))
                await balanced(shared, [2, 2, 2])
                old = running.pop(0)
                terminate(old)
                assert await ended(old) == 0
                await balanced(shared, [3, 3])
            await until(lambda: all(place.count() for place in shared.places), what="records at each")
        await until(lambda: not shared.missing(), what="every record")
        assert set(shared.accepted().values()) == {1}
        assert max(gaps(shared)) < slow / 2, "they were given, not waited for"


async def test_a_killed_replica_is_taken_over_and_nothing_is_lost(
    tmp_path: Path, kinesis_local: Emulator, ministack: Emulator
) -> None:
    """Within two failovers the other has all shards; what was in flight is delivered again."""
    async with shared_stream(tmp_path, kinesis_local, ministack) as (source, shared, processes):
        first, second = (
            processes.enter_context(shared.place(name, source.arn, source=HELD).headrace()) for name in ("a", "b")
        )
        await balanced(shared, [3, 3])
        async with load(shared, source):
            await until(lambda: all(place.count() for place in shared.places), what="records at both")
            first.kill()
            await ended(first)
            killed = time.monotonic()
            await balanced(shared, [SHARDS])
            assert time.monotonic() - killed < 2 * FAILOVER
        await until(lambda: not shared.missing(), what="every record")
        terminate(second)
        assert await ended(second) == 0


async def test_a_replica_that_was_stopped_for_a_while_does_no_harm(
    tmp_path: Path, kinesis_local: Emulator, ministack: Emulator
) -> None:
    """SIGSTOP in the middle of a batch, SIGCONT when another has its shards: no checkpoint moves back, and nothing is lost."""
    async with shared_stream(tmp_path, kinesis_local, ministack) as (source, shared, processes):
        first, second = (
            processes.enter_context(shared.place(name, source.arn, source=HELD).headrace()) for name in ("a", "b")
        )
        await balanced(shared, [3, 3])
        shard = min(await shared.of(first))
        shared.hold(shard)
        async with load(shared, source):
            await until(lambda: shared.places[0].count("held"), what="a long batch")
            first.send_signal(signal.SIGSTOP)

            async def taken_over() -> bool:
                return len(await shared.of(second)) == SHARDS

            await until_true(taken_over, what="all shards with the other")
            shared.let_go(shard)
            before = await shared.checkpoints()

            async def went_on() -> bool:
                now = await shared.checkpoints()
                return len(now) == SHARDS and all(now[name] > before.get(name, -1) for name in now)

            await until_true(went_on, what="progress of every shard at the other")
            before = await shared.checkpoints()
            first.send_signal(signal.SIGCONT)

            async def shares_again() -> bool:
                now = await shared.checkpoints()
                assert all(now[name] >= at for name, at in before.items()), "a checkpoint moved back"
                before.update(now)
                return await shared.shares() == [3, 3]

            await until_true(shares_again, what="its share again")
        await until(lambda: not shared.missing(), what="every record")
        for process in (first, second):
            terminate(process)
            assert await ended(process) == 0


async def test_a_stop_gives_away_every_shard_but_the_one_whose_batch_runs(
    tmp_path: Path, kinesis_local: Emulator, ministack: Emulator
) -> None:
    """SIGTERM during a long invocation: others read the other shards of that replica at once, and this one after its batch."""
    async with shared_stream(tmp_path, kinesis_local, ministack) as (source, shared, processes):
        first, second = (
            processes.enter_context(shared.place(name, source.arn, source=HELD).headrace()) for name in ("a", "b")
        )
        await balanced(shared, [3, 3])
        shard = min(await shared.of(first))
        shared.hold(shard)
        async with load(shared, source):
            await until(lambda: shared.places[0].count("held"), what="a long batch")
            asked = time.monotonic()
            terminate(first)

            async def all_but_one() -> bool:
                return len(await shared.of(second)) == SHARDS - 1

            await until_true(all_but_one, what="its other shards with the other replica")
            assert time.monotonic() - asked < FAILOVER
            counted = await shared.counter(shard)

            async def renewed() -> bool:
                return await shared.counter(shard) >= counted + 4

            await until_true(renewed, what="renewals for more than a failover")
            assert await shared.of(first) == {shard}
            shared.let_go(shard)
            assert await ended(first) == 0
            await balanced(shared, [SHARDS])
        await until(lambda: not shared.missing(), what="every record")
        assert set(shared.accepted().values()) == {1}
