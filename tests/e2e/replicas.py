"""Replicas of one configuration for end-to-end tests: a folder and a journal each, and the lease table that they share."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from tests.e2e.harness import Workplace
from tests.e2e.streams import READING, mapping_of
from tests.emulators import plain_client, unique

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pollers.emulators import Emulator
    from tests.e2e.streams import Stream

FAILOVER = 4
QUICK = (
    READING
    + """
    def handler(event, context):
        for record in event["Records"]:
            accept(record)
"""
)
HELD = (
    READING
    + """
    def handler(event, context):
        shard = event["Records"][0]["eventID"].split(":")[0]
        began = time.monotonic()
        hold = os.environ["HOLD"] + shard
        if os.path.exists(hold):
            note(held=shard)
        while os.path.exists(hold):
            time.sleep(0.02)
        for record in event["Records"]:
            accept(record, began=began, ended=time.monotonic())
"""
)
"""A batch lasts as long as there is a file of its shard's name (:meth:`Replicas.hold`)."""


class Replicas:
    """Workplaces of one configuration, each with a folder and a journal of its own, and the table that they share."""

    def __init__(self, folder: Path, kinesis: Emulator, dynamodb: Emulator, client: Any) -> None:  # noqa: ANN401 - the SDK's
        self._folder = folder
        self._kinesis = kinesis
        self._dynamodb = dynamodb
        self._client = client
        self._prefix = unique("leases")
        self.places: list[Workplace] = []
        self.written: list[str] = []

    @property
    def table(self) -> str:
        """The table's name."""
        return f"{self._prefix}-s"

    def place(
        self,
        name: str,
        arn: str,
        *,
        source: str = QUICK,
        failover: float = FAILOVER,
        **settings: Any,  # noqa: ANN401 - YAML
    ) -> Workplace:
        """A folder for one more replica."""
        folder = self._folder / name
        folder.mkdir()
        place = Workplace(folder, self._kinesis)
        place.function(source)
        place.configure(
            {"s": mapping_of(arn, **{"batch_size": 10, **settings})},
            function={
                "timeout": 120,
                "concurrency": 10,
                "environment": {"JOURNAL": str(place.journal), "HOLD": str(self._folder / "hold-")},
            },
            aws={
                "region": self._kinesis.region,
                "endpoint_urls": {"kinesis": self._kinesis.endpoint_url, "dynamodb": self._dynamodb.endpoint_url},
            },
            runtime={
                "checkpoints": f"dynamodb:{self._prefix}-{{mapping}}",
                "leases": {"failover": failover, "interval": 0.2},
                "state": str(folder / "state"),
                "shutdown_grace": 120,
            },
        )
        self.places.append(place)
        return place

    def hold(self, shard_id: str) -> None:
        """Batches of this shard last until :meth:`let_go`."""
        (self._folder / f"hold-{shard_id}").touch()

    def let_go(self, shard_id: str) -> None:
        """See :meth:`hold`."""
        (self._folder / f"hold-{shard_id}").unlink()

    async def write(self, stream: Stream, count: int) -> None:
        """Write that many records more, under 37 keys."""
        values = [f"{len(self.written) + number:05}" for number in range(count)]
        await stream.put_pairs([(f"k{int(value) % 37}", value) for value in values])
        self.written.extend(values)

    async def items(self) -> list[dict[str, Any]]:
        """Every lease."""
        found: list[dict[str, Any]] = (await self._client.scan(TableName=self.table, ConsistentRead=True))["Items"]
        return found

    async def owned(self) -> dict[str, str]:
        """Each owned shard's owner."""
        try:
            items = await self.items()
        except self._client.exceptions.ResourceNotFoundException:
            return {}
        return {
            item["leaseKey"]["S"]: item["leaseOwner"]["S"]
            for item in items
            if "leaseOwner" in item and item["checkpoint"]["S"] != "SHARD_END"
        }

    async def owners(self) -> Counter[str]:
        """How many leases each owner has."""
        return Counter((await self.owned()).values())

    async def shares(self) -> list[int]:
        """How many each has, in order."""
        return sorted((await self.owners()).values())

    async def of(self, process: subprocess.Popen[bytes]) -> set[str]:
        """The shards of one replica."""
        return {shard for shard, owner in (await self.owned()).items() if owner.split("/")[2] == str(process.pid)}

    async def checkpoints(self) -> dict[str, int]:
        """How far each shard is; those whose first record is not done are left out."""
        found = {item["leaseKey"]["S"]: item["checkpoint"]["S"] for item in await self.items()}
        return {shard: int(text) for shard, text in found.items() if text.isdigit()}

    async def counter(self, shard_id: str) -> int:
        """The counter of one lease."""
        [found] = [item for item in await self.items() if item["leaseKey"]["S"] == shard_id]
        return int(found["leaseCounter"]["N"])

    def accepted(self) -> Counter[str]:
        """How often each record was accepted, by whomever."""
        total: Counter[str] = Counter()
        for place in self.places:
            total += place.count()
        return total

    def missing(self) -> set[str]:
        """What was written, and nobody has accepted."""
        return set(self.written) - self.accepted().keys()


@asynccontextmanager
async def replicas(folder: Path, kinesis: Emulator, dynamodb: Emulator) -> AsyncIterator[Replicas]:
    """No replica yet."""
    async with plain_client(dynamodb, "dynamodb") as client:
        yield Replicas(folder, kinesis, dynamodb, client)


async def command(place: Workplace, name: str, what: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A command of ``headrace`` on the configuration, at its end."""
    line = [sys.executable, "-m", "pollers", name, what, str(place.folder / "headrace.yaml"), *arguments]
    return await anyio.run_process(line, check=False)
