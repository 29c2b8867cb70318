"""Change streams whose next events have left the log before they were read: the mapping stops, and says what is lost."""

from __future__ import annotations

import anyio
import pytest
import structlog

from pollers.aws.errors import Unavailable
from pollers.errors import SourceUnusable
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import Discarded
from tests.faults.change_trial import EACH_SERVER, ChangeTrial, runs
from tests.pollers.function import takes
from tests.worlds import virtual_time
from tests.worlds.call_faults import Failing, NoFaults
from tests.worlds.memory_cluster import DOCUMENTDB, MONGODB, Server


@EACH_SERVER
@runs
async def test_lost_events_stop_the_mapping_at_each_start_until_it_is_reset(server: Server) -> None:
    """As AWS disables it. It is tried again slowly, and nothing is discarded: nobody knows what was lost."""
    trial = ChangeTrial(server)
    await trial.begin()
    async with trial.running():
        trial.put("first")
        await trial.finish()
    trial.cluster.insert({"_id": "lost"})
    await anyio.sleep(3_600)
    trial.cluster.trim()
    async with trial.supervised() as runtime:
        runner = trial.runner(runtime)
        trial.cluster.insert({"_id": "behind the gap"})
        await anyio.sleep(3_600)
        assert runner.state is MappingState.BACKING_OFF
        assert "has lost events" in str(runner.problem)
        assert "checkpoints reset" in str(runner.problem)
        assert trial.openings < 250
        assert trial.accepted == ["first"]
    async with trial.supervised() as runtime:
        await anyio.sleep(60)
        assert "has lost events" in str(trial.runner(runtime).problem)
        await trial.world.kept.forget(trial.mapping.name)
        await virtual_time.eventually(lambda: trial.runner(runtime).problem is None, within=600)
        await trial.until_caught_up()
        trial.put("second")
        await virtual_time.eventually(lambda: "second" in trial.accepted, within=60)
    assert trial.accepted == ["first", "second"]
    assert not trial.of(Discarded)


@pytest.mark.parametrize("knows_oldest", [True, False])
@runs
async def test_what_is_lost_is_told_by_its_times(knows_oldest: bool) -> None:
    """From the last event that was read to the oldest that is left, where the server says where its log begins."""
    trial = ChangeTrial(Server("MongoDB", "5.0.31", 13, knows_oldest=knows_oldest))
    await trial.begin()
    async with trial.running():
        trial.put("first")
        await trial.finish()
    await anyio.sleep(7_200)
    trial.cluster.trim()
    said = str(await trial.failure())
    assert "shop.orders" in said
    assert "2023-11-14 22:13" in said
    assert ("2023-11-15 00:13" in said) == knows_oldest


@pytest.mark.parametrize("beginning", ["LATEST", "TRIM_HORIZON"])
@runs
async def test_a_stream_that_falls_behind_while_it_is_open_stops_too(beginning: str) -> None:
    """With the real server's word for it, 136, wherever it was opened. What was read before is brought to its end first."""
    trial = ChangeTrial(DOCUMENTDB, takes(20), batch_size=1, timeout_seconds=100, starting_position=beginning)
    if beginning == "LATEST":
        await trial.begin()

    class FallingBehind(NoFaults):
        """The log goes on and leaves its place behind while a reply is awaited."""

        async def before(self, operation: str) -> None:
            await super().before(operation)
            if operation == "next" and len(trial.function.calls) == 1:
                trial.cluster.insert({"_id": "lost"})
                trial.cluster.trim()

    trial.world.faults = FallingBehind()
    trial.put("first", "second")
    failure = await trial.failure()
    assert isinstance(failure, SourceUnusable)
    assert "136" in str(failure)
    assert trial.accepted == ["first", "second"]


@runs
async def test_nothing_is_lost_where_the_log_was_trimmed_behind_the_reader() -> None:
    """What has been read may leave the log at any time."""
    trial = ChangeTrial(MONGODB)
    await trial.begin()
    async with trial.running():
        for number in range(20):
            trial.put(f"event {number}")
            await trial.finish()
            trial.cluster.trim()
            await anyio.sleep(2)
    assert len(trial.accepted) == 20


@runs
async def test_a_horizon_that_moves_while_it_is_looked_for_is_looked_for_again() -> None:
    """TRIM_HORIZON is what the log still has when the stream is opened."""
    trial = ChangeTrial(MONGODB, starting_position="TRIM_HORIZON")
    moved = 0

    class Moving(NoFaults):
        async def before(self, operation: str) -> None:
            nonlocal moved
            await super().before(operation)
            if operation == "open" and moved < 3:
                moved += 1
                await anyio.sleep(1)
                trial.cluster.trim()

    trial.world.faults = Moving()
    trial.cluster.insert({"_id": "gone"})
    async with trial.running():
        await anyio.sleep(30)
        trial.put("event")
        await trial.finish()
    assert moved > 1
    assert trial.accepted == ["event"]


@runs
async def test_a_beginning_that_has_left_the_log_stops_the_mapping() -> None:
    """A pin of LATEST that could not be read from in time is such a place, and so is a time that is too old."""
    trial = ChangeTrial(DOCUMENTDB)
    trial.world.faults = Failing(Unavailable("6", "nobody there"), "next")
    async with trial.crashing():
        await anyio.sleep(5)
    trial.world.faults = NoFaults()
    trial.cluster.insert({"_id": "lost"})
    trial.cluster.trim()
    assert "has lost events" in str(await trial.failure())
    old = ChangeTrial(
        DOCUMENTDB, starting_position="AT_TIMESTAMP", starting_position_timestamp=virtual_time.EPOCH - 9_000
    )
    assert "cannot begin" in str(await old.failure())


def test_the_loss_is_logged_as_an_error_once() -> None:
    """And the mapping's slow retries are told as for every unusable source."""

    async def main() -> None:
        trial = ChangeTrial(DOCUMENTDB)
        await trial.begin()
        trial.cluster.insert({"_id": "lost"})
        trial.cluster.trim()
        async with trial.supervised():
            await anyio.sleep(600)

    with structlog.testing.capture_logs() as logs:
        virtual_time.run(main)
    errors = [line for line in logs if line["log_level"] == "error" and "has lost events" in str(line)]
    assert 1 <= len({line["event"] for line in errors}) <= 2
