"""A reload is alone; renewals of different functions are not."""

from __future__ import annotations

import anyio

from pollers.supervisor.turns import Turns
from tests.worlds import virtual_time


@virtual_time.test
async def test_renewals_of_other_names_go_on_beside_a_long_one() -> None:
    """One of the same name waits, and a reload waits for all."""
    turns, order = Turns(), []

    async def renew(name: str, seconds: float) -> None:
        async with turns.beside(name):
            await anyio.sleep(seconds)
            order.append(name)

    async def reload() -> None:
        async with turns.alone():
            order.append("reload")

    async with anyio.create_task_group() as group:
        group.start_soon(renew, "a", 10)
        await anyio.sleep(1)
        group.start_soon(reload)
        group.start_soon(renew, "b", 2)
        group.start_soon(renew, "a", 0)
    assert order[:2] == ["b", "a"]
    assert sorted(order[2:]) == ["a", "reload"]


@virtual_time.test
async def test_everybody_waits_for_a_reload() -> None:
    """Also when it fails or is cancelled."""
    turns, order = Turns(), []

    async def reload() -> None:
        with anyio.move_on_after(5):
            async with turns.alone():
                await anyio.sleep_forever()

    async def renew() -> None:
        async with turns.beside("a"):
            order.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(reload)
        await anyio.sleep(1)
        group.start_soon(renew)
    assert [at - began for at in order] == [5]
