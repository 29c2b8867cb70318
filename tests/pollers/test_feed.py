"""What a source may do that Kinesis and DynamoDB Streams do not: name its end, pass what has no record, stop at gaps, be closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from structlog.testing import capture_logs

from pollers.aws.errors import AccessDenied, NotFound, Unavailable
from pollers.checkpoints.store import ShardCheckpoint
from pollers.errors import SourceUnusable
from pollers.sources.streams.closing import CLOSE_SECONDS
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import DiscardCondition, Discarded
from pollers.telemetry.recorder import Recorder
from tests.pollers.function import takes
from tests.pollers.store import WitnessedStore
from tests.pollers.streams import Feed
from tests.pollers.trial import Trial
from tests.pollers.worlds import STEP_LIMIT
from tests.worlds import virtual_time
from tests.worlds.call_faults import EveryNth, Failing, NoFaults
from tests.worlds.memory_feed import SHARD
from tests.worlds.passing_checkpoints import PassingCheckpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, MutableMapping

    from pollers.checkpoints.store import CheckpointStore, MappingCheckpoints, Opened
    from tests.pollers.store import Witness

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


# -- where LATEST begins -------------------------------------------------------------------------------------------------


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


# -- what is read without records ----------------------------------------------------------------------------------------


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


# -- cursors -------------------------------------------------------------------------------------------------------------


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


# -- a gap at which reading stops ----------------------------------------------------------------------------------------


def test_a_mapping_whose_history_is_lost_stops_until_it_is_reset() -> None:
    """At each start; what was read before is brought to its end first, since nobody can read it again."""

    async def main() -> None:
        world = Feed()
        world.feed.stops_at_gaps = True
        trial = Trial(world, takes(20), batch_size=1, timeout_seconds=100)

        async def lose() -> None:
            await trial.until_invoked()
            world.feed.put("k", "lost")
            world.feed.trim()

        async with anyio.create_task_group() as group:
            group.start_soon(lose)
            trial.put("first", "second")
            failure = await trial.failure()
        last = world.feed.changes[3].token
        lost = f"changes after {last} are lost"
        assert isinstance(failure, SourceUnusable)
        assert str(failure) == f"{lost}: CappedPositionLost: the cursor has fallen behind the log"
        told = f"{lost}: ChangeStreamHistoryLost: the resume token is no longer in the log"
        assert trial.accepted == ["first", "second"]

        trial.function.behaviour = takes(0.1)
        async with trial.supervised() as runtime:
            runner = trial.runner(runtime)
            trial.world.put("third")
            trial.witness.put("third", "k")
            await anyio.sleep(3_600)
            assert (runner.state, runner.problem) == (MappingState.BACKING_OFF, told)
            assert 60 <= runner.restarts <= 200
            assert len(trial.function.calls) == 2

            await reset(world)
            await virtual_time.eventually(lambda: "third" in trial.accepted, within=120)
            assert runner.problem is None
        assert not trial.of(Discarded)

    logs = run(main)
    first = next(line for line in logs if line["event"] == "reading cannot go on")
    assert (first["log_level"], first["mapping"]) == ("error", NAME)
    (cannot,) = [line for line in logs if line["event"] == "mapping cannot run and is tried again slowly"]
    assert (cannot["log_level"], str(cannot["error"]).startswith("changes after")) == ("error", True)


def test_a_stop_does_not_wait_for_what_was_read_before_a_gap() -> None:
    """It ends as ever: what is held goes back."""

    async def main() -> None:
        world = Feed()
        world.feed.stops_at_gaps = True
        trial = Trial(world, takes(20), batch_size=1, timeout_seconds=100)
        async with trial.running():
            trial.put("first", "second")
            await trial.until_invoked()
            world.feed.put("k", "lost")
            world.feed.trim()
            await anyio.sleep(10)
        assert trial.accepted == ["first"]

    run(main)


def test_a_source_that_cannot_say_whether_to_stop_is_asked_again() -> None:
    """Nothing is read over before it has answered."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        trial.put("first")
        async with trial.running():
            await trial.finish()
        world.feed.put("k", "lost")
        world.feed.trim()
        trial.put("second")
        world.faults = Failing(NotFound("ResourceNotFoundFault", "not now"), "history_lost", times=4)
        async with trial.running():
            await trial.finish()
        assert trial.accepted == ["first", "second"]
        assert [fact.condition for fact in trial.of(Discarded)] == [DiscardCondition.TRIMMED]

    run(main)


@pytest.mark.parametrize("stops", [False, True])
def test_a_pinned_end_that_is_lost_before_anything_is_read_is_a_gap_too(stops: bool) -> None:
    """It is reported, or the mapping stops: it does not wait for ever."""

    async def main() -> None:
        world = Feed()
        world.feed.stops_at_gaps = stops
        trial = Trial(world, starting_position="LATEST")
        world.feed.put("k", "before")
        world.faults = Failing(unavailable(), "iterator")
        async with trial.crashing():
            await anyio.sleep(5)
        world.faults = NoFaults()
        world.feed.put("k", "lost")
        world.feed.trim()
        if stops:
            with pytest.raises(SourceUnusable, match="are lost"):
                raise await trial.failure()
            return
        trial.put("event")
        async with trial.running():
            await trial.finish()
        assert [fact.condition for fact in trial.of(Discarded)] == [DiscardCondition.TRIMMED]

    run(main)


# -- the end of a source -------------------------------------------------------------------------------------------------


def test_a_source_is_closed_however_its_poller_ends() -> None:
    """In order, by a failure, by a crash, and when no poller could be made of it."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        trial.put("event")
        async with trial.running():
            assert world.feed.sources == 1
            await trial.finish()
        assert world.feed.sources == 0

        world.remove()
        await trial.failure()
        assert world.feed.sources == 0
        world.restore()

        async with trial.crashing():
            await anyio.sleep(1)
        assert world.feed.sources == 0

        trial.mapping = world.mapping(destination_config={"on_failure": {"destination": "arn:aws:s3:::elsewhere"}})
        with pytest.raises(LookupError, match="no s3"):
            await trial.make_poller()
        assert world.feed.sources == 0

    run(main)


def test_a_source_is_closed_when_its_poller_is_replaced() -> None:
    """A reload makes a new one; there are never two."""

    async def main() -> None:
        world = Feed()
        trial = Trial(world, batch_size=5)
        async with trial.supervised() as runtime:
            trial.put("first")
            await trial.finish()
            await runtime.reload(trial.configuration(trial.mapping.model_copy(update={"batch_size": 1})))
            trial.put("second")
            await trial.finish()
            assert world.feed.sources == 1
        assert world.feed.sources == 0

    run(main)


@pytest.mark.parametrize("failing", [True, False])
def test_a_source_that_cannot_be_closed_keeps_no_poller_from_ending(failing: bool) -> None:
    """It is logged. A stop waits for it for a bounded time."""

    class Hanging(NoFaults):
        async def before(self, operation: str) -> None:
            if operation == "aclose":
                await anyio.sleep_forever()
            await super().before(operation)

    async def main() -> None:
        world = Feed()
        trial = Trial(world)
        world.faults = Failing(ZeroDivisionError("a fault"), "aclose") if failing else Hanging()
        trial.put("event")
        async with trial.running():
            await trial.finish()
            stopped = anyio.current_time()
        assert anyio.current_time() - stopped < CLOSE_SECONDS + 2

    (line,) = [line for line in run(main) if "closed" in str(line["event"])]
    assert line["log_level"] == ("error" if failing else "warning")


def test_a_run_until_idle_gives_up_a_mapping_whose_history_is_lost() -> None:
    """After a while, with exit code 1: waiting cures nothing."""

    async def main() -> None:
        world = Feed()
        world.feed.stops_at_gaps = True
        trial = Trial(world)
        trial.put("first")
        async with trial.running():
            await trial.finish()
        world.feed.put("k", "lost")
        world.feed.trim()
        with anyio.fail_after(600):
            assert await trial.until_idle(quiet_seconds=2) == 1

    run(main)
