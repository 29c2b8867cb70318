"""Change streams that end: their collection is dropped or renamed, or their database dropped, and there again later."""

from __future__ import annotations

import anyio
import pytest

from pollers.aws.errors import Unavailable
from tests.faults.change_trial import EACH_SERVER, ChangeTrial, runs
from tests.pollers.function import fails_at_first
from tests.worlds.call_faults import EveryNth, Failing
from tests.worlds.memory_cluster import COLLECTION, DOCUMENTDB, MONGODB, Server


@EACH_SERVER
@pytest.mark.parametrize("how", ["drop", "rename"])
@runs
async def test_what_ends_a_collection_is_delivered_and_read_past(server: Server, how: str) -> None:
    """Both events, once; then those of the collection that is there again, without a restart of the mapping."""
    trial = ChangeTrial(server)
    await trial.begin()
    expected = []
    async with trial.running():
        for number in range(3):
            trial.put(f"before {number}")
            ending = trial.do(trial.cluster.drop if how == "drop" else lambda: trial.cluster.rename(COLLECTION, "old"))
            assert len(ending) == 2
            expected += [f"before {number}", *ending]
            if number:
                await trial.finish()
                await anyio.sleep(100)
        trial.put("last")
        await trial.finish()
        await anyio.sleep(3_600)
    assert trial.accepted == [*expected, "last"]
    assert trial.openings < 60, "it is opened again and again"


@EACH_SERVER
@runs
async def test_a_database_is_read_past_its_own_end(server: Server) -> None:
    """Drops and renames of collections are events like others; dropDatabase is followed by invalidate."""
    trial = ChangeTrial(server, database=True)
    await trial.begin()
    async with trial.running():
        trial.put("first")
        ending = trial.do(trial.cluster.drop)
        assert len(ending) == 1
        trial.put("second")
        ending += trial.do(trial.cluster.drop_database)
        assert [value.split()[0] for value in ending] == ["drop", "drop", "dropDatabase", "invalidate"]
        trial.put("third")
        await trial.finish()
    assert trial.accepted == ["first", ending[0], "second", *ending[1:], "third"]


@EACH_SERVER
@runs
async def test_a_restart_behind_an_invalidate_event_goes_on(server: Server) -> None:
    """Whether nothing, other things or events of the collection have happened since, and however the life before has ended."""
    for idle, crash in ((0, False), (300, False), (0, True), (300, True)):
        trial = ChangeTrial(server)
        await trial.begin()
        async with trial.crashing() if crash else trial.running():
            trial.put("first")
            ending = trial.do(trial.cluster.drop)
            await trial.finish()
            await anyio.sleep(idle)
        async with trial.running():
            await trial.until_caught_up()
        trial.cluster.noop()
        async with trial.running():
            await anyio.sleep(idle)
            trial.put("second")
            await trial.finish()
        assert trial.accepted == ["first", *ending, "second"]


@EACH_SERVER
@runs
async def test_crashes_around_an_invalidate_event_lose_nothing(server: Server) -> None:
    """At each step: what was not checkpointed comes again, in order, and it ends."""
    for step in range(3, 90, 3):
        trial = ChangeTrial(server, fails_at_first(1, lambda call: call.failed()), batch_size=2)
        await trial.begin()
        trial.put("first")
        ending = trial.do(trial.cluster.drop)
        trial.put("second")
        ending += trial.do(trial.cluster.drop)
        trial.put("third")
        await trial.crash_at(step)
        async with trial.running():
            await trial.finish()
        expected = ["first", ending[0], ending[1], "second", ending[2], ending[3], "third"]
        assert list(dict.fromkeys(trial.accepted)) == expected


@pytest.mark.parametrize("code", ["9", "72", "260", "280", "303", "40415"])
@runs
async def test_however_a_server_refuses_start_after_the_time_goes_past(code: str) -> None:
    """One increment above the event's: at the same one the two would come again without end."""
    trial = ChangeTrial(Server("DocumentDB", "5.0.0", 13, start_after=code))
    await trial.begin()
    trial.put("first")
    ending = trial.do(trial.cluster.drop)
    trial.put("second")
    async with trial.running():
        await trial.finish()
        await anyio.sleep(600)
    assert trial.accepted == ["first", *ending, "second"]


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("server", [MONGODB, DOCUMENTDB])
@runs
async def test_calls_that_fail_around_an_invalidate_event_change_nothing(server: Server, lost: bool) -> None:
    """Each event comes once, in order."""
    trial = ChangeTrial(server)
    await trial.begin()
    expected = []
    trial.world.faults = EveryNth(lambda: Unavailable("189", "the primary has stepped down"), 3, lost=lost)
    async with trial.running():
        for number in range(10):
            trial.put(f"event {number}")
            expected += [f"event {number}", *trial.do(trial.cluster.drop)]
            await anyio.sleep(1)
        await trial.finish()
    assert trial.accepted == expected


@runs
async def test_events_behind_an_invalidate_event_that_has_left_the_log_are_not_read_over() -> None:
    """The mapping stops, as where any other place has left it."""
    trial = ChangeTrial(DOCUMENTDB)
    await trial.begin()
    async with trial.running():
        trial.do(trial.cluster.drop)
        await trial.finish()
    trial.cluster.insert({"_id": "lost"})
    trial.cluster.trim()
    failure = await trial.failure()
    assert "has lost events" in str(failure)
    trial.world.faults = Failing(Unavailable("6", "nobody there"), "oldest")
    assert "has lost events" in str(await trial.failure())
