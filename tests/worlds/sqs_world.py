"""A queue, a function that does as it is told, and a poller between them, under virtual time."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio

from config.models import SqsMapping
from handlers.function import PLAIN, Function, FunctionError, FunctionStatus, Invocation, Payload, Result
from handlers.function import Call as DirectCall
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.sqs.kind import SQS
from pollers.sources.sqs.poller import SqsPoller
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts, Sink
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pollers.aws.api import SqsApi
    from pollers.telemetry.facts import Fact

OK = Payload(b"null")
FAILED = FunctionError("Broken", "it broke", b'{"errorType":"Broken","errorMessage":"it broke"}')


def failures(*ids: str) -> Payload:
    """A partial batch response."""
    return Payload(json.dumps({"batchItemFailures": [{"itemIdentifier": one} for one in ids]}).encode())


@dataclass(eq=False)
class Call:
    """One invocation, as the function saw it."""

    records: list[dict[str, Any]]
    started_at: float
    size_bytes: int
    ended_at: float | None = None
    result: Result | None = None

    @property
    def ids(self) -> list[str]:
        return [record["messageId"] for record in self.records]

    @property
    def bodies(self) -> list[str]:
        return [record["body"] for record in self.records]


Behaviour: TypeAlias = Callable[[Call], Awaitable[Result]]


async def succeed(call: Call) -> Result:
    """Accept everything, in 10 ms."""
    await anyio.sleep(0.01)
    return OK


def takes(seconds: float, result: Result = OK) -> Behaviour:
    """Answer ``result`` after ``seconds``."""

    async def behaviour(call: Call) -> Result:
        await anyio.sleep(seconds)
        return result

    return behaviour


class ScriptedFunction:
    """A function whose every invocation is decided by a coroutine, and remembered."""

    arn = "arn:aws:lambda:us-east-1:000000000000:function:scripted"
    name = "scripted"

    def __init__(self, behaviour: Behaviour = succeed, *, concurrency: int = 5, timeout_seconds: float = 3) -> None:
        self.behaviour = behaviour
        self.concurrency = concurrency
        self.timeout_seconds = timeout_seconds
        self.calls: list[Call] = []
        self.running: list[Call] = []
        self.most_running = 0

    async def invoke(self, event: bytes, *, request_id: str, call: DirectCall = PLAIN) -> Invocation:
        now = anyio.current_time()
        made = Call(json.loads(event)["Records"], now, len(event))
        self.calls.append(made)
        self.running.append(made)
        self.most_running = max(self.most_running, len(self.running))
        assert len(self.running) <= self.concurrency, "more invocations than the function allows"
        try:
            made.result = await self.behaviour(made)
        finally:
            self.running.remove(made)
            made.ended_at = anyio.current_time()
        return Invocation(request_id, made.result, made.ended_at - now)

    def status(self) -> FunctionStatus:
        return FunctionStatus(0, len(self.running))

    async def __aenter__(self) -> Function:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


def sqs_mapping(queue: Queue, **settings: Any) -> SqsMapping:  # noqa: ANN401 - a mapping's settings as in its file
    """A mapping of the queue."""
    return SqsMapping(name="orders", event_source_arn=queue.arn, function_name="scripted", **settings)


@dataclass
class World:
    """One mapping's whole world. ``facts`` is everything that its pollers said."""

    queue: Queue
    function: ScriptedFunction
    mapping: SqsMapping
    api: SqsApi
    permits: Permits
    seed: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    facts: list[Fact] = field(default_factory=list)
    sinks: list[Sink] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    poller: SqsPoller | None = None
    traced: bool = False

    @classmethod
    def of(
        cls,
        *,
        behaviour: Behaviour = succeed,
        concurrency: int = 5,
        timeout_seconds: float = 3,
        queue: Queue | None = None,
        api: SqsApi | None = None,
        seed: int = 0,
        **settings: Any,  # noqa: ANN401 - a mapping's settings as in its file
    ) -> World:
        queue = queue or Queue("orders", seed=seed)
        function = ScriptedFunction(behaviour, concurrency=concurrency, timeout_seconds=timeout_seconds)
        return cls(queue, function, sqs_mapping(queue, **settings), api or MemorySqs(queue), Permits(concurrency), seed)

    def make_poller(self, **options: Any) -> SqsPoller:  # noqa: ANN401 - of the poller's constructor
        """A new poller, with its own stop, the same books and a new claim."""
        self.stop = Stop()
        surroundings = Surroundings(
            self.function,
            self.permits.claim(self.mapping.scaling_config.maximum_concurrency),
            Facts(self.mapping.name, [self.ledger, lambda _, fact: self.facts.append(fact), *self.sinks], self.traced),
            SQS.shown.first_payload,
            self.stop,
            VirtualClock(),
            random.Random(self.seed),
        )
        self.poller = SqsPoller(self.mapping, self.api, surroundings, **options)
        return self.poller

    @asynccontextmanager
    async def polling(self, **options: Any) -> AsyncIterator[SqsPoller]:  # noqa: ANN401 - of the poller's constructor
        """Run a poller; stop it cleanly at the end and see that its books balance."""
        poller = self.make_poller(**options)
        async with anyio.create_task_group() as group:
            group.start_soon(poller.run)
            yield poller
            self.stop.request()
        self.check_books()

    def check_books(self) -> None:
        """Nothing is held and every received message is accounted for."""
        assert self.poller is not None
        assert self.poller.held() == 0
        assert self.ledger.in_flight == 0, self.ledger
        assert self.permits.held == 0

    def of_kind(self, kind: type[Any]) -> list[Any]:
        """The facts of one kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    @property
    def handled(self) -> list[str]:
        """Bodies that a successful invocation has had, in order."""
        return [body for call in self.function.calls if call.result == OK for body in call.bodies]
