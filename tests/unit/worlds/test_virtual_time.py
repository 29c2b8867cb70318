"""The virtual-time loop that simulations stand on."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from tests.worlds import virtual_time


@virtual_time.test
async def test_an_hour_passes_without_waiting() -> None:
    """Sleeping moves the loop's clock and the wall clock by exactly what was asked."""
    clock = virtual_time.VirtualClock()
    began, wall = anyio.current_time(), clock.time()

    await anyio.sleep(3600)

    assert anyio.current_time() - began == pytest.approx(3600)
    assert clock.time() - wall == pytest.approx(3600)


def test_a_wait_without_end_is_a_deadlock_at_once() -> None:
    """A wait that nothing can end fails with the stack of who waits."""

    async def waits_forever() -> None:
        await anyio.Event().wait()

    with pytest.raises(virtual_time.Deadlock, match="waits_forever"):
        virtual_time.run(waits_forever)


def test_an_endless_run_is_a_livelock() -> None:
    """A run that only spins fails after the step limit."""

    async def spins() -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(virtual_time.Livelock):
        virtual_time.run(spins, step_limit=1_000)


@virtual_time.test
async def test_a_timeout_cuts_a_wait_short() -> None:
    """anyio's cancel scopes work by virtual time."""
    began = anyio.current_time()

    with anyio.move_on_after(5) as scope:
        await anyio.sleep(10)

    assert scope.cancelled_caught
    assert anyio.current_time() - began == pytest.approx(5)


def test_a_crash_can_be_placed_at_any_step() -> None:
    """The same step count is the same place in every run."""

    async def crashed_at(step: int) -> list[int]:
        done: list[int] = []
        with anyio.CancelScope() as scope:
            virtual_time.current_loop().at_step(step, scope.cancel)
            for turn in range(100):
                await anyio.sleep(0.1)
                done.append(turn)
        return done

    first = virtual_time.run(lambda: crashed_at(40))

    assert 0 < len(first) < 100
    assert virtual_time.run(lambda: crashed_at(40)) == first


def test_a_task_left_behind_is_a_failure() -> None:
    """Structured code leaves no tasks; the loop checks."""

    async def leaves_a_task() -> None:
        forgotten.append(asyncio.get_running_loop().create_task(asyncio.sleep(10)))

    forgotten: list[asyncio.Task[None]] = []
    with pytest.raises(AssertionError, match="left behind"):
        virtual_time.run(leaves_a_task)
