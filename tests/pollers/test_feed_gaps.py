"""A source that may have its mapping stop at a gap, and one that is closed."""

from __future__ import annotations

import anyio
import pytest

from pollers.aws.errors import NotFound
from pollers.errors import SourceUnusable
from pollers.sources.streams.closing import CLOSE_SECONDS
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import DiscardCondition, Discarded
from tests.pollers.feeds import NAME, reset, run, unavailable
from tests.pollers.function import takes
from tests.pollers.streams import Feed
from tests.pollers.trial import Trial
from tests.worlds import virtual_time
from tests.worlds.call_faults import Failing, NoFaults


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
