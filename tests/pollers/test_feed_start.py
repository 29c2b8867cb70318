"""A source that names the position at its end: where LATEST begins, whatever goes wrong until it is pinned."""

from __future__ import annotations

import anyio
import pytest

from pollers.aws.errors import AccessDenied
from pollers.checkpoints.store import ShardCheckpoint
from pollers.errors import SourceUnusable
from tests.pollers.feeds import OvertakenStore, pinned, run, unavailable
from tests.pollers.streams import Feed
from tests.pollers.trial import Trial
from tests.worlds.call_faults import Failing, NoFaults
from tests.worlds.memory_feed import SHARD


def test_latest_is_pinned_as_the_position_that_the_source_names() -> None:
    """Before anything is read: what comes while the first poller cannot read, and after its end, is read by the next."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world, starting_position="LATEST")
        world.feed.put("k", "before")
        end = world.feed.put_elsewhere()
        world.faults = Failing(unavailable(), "iterator", "records")
        async with trial.crashing():
            await anyio.sleep(5)
        ((_, kept),) = (await pinned(world)).items()
        assert (kept.sequence_number, kept.start.kind, kept.start.sequence_number) == (
            None,
            "AFTER_SEQUENCE_NUMBER",
            end,
        )

        world.faults = NoFaults()
        trial.put("while it was down")
        async with trial.running():
            trial.put("later")
            await trial.finish()
        assert trial.accepted == ["while it was down", "later"]

    run(main)


@pytest.mark.parametrize("lost", [False, True])
def test_an_end_that_cannot_be_asked_for_is_waited_for(lost: bool) -> None:
    """Nothing is pinned or read meanwhile: nobody knows yet where the beginning is."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world, starting_position="LATEST")
        world.feed.put("k", "before")
        world.faults = Failing(unavailable(), "tip", times=5, lost=lost)
        async with trial.running():
            await anyio.sleep(1)
            assert await pinned(world) == {}
            await trial.until_caught_up()
            trial.put("first", "second")
            await trial.finish()
        assert trial.accepted == ["first", "second"]

    run(main)


def test_an_end_that_may_not_be_asked_for_makes_the_source_unusable() -> None:
    """And nothing is pinned."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world, starting_position="LATEST")
        world.faults = Failing(AccessDenied("AccessDenied", "no tip for you", status=403), "tip")
        with pytest.raises(SourceUnusable, match="no tip for you"):
            raise await trial.failure()
        assert await pinned(world) == {}

    run(main)


def test_a_stop_while_the_end_is_asked_for_pins_nothing() -> None:
    """The next start is the first one."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world, starting_position="LATEST")
        asked = anyio.Event()

        class Hanging(NoFaults):
            async def before(self, operation: str) -> None:
                if operation == "tip":
                    asked.set()
                    await anyio.sleep_forever()

        world.faults = Hanging()
        async with trial.running():
            await asked.wait()
        world.faults = NoFaults()
        assert await pinned(world) == {}
        world.feed.put("k", "between")
        async with trial.running():
            await trial.until_caught_up()
            trial.put("event")
            await trial.finish()
        assert trial.accepted == ["event"]

    run(main)


def test_of_two_first_starts_the_one_that_pinned_decides() -> None:
    """A replica that found a later end reads from the earlier one, too: what came in between is not lost."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world, starting_position="LATEST")
        world.feed.put("k", "before")
        earlier = await world.feed.tip()
        trial.put("in between")
        world.store = OvertakenStore(world.kept, world.written, {SHARD: ShardCheckpoint(start=earlier)})
        async with trial.running():
            trial.put("later")
            await trial.finish()
        assert trial.accepted == ["in between", "later"]

    run(main)
