"""A function that breaks down, cannot be loaded or is closed while it loads: everybody who asks for it is answered."""

from __future__ import annotations

import anyio
import pytest
import structlog

from handlers.errors import FunctionUnusable
from handlers.function import Invocation, Payload
from pollers.functions import Functions
from tests.unit.functions.fakes import Bench, LeavesSlowly, LoadsForMinutes, answer_of, models
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle


@virtual_time.test
async def test_who_asks_while_a_broken_function_is_left_is_told_what_broke_it() -> None:
    """It is not closed: the next asking makes a new one."""
    bench = Bench(kind=LeavesSlowly)
    async with bench.running(one=1) as functions:
        with functions["one"].caller() as caller:
            await caller.function()
            bench.made[0].break_down.set()
            await settle()
            with pytest.raises(RuntimeError, match="the runner died"):
                await caller.function()
            assert caller.breakdown.hurried
            assert await caller.function() is bench.made[1]
            assert not caller.breakdown.hurried


@virtual_time.test
async def test_an_invocation_of_a_function_that_breaks_down_does_not_wait_for_ever() -> None:
    """Nothing may ever answer it; its permit is free again, and the next one is for the new function."""
    bench, answers = Bench(), list[Invocation | Exception]()
    async with bench.running(one=1) as functions:
        with functions["one"].caller() as caller:
            async with anyio.create_task_group() as group:
                group.start_soon(answer_of, caller.invoke(b"1", request_id="r"), answers)
                await settle()
                bench.made[0].break_down.set()
            [problem] = answers
            assert isinstance(problem, FunctionUnusable)
            assert "the runner died" in str(problem)
            assert functions["one"].permits.held == 0
            assert (await caller.invoke(b"2", request_id="s")).result == Payload(b"2")
            assert len(bench.made) == 2


@virtual_time.test
async def test_who_waited_for_a_permit_gets_the_function_of_now() -> None:
    """The one that it asked for first may have broken down meanwhile."""
    bench, answers = Bench(), list[Invocation | Exception]()
    async with bench.running(one=1) as functions:
        with functions["one"].caller() as caller, functions["one"].caller() as other:
            await other.function()
            await other.claim.acquire()
            async with anyio.create_task_group() as group:
                group.start_soon(answer_of, caller.invoke(b"1", request_id="r"), answers)
                await settle()
                bench.made[0].break_down.set()
                await settle()
                other.claim.release()
            assert [answer.result for answer in answers if isinstance(answer, Invocation)] == [Payload(b"1")]
            assert (bench.made[0].most, bench.made[1].most) == (0, 1)


@virtual_time.test
async def test_everything_that_failed_at_once_in_a_function_is_logged() -> None:
    """Whoever asks is told one cause: the others would be known to nobody."""
    bench = Bench(problems=[ExceptionGroup("two", [FunctionUnusable("no module"), FunctionUnusable("no room")])])
    with structlog.testing.capture_logs() as lines:
        async with bench.running(one=1) as functions:
            with functions["one"].caller() as caller, pytest.raises(FunctionUnusable, match="no module"):
                await caller.function()
            assert functions["one"].problem == "no module; also: no room"
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["function broke down"]


@virtual_time.test
async def test_who_asks_is_answered_when_the_end_of_the_process_cuts_the_loading() -> None:
    """A caller may belong to a task that ends later."""
    answers = list[Invocation | Exception]()
    async with anyio.create_task_group() as callers:
        async with anyio.create_task_group() as group:
            functions = Functions(lambda name, model: LoadsForMinutes(name, model))
            functions.start(group, models(one=1))
            caller = functions["one"].caller()
            callers.start_soon(answer_of, caller.invoke(b"1", request_id="r"), answers)
            await settle()
            group.cancel_scope.cancel()
        await settle()
        assert [str(answer) for answer in answers] == ["function one has been closed"]


@virtual_time.test
async def test_one_load_that_fails_answers_all_who_wait_for_it() -> None:
    """Whether there is a permit for each of them or not: they do not load it one after the other."""
    bench = Bench(problems=[FunctionUnusable("no module")], kind=LoadsForMinutes)
    answers = list[Invocation | Exception]()
    async with bench.running(one=1) as functions:
        with functions["one"].caller() as caller:
            async with anyio.create_task_group() as group:
                for which in "123":
                    group.start_soon(answer_of, caller.invoke(b"", request_id=which), answers)
        assert [str(answer) for answer in answers] == ["no module"] * 3
        assert len(bench.made) == 1


@virtual_time.test
async def test_a_function_that_is_still_loading_is_closed_at_once() -> None:
    """Its code may take minutes."""
    bench, answers = Bench(kind=LoadsForMinutes), list[Invocation | Exception]()
    async with bench.running(one=1) as functions:
        host, began = functions["one"], anyio.current_time()
        with host.caller() as caller:
            async with anyio.create_task_group() as group:
                group.start_soon(answer_of, caller.invoke(b"", request_id="r"), answers)
                await settle()
                functions.close()
                await host.finished.wait()
        assert anyio.current_time() == began
        assert [str(answer) for answer in answers] == ["function one has been closed"]
