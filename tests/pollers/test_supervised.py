"""A mapping under its real supervisor: paused and resumed, reloaded, failing and starting again, run until idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from handlers.errors import FunctionUnusable
from pollers.aws.errors import AccessDenied
from pollers.supervisor.mapping import MappingState
from tests.pollers.function import accept, takes
from tests.pollers.trial import Trial
from tests.pollers.worlds import each_world
from tests.worlds import virtual_time
from tests.worlds.call_faults import Failing, NoFaults

if TYPE_CHECKING:
    from tests.pollers.function import Answer, Call
    from tests.pollers.world import World


@each_world()
async def test_a_pause_finishes_what_runs_and_starts_nothing_until_the_mapping_is_resumed(world: World) -> None:
    """Then it goes on where it was, and repeats nothing."""
    trial = Trial(world, takes(5), batch_size=2, concurrency=1, timeout_seconds=10)
    for number in range(8):
        trial.put(f"event {number}", key=f"key {number % 2}")
    async with trial.supervised() as runtime:
        runner = trial.runner(runtime)
        await trial.until_invoked()
        runner.pause()
        await virtual_time.eventually(lambda: runner.state is MappingState.PAUSED, within=10)
        assert runner.poller is None
        assert runner.balanced
        assert sorted(trial.acknowledged) == sorted(trial.invoked[0])
        await anyio.sleep(1_000)
        assert len(trial.function.calls) == 1

        runner.resume()
        await trial.finish()
    assert len(trial.accepted) == 8


@each_world()
async def test_a_mapping_may_be_paused_and_resumed_at_any_moment(world: World) -> None:
    """Over and over: nothing is lost or repeated."""
    trial = Trial(world, batch_size=2)
    async with trial.supervised() as runtime:
        runner = trial.runner(runtime)
        for turn in range(20):
            trial.put(f"event {turn}", key=f"key {turn % 3}")
            runner.pause()
            await anyio.sleep(0.013 * turn)
            runner.resume()
            await anyio.sleep(0.037 * turn)
        await trial.finish()
    assert len(trial.accepted) == 20


@each_world()
async def test_a_reload_with_other_settings_lets_what_runs_finish_and_follows_them_from_then_on(world: World) -> None:
    """Nothing is lost, repeated or reordered by it."""
    trial = Trial(world, takes(2), batch_size=5, concurrency=1)
    trial.put(*(f"event {number}" for number in range(20)))
    async with trial.supervised() as runtime:
        await trial.until_invoked()
        before = len(trial.function.calls)
        changed = trial.mapping.model_copy(update={"batch_size": 1})
        assert (await runtime.reload(trial.configuration(changed)))["changed"] == ["trial"]
        await trial.finish()
    sizes = [len(values) for values in trial.invoked]
    assert max(sizes[:before]) > 1
    assert set(sizes[before:]) == {1}
    assert len(trial.accepted) == 20


@each_world()
async def test_a_reload_without_a_change_interrupts_nothing(world: World) -> None:
    """The same poller goes on."""
    trial = Trial(world, takes(5), timeout_seconds=10)
    trial.put("event")
    async with trial.supervised() as runtime:
        await trial.until_invoked()
        poller = trial.poller
        assert (await runtime.reload(trial.configuration(trial.mapping)))["changed"] == []
        assert trial.poller is poller
        await trial.finish()
    assert len(trial.function.calls) == 1


@each_world()
async def test_an_unusable_source_is_tried_again_until_it_is_mended(world: World) -> None:
    """The mapping says what is wrong meanwhile, and goes on by itself."""
    trial = Trial(world)
    trial.put("event")
    world.remove()
    async with trial.supervised() as runtime:
        runner = trial.runner(runtime)
        await anyio.sleep(300)
        assert runner.state is MappingState.BACKING_OFF
        assert runner.problem is not None
        assert "does not exist" in runner.problem
        world.restore()
        await virtual_time.eventually(lambda: trial.all_done, within=120)


@each_world()
async def test_permission_that_is_taken_away_for_a_while_loses_nothing(world: World) -> None:
    """Amid work, at whichever call."""
    for operation in world.needed:
        fresh = type(world)()
        trial = Trial(fresh, batch_size=2)
        async with trial.supervised():
            for number in range(30):
                trial.put(f"event {number}", key=f"key {number % 3}")
                if number == 10:
                    fresh.faults = Failing(AccessDenied("AccessDenied", "not now", status=403), operation)
                if number == 20:
                    fresh.faults = NoFaults()
                await anyio.sleep(1)
            await trial.finish()


@each_world()
async def test_a_poller_that_breaks_down_is_replaced(world: World) -> None:
    """A fault of ours, once at each call: the mapping starts again and nothing is lost."""
    for operation in world.needed:
        fresh = type(world)()
        trial = Trial(fresh, batch_size=2)
        fresh.faults = Failing(ZeroDivisionError("a fault"), operation, times=1)
        async with trial.supervised() as runtime:
            for number in range(6):
                trial.put(f"event {number}", key=f"key {number % 3}")
            await trial.finish()
            assert trial.runner(runtime).restarts == 1


@each_world()
async def test_a_function_that_cannot_be_used_keeps_its_events_waiting(world: World) -> None:
    """Nothing is received for it; when it can be used, everything is done."""
    trial = Trial(world)
    trial.function.problem = FunctionUnusable("its code is missing")
    trial.put("event")
    async with trial.supervised() as runtime:
        await anyio.sleep(100)
        assert trial.runner(runtime).problem == "its code is missing"
        assert trial.runner(runtime).ledger.received == 0
        trial.function.problem = None
        await trial.finish()


@each_world()
async def test_a_run_until_idle_ends_when_everything_is_done(world: World) -> None:
    """Late events and failures that are retried count; its exit code is 0."""
    failed: list[str] = []

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(1)
        if not failed:
            failed.extend(call.values)
            return call.failed()
        return call.accepted()

    trial = Trial(world, behaviour, batch_size=1)
    trial.put("first", "second", "third")
    assert await trial.until_idle(quiet_seconds=2) == 0
    assert trial.all_done


@each_world()
async def test_a_run_until_idle_gives_up_a_source_that_stays_out_of_reach(world: World) -> None:
    """After a while, with exit code 1."""
    trial = Trial(world, accept)
    trial.put("event")
    world.remove()
    assert await trial.until_idle(quiet_seconds=2) == 1
    assert not trial.function.calls


@each_world()
async def test_a_run_until_idle_gives_up_a_source_that_may_not_be_read(world: World) -> None:
    """Although all other calls are answered at each start."""
    for operation in world.needed:
        fresh = type(world)()
        trial = Trial(fresh, accept)
        trial.put("event")
        fresh.faults = Failing(AccessDenied("AccessDenied", "not for you", status=403), operation)
        with anyio.fail_after(300):
            assert await trial.until_idle(quiet_seconds=2) == 1
