"""A source that passes what has no record, and whose iterators do not outlast a failure."""

from __future__ import annotations

import anyio
import pytest

from pollers.errors import SourceUnusable
from pollers.telemetry.recorder import Recorder
from tests.pollers.feeds import NAME, AdoptingStore, run, unavailable
from tests.pollers.function import takes
from tests.pollers.streams import Feed
from tests.pollers.trial import Trial
from tests.worlds import virtual_time
from tests.worlds.call_faults import EveryNth


def test_what_is_passed_without_records_moves_the_checkpoint() -> None:
    """A later start need not go through all of it again."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        trial.put("event")
        async with trial.running():
            await trial.finish()
            for _ in range(3):
                last = world.feed.put_elsewhere()
            await virtual_time.eventually(lambda: world.saved[-1].sequence_number == last)
        writes = len(world.saved)
        async with trial.running():
            await anyio.sleep(60)
        assert len(world.saved) == writes, "nothing has moved, and yet it was written"

    run(main)


def test_what_is_passed_without_records_does_not_move_the_checkpoint_past_held_ones() -> None:
    """Whatever is read meanwhile; after a crash they come again."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world, takes(1_000), batch_size=1, timeout_seconds=2_000)
        async with trial.crashing():
            done = world.feed.put_elsewhere()
            trial.put("held")
            await trial.until_invoked()
            for _ in range(20):
                world.feed.put_elsewhere()
                await anyio.sleep(2)
            assert {one.sequence_number for one in world.saved} <= {done}
        trial.function.behaviour = takes(0.1)
        async with trial.running():
            await trial.finish()
        assert trial.invoked == [["held"], ["held"]]

    run(main)


def test_a_store_whose_writes_cost_money_is_not_written_to_at_every_poll() -> None:
    """Its interval holds for what is passed without records, too, and the last of it is written at the end."""

    async def main() -> None:
        world = Feed()
        world.store.least_interval_seconds = 30.0
        trial = Trial(world)
        async with trial.running():
            for _ in range(120):
                last = world.feed.put_elsewhere()
                await anyio.sleep(1)
        assert len(world.saved) <= 6
        assert world.saved[-1].sequence_number == last

    run(main)


def test_the_history_of_an_event_knows_that_a_position_behind_it_was_written() -> None:
    """The position itself is not an event's, and nobody can compare it."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        recorder = Recorder()
        trial.put("event")
        async with trial.running():
            await trial.finish()
        for fact in trial.witness.facts:
            recorder(NAME, fact)
        (moments,) = recorder.searching(world.feed.changes[0].token)
        assert [moment.what for moment in moments][-2:] == ["accepted", "checkpointed"]

    run(main)


def test_checkpoints_of_a_consumer_that_numbers_records_are_refused() -> None:
    """They say nothing of a source with positions of another kind, which must not be read from its beginning for their sake."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        trial.put("event")
        world.store = AdoptingStore(world.kept, lambda shard_id, checkpoint, ended: None)
        with pytest.raises(SourceUnusable, match=r"of shardId-0 were written by another consumer.*table of its own"):
            raise await trial.failure()
        assert not trial.function.calls

    run(main)


@pytest.mark.parametrize("lost", [False, True])
def test_an_iterator_that_does_not_last_is_dropped_at_the_first_failure(lost: bool) -> None:
    """It is never used again."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        world.faults = EveryNth(unavailable, 3, lost=lost)
        async with trial.running():
            for number in range(20):
                trial.put(f"event {number}")
                await anyio.sleep(0.7)
            await trial.finish()
        assert world.feed.expired == 0
        assert len(trial.accepted) == 20

    run(main)
