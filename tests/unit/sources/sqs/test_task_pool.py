"""Jobs run side by side in tasks that are used again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio

from pollers.sources.sqs.task_pool import TaskPool
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


async def guard(job: Callable[..., Awaitable[None]], arguments: Sequence[object]) -> None:
    """Runs a job and drops its error."""
    with contextlib.suppress(ZeroDivisionError):
        await job(*arguments)


@virtual_time.test
async def test_jobs_run_side_by_side_and_their_end_can_be_waited_for() -> None:
    """Ten jobs of a second take a second."""
    async with anyio.create_task_group() as group:
        pool = TaskPool(group, guard)
        began = anyio.current_time()
        for _ in range(10):
            pool(anyio.sleep, 1)
        await pool.done()

        assert anyio.current_time() == began + 1
        group.cancel_scope.cancel()


@virtual_time.test
async def test_a_job_runs_in_a_task_that_is_free() -> None:
    """Jobs one after the other need one task, also when one of them fails."""
    tasks = []

    async def job(*, fails: bool = False) -> None:
        tasks.append(anyio.get_current_task().id)
        if fails:
            raise ZeroDivisionError

    async def failing() -> None:
        await job(fails=True)

    async with anyio.create_task_group() as group:
        pool = TaskPool(group, guard)
        for one in (job, failing, job):
            pool(one)
            await settle()
        group.cancel_scope.cancel()

    assert len(tasks) == 3
    assert len(set(tasks)) == 1
