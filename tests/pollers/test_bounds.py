"""Memory and invocations stay within what the configuration allows, and what a poller says of itself is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tests.pollers.function import takes
from tests.pollers.trial import Trial
from tests.pollers.worlds import each_world
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from tests.pollers.function import Answer, Call
    from tests.pollers.world import World

FOREVER = 1_000_000.0


@each_world()
async def test_a_stuck_function_bounds_what_is_held(world: World) -> None:
    """However large the backlog is, no more is received than the configuration allows; all of it goes back in the end."""
    trial = Trial(world, takes(FOREVER), batch_size=10, concurrency=3)
    limit = world.held_at_most(trial.mapping, 3)
    for number in range(limit + limit // 5):
        trial.put(f"event {number}", key=f"key {number % 50}")
    async with trial.running() as poller:
        for _ in range(12):
            await anyio.sleep(5)
            assert poller.held() <= limit
            assert trial.ledger.balances(poller.held())
        assert poller.held() >= limit // 3
        trial.stop.hurry()
    assert not trial.acknowledged


@each_world()
async def test_no_more_invocations_run_than_the_function_allows(world: World) -> None:
    """A trial checks the limit at each; with work enough it is reached where nothing keeps events in order."""
    trial = Trial(world, takes(2), batch_size=1, concurrency=2)
    keys = world.features.apart or ("c",)
    for number in range(12):
        trial.put(f"event {number}", key=keys[number % len(keys)])
    async with trial.running():
        await trial.finish()
    assert max(at_a_time(trial.function.calls)) == len(keys)


@each_world()
async def test_concurrency_may_change_while_events_come(world: World) -> None:
    """Reserved concurrency: with none nothing begins, and nothing is lost; with some, work goes on as far as it allows."""
    trial = Trial(world, takes(2), batch_size=1, concurrency=4)
    keys = world.features.apart or ("c",)
    for number in range(16):
        trial.put(f"event {number}", key=keys[number % len(keys)])
    async with trial.running():
        await trial.until_invoked(2)
        trial.permits.resize(0)
        await anyio.sleep(5)
        begun = len(trial.function.calls)
        assert not trial.function.running
        await anyio.sleep(120)
        assert len(trial.function.calls) == begun < 16
        trial.permits.resize(1)
        await trial.until_invoked(begun + 4)
        trial.permits.resize(4)
        await trial.finish()
    assert max(at_a_time(trial.function.calls[begun : begun + 4])) == 1


@each_world()
async def test_running_and_held_tell_what_runs_and_what_is_held(world: World) -> None:
    """During an invocation, and after it."""
    trial = Trial(world, takes(2), batch_size=5)
    async with trial.running() as poller:
        assert (poller.running(), poller.held()) == (0, 0)
        trial.put("event")
        await trial.until_invoked()
        assert (poller.running(), poller.held()) == (1, 1)
        await trial.finish()
        await virtual_time.eventually(lambda: (poller.running(), poller.held()) == (0, 0), within=1)


@each_world()
async def test_caught_up_is_true_only_when_nothing_is_left(world: World) -> None:
    """Not before the source was read, not while anything waits, runs or is to come again; true once all is done."""
    answers: list[bool] = []

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(5)
        answers.append(await poller.caught_up())
        return call.failed() if len(answers) == 1 else call.accepted()

    trial = Trial(world, behaviour, batch_size=1, timeout_seconds=10)
    trial.put("first", "second")
    poller = await trial.make_poller()
    assert not await poller.caught_up()
    async with anyio.create_task_group() as group:
        group.start_soon(poller.run)
        while not await poller.caught_up():
            await anyio.sleep(0.5)
        assert trial.all_done
        trial.put("third")
        await virtual_time.eventually(lambda: len(trial.function.running) == 1)
        assert not await poller.caught_up()
        await trial.finish()
        await trial.until_caught_up()
        trial.stop.request()
    trial.check_stopped()
    assert answers == [False] * 4


@each_world()
async def test_an_empty_source_is_caught_up_soon(world: World) -> None:
    """``--until-idle`` ends on it."""
    trial = Trial(world)
    async with trial.running():
        await trial.until_caught_up()


@each_world(lambda features: features.batching_window)
async def test_a_batching_window_gathers_what_comes_in_it(world: World) -> None:
    """One invocation of all of it, no later than the window's end."""
    trial = Trial(world, batch_size=100, maximum_batching_window_in_seconds=20)
    async with trial.running():
        await anyio.sleep(30)
        began = anyio.current_time()
        for number in range(5):
            trial.put(f"event {number}", key="c")
            await anyio.sleep(1)
        await trial.finish()
    assert [len(values) for values in trial.invoked] == [5]
    assert 5 <= trial.function.calls[0].began - began <= 23


@each_world(lambda features: features.pushes)
async def test_a_source_that_pushes_is_not_polled(world: World) -> None:
    """For longer than a subscription lasts."""
    trial = Trial(world)
    async with trial.running():
        for number in range(4):
            trial.put(f"event {number}")
            await anyio.sleep(200)
        await trial.finish()
    calls = world.stream.calls  # type: ignore[attr-defined] # of worlds that have the feature
    assert "records" not in calls
    assert calls["subscribe"] > 2


def at_a_time(calls: list[Call]) -> list[int]:
    """How many ran when each began, itself counted."""
    return [sum(one.began <= call.began < (one.ended or call.began) for one in calls) for call in calls]
