"""A caller's invocations: how long they wait for a permit, what they hand on, and reserved concurrency."""

from __future__ import annotations

import anyio

from handlers.function import PLAIN, Call, Invocation, Payload, Throttle
from tests.unit.functions.fakes import Bench, SlowFunction, answer_of, models
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle


class NotesItsCalls(SlowFunction):
    """Remembers what it was called with."""

    given: Call | None = None

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        self.given = call
        return await super().invoke(event, request_id=request_id, call=call)


@virtual_time.test
async def test_what_a_direct_caller_gives_along_reaches_the_function() -> None:
    """The host's door changes nothing of it."""
    bench, call = Bench(kind=NotesItsCalls), Call(client_context="{}")
    async with bench.running(one=1) as functions:
        with functions["one"].caller() as caller:
            await caller.invoke(b"1", request_id="r", call=call)
    [function] = bench.made
    assert isinstance(function, NotesItsCalls)
    assert function.given is call


@virtual_time.test
async def test_a_caller_without_patience_is_throttled_at_once_when_everything_runs() -> None:
    """The function does not see the event."""
    bench, answers = Bench(), list[Invocation | Exception]()
    async with bench.running(one=1) as functions, anyio.create_task_group() as group:
        with functions["one"].caller() as caller, functions["one"].caller() as other:
            group.start_soon(answer_of, other.invoke(b"1", request_id="r"), answers)
            await settle()
            began = anyio.current_time()
            refused = await caller.invoke(b"2", request_id="s", patience=0)
            assert anyio.current_time() == began
            assert (refused.request_id, type(refused.result)) == ("s", Throttle)
            assert "runs as many invocations as it may at a time: 1" in str(refused.result)
            await anyio.sleep(11.0)
            assert (await caller.invoke(b"3", request_id="t", patience=0)).result == Payload(b"3")
    assert len(answers) == bench.made[0].most == 1


@virtual_time.test
async def test_a_caller_waits_for_a_permit_as_long_as_its_patience_lasts() -> None:
    """A throttle when that is over; the invocation when a permit comes back in time. Nobody is left in the queue."""
    bench, answers = Bench(), list[Invocation | Exception]()
    async with bench.running(one=1) as functions, anyio.create_task_group() as group:
        with functions["one"].caller() as caller, functions["one"].caller() as other:
            group.start_soon(answer_of, other.invoke(b"1", request_id="r"), answers)
            await settle()
            began = anyio.current_time()
            assert isinstance((await caller.invoke(b"2", request_id="s", patience=4.0)).result, Throttle)
            assert anyio.current_time() == began + 4.0
            assert not other.claim.contended
            assert (await caller.invoke(b"3", request_id="t", patience=7.0)).result == Payload(b"3")
            assert anyio.current_time() == began + 20.0
        assert functions["one"].permits.held == 0


@virtual_time.test
async def test_reserved_concurrency_bounds_what_runs_below_what_is_configured() -> None:
    """0 runs none; more than is configured changes nothing; taking it back gives what is configured."""
    bench = Bench()
    async with bench.running(one=2) as functions:
        host = functions["one"]
        with host.caller() as caller:
            host.reserve(0)
            assert host.reserved == 0
            refused = await caller.invoke(b"1", request_id="r", patience=0)
            assert "at a time: 0 (its reserved concurrency)" in str(refused.result)
            for reserved, effective in ((1, 1), (10, 2), (None, 2)):
                host.reserve(reserved)
                assert (host.reserved, host.permits.concurrency) == (reserved, effective)
            assert (await caller.invoke(b"1", request_id="s", patience=0)).result == Payload(b"1")


@virtual_time.test
async def test_what_runs_goes_on_when_less_concurrency_is_reserved() -> None:
    """The next invocation begins when there is room again."""
    bench, answers = Bench(), list[Invocation | Exception]()
    async with bench.running(one=2) as functions:
        host = functions["one"]
        with host.caller() as caller:
            async with anyio.create_task_group() as group:
                for name in ("a", "b"):
                    group.start_soon(answer_of, caller.invoke(b"1", request_id=name), answers)
                await settle()
                host.reserve(1)
                assert isinstance((await caller.invoke(b"2", request_id="c", patience=9.0)).result, Throttle)
                assert (await caller.invoke(b"3", request_id="d", patience=2.0)).result == Payload(b"3")
    assert len(answers) == 2


@virtual_time.test
async def test_a_changed_function_keeps_its_reserved_concurrency() -> None:
    """Who switched a function off does not see it run because its configuration was changed."""
    bench = Bench()
    async with bench.running(one=1, two=1) as functions:
        functions["one"].reserve(0)
        await functions.apply(models(one=3, two=1), renew=["one"])
        assert (functions["one"].reserved, functions["one"].permits.concurrency) == (0, 0)
        assert functions["two"].reserved is None
