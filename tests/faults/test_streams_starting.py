"""Where reading begins, and that nothing is lost behind the pin of a first start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import anyio
import pytest

from pollers.aws.api import StartAt
from pollers.telemetry.facts import Polled, PollFailed
from tests.worlds import virtual_time
from tests.worlds.passing_checkpoints import PassingCheckpoints
from tests.worlds.stream_rig import Rig, eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pollers.checkpoints.store import CheckpointStore, MappingCheckpoints, Opened, ShardCheckpoint

KINDS = ("kinesis", "dynamodb")
Kind = Literal["kinesis", "dynamodb"]


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_latest_reads_what_is_written_after_the_first_start(kind: Kind) -> None:
    """And nothing from before, not even from shards that had ended."""
    rig = Rig(kind, starting_position="LATEST")
    rig.put("before")
    rig.stream.split(rig.only_shard)
    rig.put("before too")
    await anyio.sleep(2)
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 2)
        rig.put("after", key="a")
        rig.put("after too", key="b")
        await eventually(lambda: sorted(rig.accepted) == ["after", "after too"])


@virtual_time.test
async def test_a_clock_ahead_of_the_services_delays_latest_and_nothing_else() -> None:
    """Where replies have no date: Kinesis refuses to begin at a time that it has not reached."""
    rig = Rig(starting_position="LATEST")
    rig.stream.dates = False
    rig.clock.skew = 20
    async with rig.running():
        await anyio.sleep(60)
        rig.put("after")
        await eventually(lambda: rig.accepted == ["after"])
    assert any("future" in fact.error for fact in rig.of(PollFailed))


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_latest_is_pinned_so_that_a_crash_before_the_first_record_loses_nothing(kind: Kind) -> None:
    """What is written while the mapping is down is behind the pin."""
    rig = Rig(kind, starting_position="LATEST")
    rig.put("before")
    await anyio.sleep(2)
    async with rig.crashing():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
    await anyio.sleep(2)
    rig.put("while it was down")
    await anyio.sleep(2)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["while it was down"])


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_latest_loses_nothing_when_the_shard_is_split_while_the_mapping_is_down(kind: Kind) -> None:
    """start_from latest applied to child shards was a silent loss elsewhere."""
    rig = Rig(kind, starting_position="LATEST")
    async with rig.crashing():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
    await anyio.sleep(2)
    rig.put("parent")
    rig.stream.split(rig.only_shard)
    rig.put("child")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["parent", "child"])


@virtual_time.test
async def test_passing_over_old_records_is_remembered() -> None:
    """A shard that is passed over from its beginning after a restart is not passed over again at the next."""
    rig = Rig("dynamodb", starting_position="LATEST")
    rig.put("old", "older")
    await anyio.sleep(5)
    async with rig.crashing():
        await eventually(lambda: len(rig.of(Polled)) >= 1)
    async with rig.running():
        await eventually(lambda: len(rig.of(Polled)) >= 4)
    assert rig.accepted == []
    assert (await rig.checkpoints())[rig.only_shard.shard_id].sequence_number == "3"


@virtual_time.test
async def test_at_timestamp_reads_from_that_time() -> None:
    """Records that arrived before are left out, in every shard that is listed."""
    rig = Rig(starting_position="AT_TIMESTAMP", starting_position_timestamp=virtual_time.EPOCH + 10)
    rig.put("before")
    rig.stream.split(rig.only_shard)
    rig.put("before too")
    await anyio.sleep(11)
    rig.put("after")
    async with rig.running():
        await eventually(lambda: rig.accepted == ["after"])


class SecondToStart:
    """A store that another replica, which began at ``started``, was faster to pin."""

    least_interval_seconds = 0.0

    def __init__(self, inner: CheckpointStore, started: float) -> None:
        self._inner = inner
        self._started = started

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        opened = await self._inner.open(mapping, identity)
        return replace(opened, checkpoints=PinnedBefore(opened.checkpoints, self._started))

    async def __aenter__(self) -> SecondToStart:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(kind, error, traceback)


class PinnedBefore(PassingCheckpoints):
    """Pins what is pinned from another time, just before."""

    def __init__(self, inner: MappingCheckpoints, started: float) -> None:
        super().__init__(inner)
        self._start = StartAt("AT_TIMESTAMP", timestamp=started)

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``."""
        await self.inner.pin({name: replace(checkpoint, start=self._start) for name, checkpoint in shards.items()})
        return await self.inner.pin(shards)


@pytest.mark.parametrize("kind", KINDS)
@virtual_time.test
async def test_of_two_first_starts_the_first_decides_what_is_latest(kind: Kind) -> None:
    """What came between the two is owed, whoever reads the shard."""
    rig = Rig(kind, starting_position="LATEST")
    rig.put("before")
    await anyio.sleep(5)
    rig.store = SecondToStart(rig.store, rig.clock.time())
    await anyio.sleep(5)
    rig.put("between")
    await anyio.sleep(5)
    async with rig.running():
        await eventually(lambda: rig.accepted == ["between"])
