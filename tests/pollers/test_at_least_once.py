"""Every event is accepted by the function at least once, whatever happens to its poller."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.pollers.function import accept, fails_at_first, fails_on, takes
from tests.pollers.trial import Trial
from tests.pollers.world import Redelivery
from tests.pollers.worlds import each_world
from tests.worlds import virtual_time
from tests.worlds.seeds import EFFORT

if TYPE_CHECKING:
    from tests.pollers.function import Behaviour
    from tests.pollers.world import World

EVENTS = 9
VISIBILITY_SECONDS = 30
"""Of a queue, unless somebody says otherwise."""


def small(world: World, behaviour: Behaviour = accept) -> Trial:
    """A trial of a few events with two keys on a new world of the same kind, in batches of two."""
    trial = Trial(type(world)(), behaviour, batch_size=2, concurrency=2)
    for number in range(EVENTS):
        trial.put(f"event {number}", key="cd"[number % 2])
    return trial


@each_world()
async def test_every_event_is_accepted_once_and_acknowledged_when_nothing_goes_wrong(world: World) -> None:
    """And invoked once: repeating is for trouble only."""
    trial = Trial(world, batch_size=3)
    for number in range(20):
        trial.put(f"event {number}", key=f"key {number % 4}")
    async with trial.running():
        await trial.finish()
    assert sorted(trial.accepted) == sorted(trial.everything)
    assert trial.ledger.received == 20


@each_world()
async def test_a_crash_at_any_step_loses_nothing(world: World) -> None:
    """The next poller brings what the crashed one had not acknowledged, in order; permits are back and the books balance."""
    for step in count(1):
        trial = small(world)
        everything_was_done = await trial.crash_at(step)
        async with trial.running():
            await trial.finish()
        if everything_was_done:
            assert step > 20
            return


@each_world()
async def test_crash_after_crash_while_the_function_fails_loses_nothing(world: World) -> None:
    """Each batch fails at first, and every life is short."""
    for first in range(2, 80, 7):
        trial = small(world, fails_at_first(1, lambda call: call.failed()))
        for life in range(4):
            await trial.crash_at(first + 11 * life)
        async with trial.running():
            await trial.finish()


@each_world()
async def test_what_a_crash_has_left_comes_again_as_soon_as_the_kind_says(world: World) -> None:
    """At once where it is read again; where it is hidden, when its visibility timeout has run out."""
    trial = Trial(world, takes(10), batch_size=2, timeout_seconds=20)
    trial.put("first", "second")
    async with trial.crashing():
        await trial.until_invoked()
        await anyio.sleep(1)
    assert not trial.acknowledged

    trial.function.behaviour = accept
    began = anyio.current_time()
    async with trial.running():
        await trial.finish()
    hidden_seconds = VISIBILITY_SECONDS if world.features.redelivery is Redelivery.BY_VISIBILITY else 0
    assert anyio.current_time() - began <= hidden_seconds + 10


@each_world()
async def test_a_crash_does_not_forget_what_was_acknowledged(world: World) -> None:
    """What is acknowledged does not come again."""
    trial = small(world)
    async with trial.running():
        await trial.finish()
    trial.put("one more", key="c")
    async with trial.running():
        await trial.finish()
    assert trial.invoked[-1] == ["one more"]
    assert sorted(trial.accepted) == sorted(trial.everything)


@each_world()
async def test_many_short_lives_lose_and_repeat_nothing(world: World) -> None:
    """Starts and stops in order, one after another: a poller needs nothing of the one before it."""
    trial = Trial(world, batch_size=3)
    for number in range(30):
        trial.put(f"event {number}", key=f"key {number}")
    for _ in range(10):
        async with trial.running():
            await anyio.sleep(0.15)
    async with trial.running():
        await trial.finish()
    assert len(trial.accepted) == 30


@pytest.mark.parametrize(("hurry_after", "first"), [(None, 1), (0, 2), (1, 1), (4, 2)])
@each_world()
async def test_a_stop_at_any_step_loses_nothing_and_leaves_the_books_balanced(
    world: World, hurry_after: int | None, first: int
) -> None:
    """In order or hurried, before the source is opened, between two calls or amid an invocation.

    In the suite at each step in two of the four ways, with more effort in all.
    """
    loop = virtual_time.current_loop()
    for step in range(1, 60) if EFFORT > 1 else range(first, 60, 2):
        trial = small(world)
        poller = await trial.make_poller()
        loop.at_step(loop.steps + step, trial.stop.request)
        if hurry_after is not None:
            loop.at_step(loop.steps + step + hurry_after, trial.stop.hurry)
        await poller.run()
        trial.check_stopped()
        accepted = len(trial.accepted)
        async with trial.running():
            await trial.finish()
        if hurry_after is None:
            assert len(trial.accepted) == EVENTS, f"accepted {accepted} before a stop in order, and some of them again"


@each_world()
async def test_the_books_balance_at_every_moment(world: World) -> None:
    """What the ledger says is in flight is what the poller says that it holds, with failures among it."""
    trial = Trial(world, fails_on("event 3", times=2), batch_size=2, concurrency=2)
    async with trial.running() as poller:
        for number in range(10):
            trial.put(f"event {number}", key=f"key {number % 3}")
            await anyio.sleep(0.37)
            assert trial.ledger.balances(poller.held())
        while not trial.all_done:
            assert trial.ledger.balances(poller.held())
            await anyio.sleep(0.37)
