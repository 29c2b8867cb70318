"""One invocation: what the function is given, what is told, and what the caller gets back."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.function import PLAIN, Call, FunctionError, InfrastructureError, Invocation, Payload, Throttle
from pollers.engine.invoking import STOPPED, Attempt, Ended, accept_all, invoke, new_request_id
from pollers.engine.poller import Surroundings
from pollers.engine.responses import Verdict, failed_ids
from pollers.engine.stop import Stop
from pollers.telemetry.facts import Fact, Invoked, Invoking, Outcome
from pollers.telemetry.payloads import text_member
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from handlers.function import Function, Result
    from pollers.engine.permits import Claim

IDS = ["a", "b", "c"]
RECORDS = [b'{"body":"one"}', b'{"body":"two"}', b'{"body":"three"}']


@dataclass
class Bench:
    """A function that answers with ``result`` after ``seconds``, and all that is told meanwhile."""

    result: Result | Exception = field(default_factory=lambda: Payload(b"null"))
    seconds: float = 0.0
    told: list[Fact] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    hurries: bool = False

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """As a function does. It measures half of the time that the caller waits."""
        self.events.append(event)
        await anyio.sleep(self.seconds)
        if self.hurries:
            self.stop.hurry()
        if isinstance(self.result, Exception):
            raise self.result
        return Invocation(request_id, self.result, self.seconds / 2)

    async def run(self, judge: Callable[[bytes], Verdict] = accept_all, **told: float) -> Ended:
        """Invoke once."""
        surroundings = Surroundings(
            function=cast("Function", self),
            claim=cast("Claim", None),
            facts=Facts("m", [lambda _, fact: self.told.append(fact)]),
            first_payload=text_member("body"),
            random=random.Random(1),
        )
        attempt = Attempt("shard-1", IDS, RECORDS, b"[1,2,3]", 2, trace_headers=("t",), **told)
        return await invoke(attempt, judge, surroundings, self.stop, anyio.current_time())

    @property
    def invoked(self) -> Invoked:
        """The one fact of the invocation's end."""
        [fact] = [fact for fact in self.told if isinstance(fact, Invoked)]
        return fact


def reported(*ids: str) -> Callable[[bytes], Verdict]:
    """A judge that finds these failed."""
    return lambda _: Verdict(frozenset(ids))


@given(st.integers())
def test_a_request_id_is_a_random_uuid(seed: int) -> None:
    """As the standard library makes one of the same bits."""
    expected = str(uuid.UUID(int=random.Random(seed).getrandbits(128), version=4))
    assert new_request_id(random.Random(seed)) == expected


@virtual_time.test
async def test_what_the_caller_says_of_the_batch_is_told_before_the_function_has_it() -> None:
    """With a request id that the function is given too, and that comes back."""
    bench = Bench()
    ended = await bench.run(gather_seconds=1.5, iterator_age_seconds=7.0)
    expected = new_request_id(random.Random(1))
    assert bench.told[0] == Invoking("shard-1", IDS, expected, 7, 2, 1.5, 7.0, ("t",))
    assert bench.events == [b"[1,2,3]"]
    assert ended.request_id == expected


@virtual_time.test
async def test_a_batch_that_is_accepted_fails_nothing_and_shows_no_payload() -> None:
    """The duration told is the function's own; what the caller waited is in what it gets back."""
    bench = Bench(seconds=2.0)
    ended = await bench.run()
    assert ended == Ended(Outcome.SUCCESS, ended.request_id, took_seconds=2.0)
    assert bench.invoked == Invoked("shard-1", IDS, ended.request_id, Outcome.SUCCESS, 1.0)
    assert ended.ran


@virtual_time.test
async def test_reported_failures_come_in_the_order_of_the_batch() -> None:
    """And the payload that is shown is that of the first record that failed."""
    bench = Bench()
    ended = await bench.run(reported("c", "b"))
    assert (ended.outcome, ended.failed_ids, ended.error) == (Outcome.PARTIAL, ["b", "c"], None)
    assert (bench.invoked.failed_ids, bench.invoked.first_payload) == (["b", "c"], b"two")


@virtual_time.test
async def test_a_response_that_cannot_be_read_fails_the_batch_though_the_function_ran() -> None:
    """It is no unhandled error: failure records tell the two apart."""
    bench = Bench(Payload(b"{"))
    ended = await bench.run(lambda body: failed_ids(body, IDS))
    assert (ended.outcome, ended.failed_ids, ended.unhandled) == (Outcome.ERROR, IDS, False)
    assert bench.invoked.error == ended.error == "the response is not JSON"


@pytest.mark.parametrize(
    ("result", "outcome", "error", "ran"),
    [
        (FunctionError("Boom", "no", b"{}"), Outcome.ERROR, "Boom: no", True),
        (FunctionError("", "no", b"{}"), Outcome.ERROR, "no", True),
        (Throttle("429", 3.0), Outcome.THROTTLE, "429", False),
        (InfrastructureError("no worker", 3.0), Outcome.INFRASTRUCTURE, "no worker", False),
    ],
    ids=["error", "error without a type", "throttle", "infrastructure"],
)
def test_a_result_without_a_payload_is_not_judged(result: Result, outcome: Outcome, error: str, *, ran: bool) -> None:
    """The whole batch failed, and says why and when to come back."""

    def judge(_: bytes) -> Verdict:
        raise AssertionError("nothing was returned")

    bench = Bench(result)
    ended = virtual_time.run(lambda: bench.run(judge))
    assert (ended.outcome, ended.error, ended.failed_ids, ended.ran) == (outcome, error, IDS, ran)
    assert ended.unhandled == isinstance(result, FunctionError)
    assert ended.retry_after_seconds == (None if ran else 3.0)
    assert (bench.invoked.outcome, bench.invoked.error, bench.invoked.first_payload) == (outcome, error, b"one")


@virtual_time.test
async def test_a_request_to_stop_lets_it_finish_and_a_hurry_abandons_it() -> None:
    """What is abandoned has told how long it took until then."""
    bench = Bench(seconds=60.0)
    ended: list[Ended] = []

    async def run() -> None:
        ended.append(await bench.run())

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.sleep(5.0)
        bench.stop.request()
        await settle()
        assert not ended
        bench.stop.hurry()
    assert (ended[0].outcome, ended[0].error, ended[0].ran) == (Outcome.ABANDONED, STOPPED, False)
    assert (bench.invoked.outcome, bench.invoked.duration_seconds) == (Outcome.ABANDONED, 5.0)


@virtual_time.test
async def test_nothing_is_begun_after_a_hurry() -> None:
    """So nothing is told of it either."""
    bench = Bench()
    bench.stop.hurry()
    assert (await bench.run()).outcome is Outcome.ABANDONED
    assert (bench.told, bench.events) == ([], [])


@virtual_time.test
async def test_an_answer_that_came_together_with_the_hurry_counts() -> None:
    """The function has done the work: to throw its answer away would repeat it."""
    bench = Bench(hurries=True)
    assert (await bench.run()).outcome is Outcome.SUCCESS


@virtual_time.test
async def test_a_crash_from_outside_is_told_and_goes_on() -> None:
    """Every beginning that was told has its end."""
    bench = Bench(seconds=60.0)
    with anyio.move_on_after(1.0) as scope:
        await bench.run()
    assert scope.cancelled_caught
    assert bench.invoked.outcome is Outcome.ABANDONED


@virtual_time.test
async def test_a_fault_of_the_runner_is_told_and_raised() -> None:
    """A function never raises for what it does, so this is a fault of ours."""
    bench = Bench(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await bench.run()
    assert bench.invoked.outcome is Outcome.ABANDONED
