"""Functions live by themselves: a host for each, entered when somebody calls, shared by its callers, renewed in order."""

from __future__ import annotations

import gc
import weakref

import anyio
import pytest

from handlers.errors import FunctionUnusable
from handlers.function import Payload
from pollers.functions import FunctionState
from tests.unit.functions.fakes import Bench, LeavesInSteps, models
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle


@virtual_time.test
async def test_a_function_that_nobody_calls_is_there_and_starts_nothing() -> None:
    """It has permits and says that it was not used yet; closing it is no work."""
    bench = Bench()
    async with bench.running(one=2, two=3) as functions:
        assert {name: host.permits.concurrency for name, host in functions.items()} == {"one": 2, "two": 3}
        assert {host.state for host in functions.values()} == {FunctionState.UNUSED}
        with functions["one"].caller():
            await settle()
            assert functions["one"].state is FunctionState.UNUSED, "a claim alone starts nothing"
    assert bench.made == []


@virtual_time.test
async def test_the_first_call_enters_the_function_and_the_end_leaves_it() -> None:
    """Once, however many call."""
    bench = Bench()
    async with bench.running(one=2) as functions:
        host = functions["one"]
        for _ in range(2):
            with host.caller() as caller:
                assert (await caller.invoke(b"1", request_id="r")).result == Payload(b"1")
        assert functions["one"].state is FunctionState.RUNNING
    assert [(function.entered, function.left) for function in bench.made] == [(1, 1)]
    assert host.state is FunctionState.STOPPED


@virtual_time.test
async def test_callers_share_the_permits_and_each_keeps_to_its_own_maximum() -> None:
    """What a caller cannot have now it waits for."""
    bench = Bench()
    async with bench.running(one=3) as functions:
        host = functions["one"]
        with host.caller(1) as narrow, host.caller() as wide:
            async with anyio.create_task_group() as group:
                for caller in (narrow, narrow, wide, wide, wide, wide):
                    group.start_soon(_invoke, caller.invoke)
                await settle()
                assert (narrow.claim.held, wide.claim.held) == (1, 2)
        assert host.permits.held == 0
    assert bench.made[0].most == 3


async def _invoke(invoke: object) -> None:
    assert callable(invoke)
    await invoke(b"1", request_id="r")


@virtual_time.test
async def test_a_caller_that_is_cancelled_leaves_no_permit_behind() -> None:
    """Neither while it runs nor while it waits."""
    async with Bench().running(one=1) as functions:
        host = functions["one"]
        with anyio.move_on_after(5.0), host.caller() as caller:
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(_invoke, caller.invoke)
        assert (host.permits.held, host.called) == (0, False)


@virtual_time.test
async def test_a_caller_that_leaves_gives_back_what_it_held() -> None:
    """Also permits that it took for work of its own, when a task of it died."""
    async with Bench().running(one=2) as functions:
        host = functions["one"]
        with host.caller() as caller:
            assert caller.claim.try_acquire()
            assert host.permits.held == 1
        assert host.permits.held == 0


@virtual_time.test
async def test_a_function_that_cannot_be_used_says_so_and_is_tried_again_at_the_next_call() -> None:
    """Repairing the code on disk is enough."""
    bench = Bench(problems=[FunctionUnusable("no module named app")])
    async with bench.running(one=1) as functions:
        host = functions["one"]
        with host.caller() as caller:
            with pytest.raises(FunctionUnusable, match="no module"):
                await caller.function()
            assert (host.state, host.problem) == (FunctionState.UNUSABLE, "no module named app")
            assert await caller.function() is bench.made[1]
            assert (host.state, host.problem) == (FunctionState.RUNNING, None)


@virtual_time.test
async def test_a_changed_function_gets_a_new_host_and_the_old_one_drains() -> None:
    """Whoever calls now gets the new one; the old one is left when its last caller has left, and nobody waits for that."""
    bench = Bench()
    async with bench.running(one=1) as functions:
        old = functions["one"]
        async with anyio.create_task_group() as group:
            with old.caller() as caller:
                group.start_soon(_invoke, caller.invoke)
                await settle()
                await functions.apply(models(one=2), {"one"})
                assert functions["one"] is not old
                assert (functions["one"].permits.concurrency, old.state) == (2, FunctionState.RUNNING)
                with functions["one"].caller() as other:
                    await other.invoke(b"1", request_id="r")
                assert functions.unfinished == [functions["one"], old]
            await old.finished.wait()
            assert functions.unfinished == [functions["one"]]
        assert [function.left for function in bench.made] == [1, 0]


@virtual_time.test
async def test_a_function_that_nobody_calls_is_left_before_a_reload_is_done() -> None:
    """So two generations of its workers never stand side by side without need."""
    bench = Bench()
    async with bench.running(one=1, gone=1) as functions:
        for host in functions.values():
            with host.caller() as caller:
                await caller.function()
        await functions.apply(models(one=1, new=5), {"one"})
        assert [function.left for function in bench.made] == [1, 1]
        assert {name: host.state for name, host in functions.items()} == {
            "one": FunctionState.UNUSED,
            "new": FunctionState.UNUSED,
        }


@virtual_time.test
async def test_closing_does_not_wait_for_callers_of_any_generation() -> None:
    """The end of the process comes whoever still calls."""
    bench = Bench()
    async with bench.running(one=1) as functions:
        old = functions["one"]
        caller = old.caller()
        await caller.function()
        await functions.apply({}, ())
        assert (len(functions), old.state) == (0, FunctionState.RUNNING)
        functions.close()
        await old.finished.wait()
    assert bench.made[0].left == 1


@virtual_time.test
async def test_a_function_that_runs_is_left_in_order() -> None:
    """Closing cuts the loading and not the leaving: workers are to stop by themselves."""
    bench = Bench(kind=LeavesInSteps)
    async with bench.running(one=1) as functions:
        with functions["one"].caller() as caller:
            await caller.function()
        functions.close()
        await functions["one"].finished.wait()
        assert bench.made[0].left == 1


@virtual_time.test
async def test_hosts_of_earlier_configurations_are_forgotten() -> None:
    """A process is reloaded for months."""
    async with Bench().running(one=1) as functions:
        old = weakref.ref(functions["one"])
        await functions.apply(models(one=2), {"one"})
        await settle()
        gc.collect()
        assert old() is None
