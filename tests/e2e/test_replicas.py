"""Replicas of one configuration share a stream through a lease table: real processes on emulators, signals and kill -9."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import ended, terminate, until_true
from tests.e2e.replicas import FAILOVER, command, replicas
from tests.e2e.streams import stream

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)


async def test_two_processes_share_a_stream_and_follow_each_other(
    tmp_path: Path, kinesis_local: Emulator, ministack: Emulator
) -> None:
    """Every record once while they share and when one stops; nothing lost, and shards taken over, when one is killed."""
    async with stream(kinesis_local, shards=4) as source, replicas(tmp_path, kinesis_local, ministack) as shared:
        one, two, three = (shared.place(name, source.arn) for name in ("one", "two", "three"))

        async def write(count: int) -> None:
            await shared.write(source, count)

        async def all_accepted() -> bool:
            return not shared.missing()

        async def two_and_two() -> bool:
            return await shared.shares() == [2, 2]

        async def all_of_one() -> bool:
            return await shared.shares() == [4]

        with two.headrace() as second:
            with one.headrace() as first:
                await write(200)
                await until_true(two_and_two, what="two shards for each")
                await write(400)
                await until_true(all_accepted, what="every record")
                assert one.count()
                assert two.count()
                shown = await command(one, "leases", "show", "--json")
                [mapping] = json.loads(shown.stdout)["mappings"]
                assert {shard["owner"] for shard in mapping["shards"]} == set(await shared.owners())
                assert all(shard["sign_seconds"] is not None for shard in mapping["shards"])
                refused = await command(one, "checkpoints", "reset", "--yes")
                assert refused.returncode == 1
                assert b"is in use by headrace/" in refused.stderr
                await write(400)
                stopped = time.monotonic()
                terminate(first)
                assert await ended(first) == 0, one.log.read_text()
            await until_true(all_of_one, what="all shards with the other")
            taken_after = time.monotonic() - stopped
            await until_true(all_accepted, what="every record")
            assert taken_after < FAILOVER, "they were given, not waited for"
            assert set(shared.accepted().values()) == {1}

            with three.headrace() as third:
                await until_true(two_and_two, what="two shards for the third")
                await write(400)
                second.kill()
                await ended(second)
                killed = time.monotonic()
                await until_true(all_of_one, what="all shards with the third")
                assert time.monotonic() - killed < 2 * FAILOVER + 2
                await write(200)
                await until_true(all_accepted, what="every record")
                terminate(third)
                assert await ended(third) == 0, three.log.read_text()
        assert await shared.shares() == []
        assert max(shared.accepted().values()) <= 2, "at most what was not saved when one was killed"
        reset = await command(one, "checkpoints", "reset", "--to", "TRIM_HORIZON", "--yes")
        assert (reset.returncode, reset.stdout) == (0, b"s: begins at TRIM_HORIZON when it is next started\n")
        shown = await command(one, "checkpoints", "show")
        assert b"begins at TRIM_HORIZON" in shown.stdout
