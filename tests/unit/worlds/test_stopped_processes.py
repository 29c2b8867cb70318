"""Processes that stand still in virtual time."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from tests.worlds import virtual_time
from tests.worlds.stopped_processes import PROCESS, Processes


async def tick(process: str | None, seen: list[tuple[str | None, float]], times: int) -> None:
    """Note the time each second."""
    PROCESS.set(process)
    begun = anyio.current_time()
    async with anyio.create_task_group() as tasks:  # what a process starts is its own

        async def run() -> None:
            for _ in range(times):
                await anyio.sleep(1)
                seen.append((process, round(anyio.current_time() - begun, 3)))

        tasks.start_soon(run)


@virtual_time.test
async def test_a_stopped_process_does_nothing_and_finds_later_what_has_become_due() -> None:
    """The others go on, and time passes for it too."""
    processes = Processes(virtual_time.current_loop())
    seen: list[tuple[str | None, float]] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick, "one", seen, 3)
        tasks.start_soon(tick, "other", seen, 3)
        await anyio.sleep(1.5)
        processes.stop("one")
        await anyio.sleep(5)
        assert processes.stopped("one")
        processes.resume("one")
    assert [time for process, time in seen if process == "other"] == [1, 2, 3]
    assert [time for process, time in seen if process == "one"] == [1, 6.5, 7.5]


@virtual_time.test
async def test_replies_that_came_meanwhile_are_seen_before_the_time_that_ran_out_later() -> None:
    """In the order in which they came."""
    processes = Processes(virtual_time.current_loop())
    answered = anyio.Event()
    outcome: list[bool] = []

    async def ask() -> None:
        PROCESS.set("one")
        with anyio.move_on_after(4):
            await answered.wait()
        outcome.append(answered.is_set())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.sleep(1)
        processes.stop("one")
        await anyio.sleep(1)
        answered.set()
        await anyio.sleep(10)
        assert outcome == []
        processes.resume("one")
    assert outcome == [True]


@virtual_time.test
async def test_what_was_ready_when_it_was_stopped_waits_too() -> None:
    """No callback slips through between two turns."""
    processes = Processes(virtual_time.current_loop())
    turns: list[int] = []

    async def spin() -> None:
        PROCESS.set("one")
        while True:
            turns.append(1)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(spin)
        await virtual_time.settle(5)
        processes.stop("one")
        await virtual_time.settle(5)
        before = len(turns)
        await virtual_time.settle(20)
        assert len(turns) == before
        processes.resume("one")
        await virtual_time.settle(5)
        assert len(turns) > before
        tasks.cancel_scope.cancel()
