"""Calls that go on although their caller is cut."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from pollers.sources.documentdb import uncut
from pollers.sources.documentdb.uncut import Uncut


async def test_a_call_gives_what_it_returns_and_raises() -> None:
    """As if it were awaited itself."""
    calls = Uncut()

    async def answer() -> int:
        await anyio.lowlevel.checkpoint()
        return 7

    async def failure() -> int:
        raise ValueError("no")

    assert await calls.run(answer()) == 7
    with pytest.raises(ValueError, match="no"):
        await calls.run(failure())
    await calls.aclose()


async def test_a_cut_call_goes_on_and_its_result_is_handed_over() -> None:
    """The caller is free at once."""
    calls, go = Uncut(), asyncio.Event()
    left: list[int] = []

    async def answer() -> int:
        await go.wait()
        return 7

    async def take(result: int) -> None:
        left.append(result)

    with anyio.move_on_after(0) as scope:
        await calls.run(answer(), take)
    assert scope.cancelled_caught
    assert left == []
    go.set()
    await calls.aclose()
    assert left == [7]


@pytest.mark.filterwarnings("error")
async def test_the_error_of_a_cut_call_is_nobodys() -> None:
    """The loop has nothing to complain about, and nothing is handed over."""
    calls, go = Uncut(), asyncio.Event()
    left: list[int] = []
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def failure() -> int:
        await go.wait()
        raise ValueError("no")

    async def take(result: int) -> None:
        left.append(result)

    with anyio.move_on_after(0):
        await calls.run(failure(), take)
    go.set()
    await calls.aclose()
    gc.collect()
    assert (left, complaints) == ([], [])


async def test_the_end_waits_for_calls_and_cancels_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded, and also inside of a scope that is cancelled already."""
    monkeypatch.setattr(uncut, "END_SECONDS", 0.01)
    calls = Uncut()
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    with anyio.move_on_after(0):
        await calls.run(endless())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await calls.aclose()
    assert ended == ["endless"]
