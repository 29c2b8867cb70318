"""A function's events through reloads and faults of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import pytest

from config.models import PythonFunction
from pollers.engine.stop import Stop
from pollers.invocations import rows
from pollers.storage import StoreUnwritable
from tests.worlds import virtual_time
from tests.worlds.async_world import FAILED, OK, Settings, models, world_of
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.storage.writer import Operation

T = TypeVar("T")

BACK_SECONDS = 36_000.0
ONE = "11111111-1111-4111-8111-111111111111"


@virtual_time.test
async def test_events_that_were_queued_before_a_change_run_on_the_new_code() -> None:
    """And the old function is left when its last attempt has ended (docs/lambda 12.1)."""
    async with world_of(functions_of={"orders": 1}, run_seconds=20.0) as world, world.life() as queue:
        for number in range(3):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        await eventually(lambda: bool(world.runs))
        old = world.functions["orders"]
        await world.functions.apply(models({"orders": 1}), {"orders"})
        queue.apply(None)  # type: ignore[arg-type]  # not looked at
        await eventually(lambda: len(world.runs) == 2, within=3.0)
        assert world.functions["orders"].called
        assert not old.finished.is_set()
        await eventually(old.finished.is_set, within=21.0)
        await eventually(lambda: not queue.snapshot().depth)


@virtual_time.test
async def test_a_function_that_nothing_is_due_for_is_not_sat_on() -> None:
    """A reload waits for nobody who only may call some time later."""
    async with world_of() as world, world.life() as queue:
        world.answer = lambda *_: FAILED if len(world.runs) == 1 else OK
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: bool(world.runs))
        await anyio.sleep(5)
        assert not world.functions["orders"].called
        await eventually(lambda: not queue.snapshot().depth)


@virtual_time.test
async def test_a_permit_that_no_event_needed_goes_back() -> None:
    """Also while others of the same function run."""
    async with world_of(functions_of={"orders": 2}, run_seconds=100.0) as world, world.life() as queue:
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: bool(world.runs))
        for _ in range(3):
            queue.apply(None)  # type: ignore[arg-type]  # not looked at
            await anyio.sleep(5)
        with world.functions["orders"].caller() as other:
            assert other.claim.try_acquire()


@virtual_time.test
async def test_a_full_disk_keeps_no_permit_from_other_callers() -> None:
    """Nothing can be begun then, so nothing is held for it; also while an event of the function runs."""
    async with world_of(functions_of={"orders": 2}, run_seconds=100.0) as world, world.life() as queue:
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: bool(world.runs))
        world.state.problem = StoreUnwritable("state.db could not be written (database or disk is full)")
        for _ in range(3):
            queue.apply(None)  # type: ignore[arg-type]  # not looked at
            await anyio.sleep(5)
        with world.functions["orders"].caller() as other:
            assert other.claim.try_acquire()
        world.state.problem = None


@virtual_time.test
async def test_an_event_does_not_wait_behind_a_retry() -> None:
    """It is due at once, whenever the other is."""
    async with world_of() as world, world.life() as queue:
        world.answer = lambda *_: FAILED if len(world.runs) == 1 else OK
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: queue.snapshot().functions["orders"].errors == 1)
        await anyio.sleep(12)
        began = world.now
        await queue.accept("orders", b"1", request_id="r2")
        await eventually(lambda: len(world.runs) == 2)
        assert world.now - began < 0.5


@virtual_time.test
async def test_books_that_differ_from_the_disk_do_not_balance() -> None:
    """A row that somebody has taken away is not forgotten in silence."""
    async with world_of(functions_of={}) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            assert queue.books().balanced
            await world.state.call(lambda connection: connection.execute("DELETE FROM invocations"))
        assert not queue.books().balanced


@virtual_time.test
async def test_a_fault_of_ours_ends_a_life_of_the_queue_and_the_next_one_goes_on() -> None:
    """The service is run again on the same object: permits have gone back, and nothing is lost or counted twice."""
    async with (
        world_of(functions_of={"orders": 1, "audit": 1}, run_seconds=10.0) as world,
        world.life(serve=False) as queue,
    ):
        await queue.accept("orders", b"1", request_id=ONE)
        await queue.accept("audit", b"1", request_id=ONE)
        queue._settings = _broken(world.settings_of)
        with pytest.raises(ExceptionGroup):
            await queue.run(Stop())
        queue._settings = world.settings_of
        assert not world.functions["orders"].called
        stop = Stop()
        async with anyio.create_task_group() as group:
            group.start_soon(queue.run, stop)
            await eventually(lambda: not queue.snapshot().depth)
            stop.request()
        assert queue.books().balanced
        assert queue.books().figures["succeeded"] == 2


def _broken(settings_of: Callable[[str], Settings]) -> Callable[[str], Settings]:
    calls = 0

    def broken(function: str) -> Settings:
        nonlocal calls
        calls += 1
        if calls > 4:
            raise KeyError("a fault of ours")
        return settings_of(function)

    return broken


@virtual_time.test
async def test_many_functions_have_their_events_at_the_same_time() -> None:
    """A slow one holds up no other."""
    names = {f"f{number}": 1 for number in range(20)}
    async with world_of(functions_of=names, run_seconds=10.0) as world, world.life() as queue:
        for name in names:
            for number in range(3):
                await queue.accept(name, b"1", request_id=f"r{number}")
        began = world.now
        await eventually(lambda: not queue.snapshot().depth)
        assert world.now - began < 35
        assert set(world.most.values()) == {1}


@virtual_time.test
async def test_what_is_configured_while_the_queue_runs_is_found() -> None:
    """A function that comes with a reload has its events at once."""
    async with world_of() as world, world.life() as queue:
        await queue.accept("later", b"1", request_id=ONE)
        await anyio.sleep(1)
        model = PythonFunction.model_validate({"code": ".", "handler": "app.handler"})
        await world.functions.apply({**models({"orders": 2}), "later": model}, ())
        queue.apply(None)  # type: ignore[arg-type]  # not looked at
        await eventually(lambda: bool(world.runs), within=1.0)


@virtual_time.test
async def test_the_next_event_begins_while_the_end_of_the_last_is_written() -> None:
    """A slow disk keeps no function waiting twice."""
    async with world_of(functions_of={"orders": 1}) as world, world.life() as queue:
        real, slow = world.state.call, anyio.Event()

        async def call(operation: Operation[T]) -> T:
            if getattr(operation, "func", None) is rows.end:
                await slow.wait()
            return await real(operation)

        world.state.call = call  # type: ignore[method-assign]
        for number in range(2):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        await eventually(lambda: len(world.runs) == 2, within=1.0)
        slow.set()
        await eventually(lambda: not queue.snapshot().depth)
        assert world.most["orders"] == 1


@virtual_time.test
async def test_nothing_is_begun_while_ends_find_no_room_on_the_disk() -> None:
    """A beginning needs less room than an answer: what is begun all the same would be held in memory."""
    async with world_of() as world, world.life() as queue:
        real, full = world.state.call, True

        async def call(operation: Operation[T]) -> T:
            if full and getattr(operation, "func", None) is rows.end:
                raise StoreUnwritable("state.db could not be written (database or disk is full)")
            return await real(operation)

        world.state.call = call  # type: ignore[method-assign]
        for number in range(20):
            await queue.accept("orders", b"1", request_id=f"r{number}")
            await anyio.sleep(1)
        await anyio.sleep(60)
        assert len(world.runs) <= 4
        full = False
        freed = world.now
        await queue.accept("orders", b"1", request_id="one that can be written")
        await eventually(lambda: not queue.snapshot().depth)
        assert world.now - freed < 15, "what waited for the disk is told that it takes writes again"
        assert len(world.runs) == 21


@virtual_time.test
async def test_a_clock_that_is_set_back_holds_up_no_event_and_no_report() -> None:
    """They would wait until it is as late again as when they came."""
    settings = {"orders": Settings(on_success="arn:q")}
    async with (
        world_of(functions_of={"orders": 1}, run_seconds=10.0, settings=settings) as world,
        world.life() as queue,
    ):
        world.down.add("arn:q")
        for number in range(3):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        await eventually(lambda: bool(world.tried["arn:q"]))
        queue._clock.skew = -BACK_SECONDS  # type: ignore[attr-defined]
        world.down.clear()
        await eventually(lambda: len(world.delivered) == 3, within=60.0)
        await eventually(lambda: not queue.snapshot().bytes, within=1.0)
