"""A stream whose lease table the Kinesis Client Library has left: what it had done is done, however little it left of it."""

from __future__ import annotations

import anyio
import pytest

from tests.unit.leases.replicas import store_on
from tests.unit.leases.test_with_kcl import lease_of_kcl, table_of_kcl
from tests.worlds import virtual_time
from tests.worlds.stream_rig import Rig, eventually


@pytest.mark.parametrize("generations", [1, 2, 4])
@virtual_time.test
async def test_ended_shards_whose_leases_were_cleaned_away_are_not_read_again(generations: int) -> None:
    """However many there are before the one that has begun, and though the stream lists them all and has their records."""
    rig = Rig(batch_size=1)
    for generation in range(generations):
        rig.put(f"done {generation}")
        rig.stream.roll(rig.only_shard)
    rig.put("done", "next")
    shard = rig.only_shard
    number = int(shard.shard_id.rpartition("-")[2])
    done = str(shard.records[0].number)
    table = table_of_kcl(lease_of_kcl(number, done, parentShardId={"SS": list(shard.parents)}, owner=None))
    async with store_on(table.handle("a")) as rig.store, rig.running():
        await eventually(lambda: "next" in rig.accepted, within=60)
        await anyio.sleep(60)
        assert rig.accepted == ["next"]
