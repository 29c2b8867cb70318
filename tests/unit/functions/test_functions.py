"""Functions live by themselves: a host for each, entered when somebody calls, shared by its callers, renewed in order."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import pytest
import structlog

from config.models import PythonFunction
from handlers.errors import FunctionUnusable
from handlers.function import Invocation, Payload
from pollers.functions import Functions, FunctionState
from tests.unit.supervisor.fakes import FakeFunction
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from types import TracebackType

    from config.models import FunctionModel


class SlowFunction(FakeFunction):
    """Takes ten seconds for each invocation and notes how many run at a time."""

    busy = 0
    most = 0

    async def invoke(self, event: bytes, *, request_id: str) -> Invocation:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await anyio.sleep(10.0)
        self.busy -= 1
        return Invocation(request_id, Payload(event), 10.0)


@dataclass
class Bench:
    """Makes functions and remembers them; ``problems`` are met by the first ones that are entered."""

    made: list[SlowFunction] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)
    kind: type[SlowFunction] = SlowFunction

    def make(self, name: str, model: FunctionModel) -> SlowFunction:
        """As the factory does."""
        problem = self.problems.pop(0) if self.problems else None
        self.made.append(self.kind(name, model, problem=problem))
        return self.made[-1]

    @asynccontextmanager
    async def running(self, **concurrency: int) -> AsyncIterator[Functions]:
        """Functions of these names, with so many permits each."""
        functions = Functions(self.make)
        async with anyio.create_task_group() as group:
            functions.start(group, models(**concurrency))
            await settle()
            yield functions
            functions.close()
        assert not functions.unfinished


def models(**concurrency: int) -> dict[str, FunctionModel]:
    """Functions of these names."""
    return {
        name: PythonFunction.model_validate({"code": ".", "handler": "app.handler", "concurrency": permits})
        for name, permits in concurrency.items()
    }


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
            assert host.state is FunctionState.RUNNING


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


class LeavesSlowly(SlowFunction):
    """Takes a second to stop what it has started."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(1.0)
        await super().__aexit__(kind, error, traceback)


async def _answer(call: Awaitable[Invocation], answers: list[Invocation | Exception]) -> None:
    try:
        answers.append(await call)
    except Exception as problem:
        answers.append(problem)


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
            assert await caller.function() is bench.made[1]


@virtual_time.test
async def test_an_invocation_of_a_function_that_breaks_down_does_not_wait_for_ever() -> None:
    """Nothing may ever answer it; its permit is free again, and the next one is for the new function."""
    bench, answers = Bench(), list[Invocation | Exception]()
    async with bench.running(one=1) as functions:
        with functions["one"].caller() as caller:
            async with anyio.create_task_group() as group:
                group.start_soon(_answer, caller.invoke(b"1", request_id="r"), answers)
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
                group.start_soon(_answer, caller.invoke(b"1", request_id="r"), answers)
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
            callers.start_soon(_answer, caller.invoke(b"1", request_id="r"), answers)
            await settle()
            group.cancel_scope.cancel()
        await settle()
        assert [str(answer) for answer in answers] == ["function one has been closed"]


class LoadsForMinutes(SlowFunction):
    """Never seen entered."""

    async def __aenter__(self) -> LoadsForMinutes:
        await anyio.sleep(600.0)
        return self
