"""Out of descriptors, calls take turns with the connections that there are."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from pollers.aws.wire.connection_line import Line


async def test_first_come_first_served_but_urgent_ones_before() -> None:
    """A delete does not wait behind long polls."""
    line, got = Line[str](), list[tuple[str, str | None]]()

    async def wait(name: str, urgent: bool) -> None:
        got.append((name, await line.wait(60, urgent=urgent)))

    async with anyio.create_task_group() as group:
        for name, urgent in (("poll 1", False), ("poll 2", False), ("delete", True)):
            group.start_soon(wait, name, urgent)
            await anyio.wait_all_tasks_blocked()
        assert all(line.offer(free) for free in ("a", "b", None))
    assert sorted(got) == [("delete", "a"), ("poll 1", "b"), ("poll 2", None)]
    assert not line.offer("c")


async def test_who_has_given_up_gets_nothing() -> None:
    """Neither after the time nor when cancelled."""
    line = Line[str]()
    with pytest.raises(TimeoutError):
        await line.wait(0, urgent=True)
    assert not line.offer("a")


async def test_what_comes_to_one_who_is_just_cancelled_goes_to_the_next() -> None:
    """Nothing is lost between the two."""
    line = Line[str]()
    first, second = (asyncio.create_task(line.wait(60, urgent=False)) for _ in range(2))
    await anyio.wait_all_tasks_blocked()
    assert line.offer("a")
    first.cancel()
    assert await second == "a"
    assert first.cancelled()
