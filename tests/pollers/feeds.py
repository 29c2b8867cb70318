"""What the tests of the feed share: how they run, what is kept of their mapping, and stores that others write into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from pollers.aws.errors import Unavailable
from tests.pollers.store import WitnessedStore
from tests.pollers.worlds import STEP_LIMIT
from tests.worlds import virtual_time
from tests.worlds.passing_checkpoints import PassingCheckpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, MutableMapping

    from pollers.checkpoints.store import CheckpointStore, MappingCheckpoints, Opened, ShardCheckpoint
    from tests.pollers.store import Witness
    from tests.pollers.streams import Feed

NAME = "trial"


class AdoptingStore(WitnessedStore):
    """A store whose checkpoints are another consumer's."""

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        return replace(await super().open(mapping, identity), fresh=False, adopted=frozenset({"shardId-0"}))


class OvertakenStore(WitnessedStore):
    """A store into which another replica has pinned when this one does."""

    def __init__(self, inner: CheckpointStore, witness: Witness, others: Mapping[str, ShardCheckpoint]) -> None:
        super().__init__(inner, witness)
        self._others = others

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        opened = await super().open(mapping, identity)
        return replace(opened, checkpoints=_Overtaken(opened.checkpoints, self._others))


class _Overtaken(PassingCheckpoints):
    def __init__(self, inner: MappingCheckpoints, others: Mapping[str, ShardCheckpoint]) -> None:
        super().__init__(inner)
        self._others = others

    async def pin(self, shards: Mapping[str, ShardCheckpoint]) -> frozenset[str]:
        """See ``MappingCheckpoints.pin``."""
        await self.inner.pin(self._others)
        return await self.inner.pin(shards)


def unavailable() -> Exception:
    """Nothing answers."""
    return Unavailable("ServiceUnavailable", "down", status=503)


def run(main: Callable[[], Coroutine[None, None, None]]) -> list[MutableMapping[str, object]]:
    """Run a test under virtual time; what it logged."""
    with capture_logs() as logs:
        virtual_time.run(main, step_limit=STEP_LIMIT)
    return list(logs)


async def pinned(world: Feed) -> dict[str, ShardCheckpoint]:
    """What is kept of the mapping."""
    feed = await world.feed.describe()
    return await (await world.kept.open(NAME, feed.identity)).checkpoints.load()


async def reset(world: Feed) -> None:
    """As ``headrace checkpoints reset`` does."""
    await world.kept.forget(NAME)
