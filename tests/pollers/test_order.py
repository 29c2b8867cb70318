"""Order, as each kind declares it: none, by group, or by shard. A trial checks every invocation; these tests make it hard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tests.pollers.function import accept, fails_at_first, fails_on
from tests.pollers.trial import Trial
from tests.pollers.world import Order
from tests.pollers.worlds import each_world
from tests.worlds import virtual_time

if TYPE_CHECKING:
    from tests.pollers.function import Answer, Call
    from tests.pollers.world import Features, World


def ordered(features: Features) -> bool:
    """Whether the kind keeps any order."""
    return features.order is not Order.NONE


@each_world(ordered)
async def test_events_of_one_key_are_invoked_in_order_with_several_keys_at_a_time(world: World) -> None:
    """However many invocations may run, and whatever they take."""

    trial = Trial(world, uneven, batch_size=3)
    async with trial.running():
        for number in range(60):
            trial.put(f"event {number}", key=f"key {number % 7}")
            if number % 10 == 9:
                await anyio.sleep(0.5)
        await trial.finish()


@each_world(lambda features: features.checkpoints)
async def test_order_is_kept_with_several_batches_of_a_shard_at_a_time_and_across_crashes(world: World) -> None:
    """By key. Where there is one batch at a time, nothing else is different."""
    settings = {"parallelization_factor": 4} if world.features.sharded else {}
    trial = Trial(world, uneven, batch_size=2, **settings)
    for number in range(60):
        trial.put(f"event {number}", key=f"key {number % 9}")
    for step in (20, 45, 70):
        await trial.crash_at(step)
    async with trial.running():
        await trial.finish()


@each_world(ordered)
async def test_nothing_overtakes_a_failed_event_of_its_key(world: World) -> None:
    """However often it fails; it is accepted in the end, and those behind it after it."""
    trial = Trial(world, fails_at_first(3, lambda call: call.failed()), batch_size=1)
    trial.put(*(f"a {number}" for number in range(4)), key="a")
    async with trial.running():
        await trial.finish()
    assert [value for value in trial.accepted if value.startswith("a")] == [f"a {number}" for number in range(4)]


@each_world(lambda features: features.apart)
async def test_an_event_that_keeps_failing_holds_up_nothing_but_its_own_order(world: World) -> None:
    """Other groups, other shards, and where there is no order all others, go on."""
    trial = Trial(world, fails_on("bad"), batch_size=1)
    assert world.features.apart is not None
    stuck, free = world.features.apart
    trial.put("bad", key=stuck)
    trial.put(*(f"free {number}" for number in range(10)), key=free)
    async with trial.running():
        await virtual_time.eventually(lambda: len(trial.accepted) == 10, within=60)
        trial.function.behaviour = accept
        await trial.finish()


@each_world(lambda features: features.order is Order.NONE)
async def test_without_order_a_slow_event_holds_up_no_other(world: World) -> None:
    """Each goes as soon as there is a permit for it."""

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(20 if "slow" in call.values else 0.01)
        return call.accepted()

    trial = Trial(world, behaviour, batch_size=1, timeout_seconds=30)
    trial.put("slow", *(f"quick {number}" for number in range(10)))
    async with trial.running():
        await virtual_time.eventually(lambda: len(trial.accepted) == 10, within=10)
        await trial.finish()


@each_world(lambda features: features.resharding)
async def test_order_is_kept_across_resharding(world: World) -> None:
    """What a shard's children hold begins when the shard is done."""
    trial = Trial(world, fails_at_first(1, lambda call: call.failed()), batch_size=2)
    async with trial.running():
        for turn in range(3):
            for number in range(12):
                trial.put(f"event {turn} {number}", key=f"key {number % 5}")
            await anyio.sleep(1)
            world.reshard()  # type: ignore[attr-defined] # of worlds that have the feature
        await trial.finish()


async def uneven(call: Call) -> Answer:
    """Accept everything, after a time that differs from batch to batch and is the same in every run."""
    await anyio.sleep(0.01 + sum(call.values[0].encode()) % 7 / 5)
    return call.accepted()
