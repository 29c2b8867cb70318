"""Any sequence of operations, restarts included, has the same effects on the SQLite store as on the one in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from pollers.aws.api import StartAt
from pollers.checkpoints import (
    CheckpointStore,
    LanesDone,
    LeaseLost,
    MemoryStore,
    OpenWindow,
    ShardCheckpoint,
    SqliteStore,
)
from pollers.storage.errors import StoreError

if TYPE_CHECKING:
    from pollers.checkpoints import Lease, MappingCheckpoints

MAPPINGS = st.sampled_from(["clicks", "audit"])
IDENTITIES = st.sampled_from(["stream@1", "stream@2"])
SHARDS = st.sampled_from(["shard-0", "shard-1", "shard-2"])
TOKENS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
"""Positions of sources that do not number their records."""
STARTS = st.one_of(
    st.sampled_from([StartAt("TRIM_HORIZON"), StartAt("LATEST")]),
    st.builds(lambda seconds: StartAt("AT_TIMESTAMP", timestamp=seconds), st.floats(0, 2e9)),
    st.builds(lambda token: StartAt("AFTER_SEQUENCE_NUMBER", sequence_number=token), TOKENS),
)
WINDOWS = st.one_of(st.none(), st.builds(OpenWindow, st.floats(0, 2e9), st.floats(0, 2e9), st.binary(max_size=20)))
CHECKPOINTS = st.builds(
    ShardCheckpoint,
    sequence_number=st.one_of(st.none(), st.integers(0, 10**128).map(str), TOKENS),
    start=STARTS,
    ended=st.booleans(),
    window=WINDOWS,
    parents=st.lists(SHARDS, max_size=2).map(tuple),
    ahead=st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, 10**128).map(str)), min_size=1, max_size=10).map(
            lambda upto: LanesDone(tuple(upto))
        ),
        max_size=3,
    ).map(tuple),
)
SOME = st.dictionaries(SHARDS, CHECKPOINTS, max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("open"), MAPPINGS, IDENTITIES),
    st.tuples(st.just("pin"), MAPPINGS, SOME),
    st.tuples(st.just("take"), MAPPINGS, st.lists(SHARDS, max_size=3)),
    st.tuples(st.just("save"), st.integers(0, 9), CHECKPOINTS),
    st.tuples(st.just("end"), st.integers(0, 9), CHECKPOINTS, SOME),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("forget"), MAPPINGS, st.lists(SHARDS, max_size=2)),
    st.tuples(st.just("load"), MAPPINGS),
    st.tuples(st.just("restart")),
)

BEGIN: list[tuple[Any, ...]] = [
    ("open", "clicks", "stream@1"),
    ("pin", "clicks", {"shard-0": ShardCheckpoint(), "shard-1": ShardCheckpoint("7")}),
    ("take", "clicks", ["shard-0", "shard-1"]),
]


class Trace:
    """One store driven by steps; ``seen`` is all that its callers see of it."""

    def __init__(self, store: CheckpointStore) -> None:
        self.store = store
        self.opened: dict[str, MappingCheckpoints] = {}
        self.leases: list[tuple[MappingCheckpoints, Lease]] = []
        self.seen: list[Any] = []

    async def run(self, steps: list[tuple[Any, ...]]) -> list[Any]:
        """Take the steps; what was seen."""
        await self.store.__aenter__()
        try:
            for name, *arguments in steps:
                try:
                    result = await getattr(self, name)(*arguments)
                except LeaseLost:
                    result = "lost"
                except StoreError:
                    result = "refused"
                self.seen.append((name, result, [lease.lost.is_set() for _, lease in self.leases]))
        finally:
            await self.store.__aexit__(None, None, None)
        return self.seen

    async def open(self, mapping: str, identity: str) -> object:
        """Open a mapping."""
        opened = await self.store.open(mapping, identity)
        self.opened[mapping] = opened.checkpoints
        return opened.fresh, opened.previous_identity, opened.start

    async def pin(self, mapping: str, shards: dict[str, ShardCheckpoint]) -> None:
        """Pin shards of a mapping that is open."""
        if mapping in self.opened:
            await self.opened[mapping].pin(shards)

    async def take(self, mapping: str, shard_ids: list[str]) -> object:
        """Take leases."""
        if mapping not in self.opened:
            return None
        checkpoints = self.opened[mapping]
        taken = await checkpoints.take_leases(shard_ids)
        self.leases += [(checkpoints, taken[shard_id]) for shard_id in sorted(taken)]
        return sorted(taken)

    async def save(self, which: int, checkpoint: ShardCheckpoint) -> None:
        """Save with one of the leases, lost or not."""
        for checkpoints, lease in self._lease(which):
            await checkpoints.save(lease, checkpoint)

    async def end(self, which: int, checkpoint: ShardCheckpoint, children: dict[str, ShardCheckpoint]) -> None:
        """End a shard with one of the leases."""
        for checkpoints, lease in self._lease(which):
            await checkpoints.end(lease, checkpoint, children)

    async def release(self, which: int) -> None:
        """Release one of the leases."""
        for checkpoints, lease in self._lease(which):
            await checkpoints.release([lease])

    def _lease(self, which: int) -> list[tuple[MappingCheckpoints, Lease]]:
        return [self.leases[which % len(self.leases)]] if self.leases else []

    async def forget(self, mapping: str, shard_ids: list[str]) -> None:
        """Forget shards."""
        if mapping in self.opened:
            await self.opened[mapping].forget(shard_ids)

    async def load(self, mapping: str) -> object:
        """Load a mapping's checkpoints."""
        return await self.opened[mapping].load() if mapping in self.opened else None

    async def restart(self) -> None:
        """Leave the store and enter it again, as a new process would."""
        await self.store.__aexit__(None, None, None)
        self.opened.clear()
        self.leases.clear()
        await self.store.__aenter__()


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=25))
def test_sqlite_does_what_memory_does(steps: list[tuple[Any, ...]]) -> None:
    """Results, refusals, lost leases and what is loaded afterwards."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            expected = await Trace(MemoryStore()).run(BEGIN + steps)
            assert await Trace(SqliteStore(Path(folder) / "checkpoints.db")).run(BEGIN + steps) == expected

    anyio.run(main)
