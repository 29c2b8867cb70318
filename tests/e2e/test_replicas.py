"""Replicas of one configuration share a stream through a lease table: real processes on emulators, signals and kill -9."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.e2e.harness import Workplace, ended, terminate, until_true
from tests.e2e.streams import READING, mapping_of, stream
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pollers.emulators import Emulator

pytestmark = pytest.mark.timeout(300)

FAILOVER = 4
QUICK = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record)
"""
)


class Replicas:
    """Workplaces of one configuration, each with a folder and a journal of its own, and the table that they share."""

    def __init__(self, folder: Path, kinesis: Emulator, dynamodb: Emulator, client: Any) -> None:  # noqa: ANN401 - the SDK's
        self._folder = folder
        self._kinesis = kinesis
        self._dynamodb = dynamodb
        self._client = client
        self._prefix = unique("leases")
        self._places: list[Workplace] = []

    @property
    def table(self) -> str:
        """The table's name."""
        return f"{self._prefix}-s"

    def place(self, name: str, arn: str, **settings: Any) -> Workplace:  # noqa: ANN401 - YAML
        """A folder for one more replica."""
        folder = self._folder / name
        folder.mkdir()
        place = Workplace(folder, self._kinesis)
        place.function(QUICK)
        place.configure(
            {"s": mapping_of(arn, batch_size=10, **settings)},
            aws={
                "region": self._kinesis.region,
                "endpoint_urls": {"kinesis": self._kinesis.endpoint_url, "dynamodb": self._dynamodb.endpoint_url},
            },
            runtime={
                "checkpoints": f"dynamodb:{self._prefix}-{{mapping}}",
                "leases": {"failover": FAILOVER, "interval": 0.2},
                "state": str(folder / "state"),
            },
        )
        self._places.append(place)
        return place

    async def items(self) -> list[dict[str, Any]]:
        """Every lease."""
        found: list[dict[str, Any]] = (await self._client.scan(TableName=self.table, ConsistentRead=True))["Items"]
        return found

    async def owners(self) -> Counter[str]:
        """How many leases each owner has."""
        try:
            items = await self.items()
        except self._client.exceptions.ResourceNotFoundException:
            return Counter()
        return Counter(item["leaseOwner"]["S"] for item in items if "leaseOwner" in item)

    async def shares(self) -> list[int]:
        """How many each has, in order."""
        return sorted((await self.owners()).values())

    def accepted(self) -> Counter[str]:
        """How often each record was accepted, by whomever."""
        total: Counter[str] = Counter()
        for place in self._places:
            total += place.count()
        return total


@asynccontextmanager
async def replicas(folder: Path, kinesis: Emulator, dynamodb: Emulator) -> AsyncIterator[Replicas]:
    """No replica yet."""
    async with plain_client(dynamodb, "dynamodb") as client:
        yield Replicas(folder, kinesis, dynamodb, client)


async def test_two_processes_share_a_stream_and_follow_each_other(
    tmp_path: Path, kinesis_local: Emulator, ministack: Emulator
) -> None:
    """Every record once while they share and when one stops; nothing lost, and shards taken over, when one is killed."""
    async with stream(kinesis_local, shards=4) as source, replicas(tmp_path, kinesis_local, ministack) as shared:
        one, two, three = (shared.place(name, source.arn) for name in ("one", "two", "three"))
        written: list[str] = []

        async def write(count: int) -> None:
            values = [f"{len(written) + number:05}" for number in range(count)]
            await source.put_pairs([(f"k{int(value) % 37}", value) for value in values])
            written.extend(values)

        async def all_accepted() -> bool:
            return shared.accepted().keys() >= set(written)

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
        assert sum(shared.accepted().values()) - len(written) <= 2 * 2 * 10
        reset = await command(one, "checkpoints", "reset", "--to", "TRIM_HORIZON", "--yes")
        assert (reset.returncode, reset.stdout) == (0, b"s: begins at TRIM_HORIZON when it is next started\n")
        shown = await command(one, "checkpoints", "show")
        assert b"begins at TRIM_HORIZON" in shown.stdout


async def command(place: Workplace, name: str, what: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A command of ``headrace`` on the configuration, at its end."""
    line = [sys.executable, "-m", "pollers", name, what, str(place.folder / "headrace.yaml"), *arguments]
    return await anyio.run_process(line, check=False)
