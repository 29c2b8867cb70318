"""The functions' real asynchronous queue keeps an event together with the due time, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pollers.invocations import TABLES as INVOCATIONS
from pollers.invocations import AsyncQueue, QueueFull
from pollers.schedules import TABLES, rows
from pollers.schedules.memory import Outcome, Run
from pollers.schedules.seams import AlreadyDecided
from pollers.storage import StoreUnwritable
from tests.unit.schedules.fakes import NOW, schedule
from tests.worlds import virtual_time
from tests.worlds.inline_state import InlineState

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from pollers.destinations import Deliveries
    from pollers.invocations import InvokeSettings


def queue(state: InlineState, limit_bytes: int = 10_000) -> AsyncQueue:
    """A queue that does not run: it accepts."""
    settings, nobody = cast("InvokeSettings", None), cast("Deliveries", None)
    clock = virtual_time.VirtualClock()
    return AsyncQueue(state, {}, lambda name: settings, str, nobody, clock=clock, limit_bytes=limit_bytes)


def deciding(connection: sqlite3.Connection) -> None:
    """Decide the due time NOW, as a hand-over does."""
    if not rows.decide(connection, "s", Run(NOW, NOW, Outcome.ACCEPTED)):
        raise AlreadyDecided("again")


def kept(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many events and how many due times there are."""
    [(events,)] = connection.execute("SELECT count(*) FROM invocations").fetchall()
    [(runs,)] = connection.execute("SELECT count(*) FROM schedules_runs").fetchall()
    return events, runs


@virtual_time.test
async def test_an_event_and_its_due_time_are_one_write(tmp_path: Path) -> None:
    """Neither is there without the other, whatever refuses them."""
    async with InlineState(tmp_path, (INVOCATIONS, TABLES)) as state:
        await state.call(lambda connection: rows.see(connection, {"s": schedule()}, NOW))
        with pytest.raises(QueueFull):
            await queue(state, limit_bytes=10).accept("orders", b"{}", request_id="r", also=deciding)
        state.problem = StoreUnwritable("the disk is full")
        with pytest.raises(StoreUnwritable):
            await queue(state).accept("orders", b"{}", request_id="r", also=deciding)
        state.problem = None
        assert await state.call(kept) == (0, 0)

        assert await queue(state).accept("orders", b"{}", request_id="r", also=deciding)
        with pytest.raises(AlreadyDecided):
            await queue(state).accept("orders", b"{}", request_id="another", also=deciding)
        assert await state.call(kept) == (1, 1)
