"""The stop in two steps: what runs finishes and is acknowledged; in a hurry it is abandoned and handed back. Both are quick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import Throttled, Unavailable
from pollers.telemetry.facts import Invoked
from tests.pollers.function import accept, fails_on, takes
from tests.pollers.trial import Trial
from tests.pollers.worlds import each_world
from tests.worlds.call_faults import Failing

if TYPE_CHECKING:
    from tests.pollers.world import World

STOP_SECONDS = 2.0
"""What a stop may take over and above the invocations that it waits for."""
SOON_SECONDS = 10.0
"""In which what was handed back is with a function again: a subscription may need five seconds."""


@each_world()
async def test_a_stop_lets_what_runs_finish_acknowledges_it_and_starts_nothing_new(world: World) -> None:
    """And what waited is there for the next poller at once, in order."""
    trial = Trial(world, takes(10), batch_size=2, concurrency=1, timeout_seconds=20)
    for number in range(30):
        trial.put(f"event {number}", key=f"key {number % 3}")
    async with trial.running():
        await trial.until_invoked()
        await anyio.sleep(2)
        began = anyio.current_time()
        trial.stop.request()
    assert anyio.current_time() - began <= 8 + STOP_SECONDS
    assert len(trial.function.calls) == 1
    assert sorted(trial.acknowledged) == sorted(trial.invoked[0])

    trial.function.behaviour = accept
    began = anyio.current_time()
    async with trial.running():
        await trial.finish()
    assert anyio.current_time() - began <= SOON_SECONDS, "what was handed back came late"
    assert len(trial.accepted) == 30, "repeated after a stop in order"


@each_world()
async def test_a_hurried_stop_abandons_what_runs_and_hands_it_back(world: World) -> None:
    """It is not acknowledged, and there for the next poller soon, however long it has been held."""
    trial = Trial(world, takes(1_000), batch_size=2, timeout_seconds=60)
    trial.put("first", "second")
    async with trial.running():
        await trial.until_invoked()
        await anyio.sleep(45)
        trial.stop.request()
        await anyio.sleep(5)
        assert trial.function.running, "not before it is told to hurry"
        began = anyio.current_time()
        trial.stop.hurry()
    assert anyio.current_time() - began <= STOP_SECONDS
    assert {fact.outcome for fact in trial.of(Invoked)} == {"abandoned"}
    assert not trial.acknowledged

    trial.function.behaviour = accept
    began = anyio.current_time()
    async with trial.running():
        await trial.finish()
    assert anyio.current_time() - began <= SOON_SECONDS, "what was abandoned came late"


@each_world()
async def test_a_stop_that_comes_before_the_start_is_not_lost(world: World) -> None:
    """Nothing is received."""
    trial = Trial(world)
    trial.put("event")
    poller = await trial.make_poller()
    trial.stop.request()
    began = anyio.current_time()
    await poller.run()
    assert anyio.current_time() - began <= STOP_SECONDS
    trial.check_stopped()
    assert not trial.function.calls


@each_world()
async def test_an_idle_poller_stops_soon(world: World) -> None:
    """It waits for no long poll."""
    trial = Trial(world)
    async with trial.running():
        await anyio.sleep(100)
        began = anyio.current_time()
        trial.stop.request()
    assert anyio.current_time() - began <= STOP_SECONDS


@each_world()
async def test_a_stop_waits_for_no_next_try_of_a_failing_batch(world: World) -> None:
    """Which is handed back, however long it has been retried."""
    trial = Trial(world, fails_on("bad"), batch_size=1)
    trial.put("bad")
    async with trial.running():
        await anyio.sleep(400)
        began = anyio.current_time()
        trial.stop.request()
    assert anyio.current_time() - began <= STOP_SECONDS
    assert world.left() == {"bad"}


@pytest.mark.parametrize("error", [Unavailable("ServiceUnavailable"), Throttled("Throttling")], ids=["down", "busy"])
@each_world()
async def test_a_stop_waits_for_no_next_try_of_a_service_that_fails(world: World, error: Exception) -> None:
    """At any call that a poller needs."""
    for operation in world.needed:
        trial = Trial(fresh := type(world)())
        fresh.faults = Failing(error, operation)
        async with trial.running():
            await anyio.sleep(200)
            began = anyio.current_time()
            trial.stop.request()
        assert anyio.current_time() - began <= STOP_SECONDS


@each_world()
async def test_a_poller_that_waits_for_a_permit_stops_soon(world: World) -> None:
    """Another mapping has them all."""
    trial = Trial(world, concurrency=1)
    other = trial.permits.claim()
    await other.acquire()
    trial.put("event")
    poller = await trial.make_poller()
    async with anyio.create_task_group() as group:
        group.start_soon(poller.run)
        await anyio.sleep(60)
        began = anyio.current_time()
        trial.stop.request()
    assert anyio.current_time() - began <= STOP_SECONDS
    other.release()
    trial.check_stopped()
    assert not trial.function.calls
