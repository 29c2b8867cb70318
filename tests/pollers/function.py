"""The function of a trial: every invocation is decided by a coroutine of the test, watched and remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import orjson

from handlers.function import PLAIN, FunctionError, FunctionStatus, Invocation, Payload, Result
from handlers.function import Call as DirectCall
from tests.pollers.world import Partial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from tests.pollers.world import Given

BROKEN = FunctionError("Broken", "it broke", b'{"errorType":"Broken","errorMessage":"it broke"}')


@dataclass(frozen=True, slots=True)
class Answer:
    """How an invocation ends. ``done`` are the values that the source need not bring again."""

    result: Result
    done: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Call:
    """One invocation, as the function saw it."""

    event: dict[str, Any]
    given: list[Given]
    partial: Partial
    began: float
    size_bytes: int
    ended: float | None = field(default=None, init=False)
    answer: Answer | None = field(default=None, init=False)

    @property
    def values(self) -> list[str]:
        """What it was given."""
        return [one.value for one in self.given]

    def accepted(self, body: bytes = b"null") -> Answer:
        """Everything is done."""
        return Answer(Payload(body), frozenset(self.values))

    def failed(self, result: Result = BROKEN) -> Answer:
        """Nothing is done."""
        return Answer(result)

    def named(self, failed: Iterable[str]) -> Answer:
        """A partial response that names these values as failed."""
        named = set(failed)
        body = {"batchItemFailures": [{"itemIdentifier": one.id} for one in self.given if one.value in named]}
        first = next(index for index, one in enumerate(self.given) if one.value in named)
        done = self.values if self.partial is Partial.THE_NAMED else self.values[:first]
        return Answer(Payload(orjson.dumps(body)), frozenset(done) - named)


Behaviour: TypeAlias = "Callable[[Call], Awaitable[Answer]]"


async def accept(call: Call) -> Answer:
    """Accept everything, in 10 ms."""
    await anyio.sleep(0.01)
    return call.accepted()


def takes(seconds: float) -> Behaviour:
    """Accept everything, after so long."""

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(seconds)
        return call.accepted()

    return behaviour


def fails_at_first(times: int, answer: Callable[[Call], Answer]) -> Behaviour:
    """The first invocations of each batch's first value end so; then everything is accepted."""
    seen: dict[str, int] = {}

    async def behaviour(call: Call) -> Answer:
        await anyio.sleep(0.01)
        first = call.values[0]
        seen[first] = seen.get(first, 0) + 1
        return answer(call) if seen[first] <= times else call.accepted()

    return behaviour


def fails_on(*bad: str, times: int = 1_000_000) -> Behaviour:
    """Batches that have one of these values fail as a whole, so many times."""
    left = times

    async def behaviour(call: Call) -> Answer:
        nonlocal left
        await anyio.sleep(0.01)
        if left and not set(bad).isdisjoint(call.values):
            left -= 1
            return call.failed()
        return call.accepted()

    return behaviour


@dataclass(eq=False)
class TrialFunction:
    """Implements ``handlers.function.Function``. ``began`` and ``ended`` are told of every invocation."""

    behaviour: Behaviour
    concurrency: int
    timeout_seconds: float
    read: Callable[[dict[str, Any]], list[Given]]
    partial: Partial
    began: Callable[[Call], None]
    ended: Callable[[Call], None]
    problem: Exception | None = field(default=None, init=False)
    """What entering it raises, while there is something."""
    calls: list[Call] = field(default_factory=list, init=False)
    running: list[Call] = field(default_factory=list, init=False)
    invoked: anyio.Event = field(default_factory=anyio.Event, init=False)
    """Set, and replaced, when an invocation begins."""

    name = "trial"
    arn = "arn:aws:lambda:us-east-1:000000000000:function:trial"

    async def invoke(self, event: bytes, *, request_id: str, call: DirectCall = PLAIN) -> Invocation:
        """See ``Function.invoke``."""
        parsed = orjson.loads(event)
        made = Call(parsed, self.read(parsed), self.partial, anyio.current_time(), len(event))
        self.began(made)
        self.calls.append(made)
        self.running.append(made)
        self.invoked.set()
        self.invoked = anyio.Event()
        try:
            made.answer = await self.behaviour(made)
        finally:
            self.running.remove(made)
            made.ended = anyio.current_time()
        self.ended(made)
        return Invocation(request_id, made.answer.result, made.ended - made.began)

    def status(self) -> FunctionStatus:
        """See ``Function.status``."""
        return FunctionStatus(0, len(self.running))

    async def __aenter__(self) -> TrialFunction:
        if self.problem is not None:
            raise self.problem
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass
