"""A stream mapping on a stream in memory, under virtual time: one poller, one function written in the test, every fact kept."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import anyio
import orjson
import structlog

from config.models import DynamoDBMapping, KinesisMapping
from handlers.function import PLAIN, Call, FunctionError, FunctionStatus, Invocation, Payload, Result
from pollers.checkpoints import CheckpointStore, MemoryStore
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.registry import compile_patterns, kind_of
from pollers.sources.streams.poller import StreamPoller
from pollers.telemetry.facts import Doing, Fact, State
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time
from tests.worlds.memory_streams import MemoryShard, MemoryStream
from tests.worlds.stream_records import values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
    from types import TracebackType

    from pollers.checkpoints.store import ShardCheckpoint
    from pollers.destinations import FailureRecord

F = TypeVar("F")

RAISED = FunctionError("Exception", "it raised", b'{"errorMessage":"it raised"}')


class RigFunction:
    """Runs the rig's ``handler`` and keeps every event, in the order that invocations began."""

    name = "handler"
    arn = "arn:aws:lambda:us-east-1:000000000000:function:handler"
    timeout_seconds = 900.0

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.handler: Callable[[dict[str, Any]], Awaitable[Result]] = accept
        self.events: list[dict[str, Any]] = []
        self.calls: list[Call] = []
        self.sizes: list[int] = []
        self.began: list[float] = []
        self.finished: list[list[str]] = []
        self.busy = 0

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """See ``Function.invoke``."""
        parsed = orjson.loads(event)
        self.events.append(parsed)
        self.calls.append(call)
        self.sizes.append(len(event))
        self.began.append(anyio.current_time())
        self.busy += 1
        assert self.busy <= self.concurrency
        try:
            result = await self.handler(parsed)
        finally:
            self.busy -= 1
        if isinstance(result, Payload):
            self.finished.append([value for _, value in values(parsed)])
        return Invocation(request_id, result, 0.01)

    def status(self) -> FunctionStatus:
        """See ``Function.status``."""
        return FunctionStatus(0, self.busy)

    async def __aenter__(self) -> RigFunction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


async def accept(event: dict[str, Any]) -> Result:
    """A handler that accepts everything after a short while."""
    await anyio.sleep(0.01)
    return Payload(b"null")


def failing_on(*bad: str, times: int = 1_000_000) -> Callable[[dict[str, Any]], Awaitable[Result]]:
    """A handler that raises on batches with one of these values, so many times."""
    left = times

    async def handler(event: dict[str, Any]) -> Result:
        nonlocal left
        await anyio.sleep(0.01)
        if left and {value for _, value in values(event)} & set(bad):
            left -= 1
            return RAISED
        return Payload(b"null")

    return handler


def slow_on(*slow: str, seconds: float) -> Callable[[dict[str, Any]], Awaitable[Result]]:
    """A handler that takes its time on batches with one of these values."""

    async def handler(event: dict[str, Any]) -> Result:
        await anyio.sleep(seconds if {value for _, value in values(event)} & set(slow) else 0.01)
        return Payload(b"null")

    return handler


class RigDestination:
    """Keeps failure records; raises ``error`` while there is one."""

    arn = "arn:aws:sqs:us-east-1:000000000000:failed"

    def __init__(self) -> None:
        self.failures: list[FailureRecord] = []
        self.events: list[bytes] = []
        self.error: Exception | None = None
        self.warning: str | None = None
        self.attempts = 0

    async def check(self) -> str | None:
        """See ``Destination.check``."""
        if self.error is not None:
            raise self.error
        return self.warning

    async def deliver(self, failure: FailureRecord, event: bytes) -> None:
        """See ``Destination.deliver``."""
        self.attempts += 1
        await anyio.sleep(0.01)
        if self.error is not None:
            raise self.error
        self.failures.append(failure)
        self.events.append(event)


class Rig:
    """One mapping. Settings are the mapping's; a rig can run one poller after another on the same store."""

    def __init__(
        self,
        kind: Literal["kinesis", "dynamodb"] = "kinesis",
        *,
        shards: int = 1,
        concurrency: int = 10,
        destination: bool = False,
        store: CheckpointStore | None = None,
        stream: dict[str, Any] | None = None,
        **settings: Any,  # noqa: ANN401 - the mapping's own
    ) -> None:
        self.clock = virtual_time.VirtualClock()
        self.service_clock = virtual_time.VirtualClock()
        self.stream = MemoryStream(kind, self.service_clock.time, shards=shards, **(stream or {}))
        self.destination = RigDestination() if destination else None
        if self.destination is not None:
            settings["destination_config"] = {"on_failure": {"destination": self.destination.arn}}
        self.mapping = self._mapping(kind, settings)
        self.function = RigFunction(concurrency)
        self.store: CheckpointStore = store or MemoryStore()
        self.permits = Permits(concurrency)
        self.facts: list[Fact] = []
        self.ledger = Ledger()
        self.stop = Stop()
        self.log: list[MutableMapping[str, Any]] = []
        self._filter = compile_patterns(self.mapping)

    def _mapping(self, kind: str, settings: dict[str, Any]) -> KinesisMapping | DynamoDBMapping:
        named = {
            "name": "rig",
            "event_source_arn": self.stream.arn,
            "function_name": "handler",
            "starting_position": "TRIM_HORIZON",
        }
        return (
            KinesisMapping(**{**named, **settings}) if kind == "kinesis" else DynamoDBMapping(**{**named, **settings})
        )

    @property
    def only_shard(self) -> MemoryShard:
        """The one shard that takes records."""
        (shard,) = self.stream.open_shards()
        return shard

    def put(self, *written: str, key: str = "k") -> None:
        """Write values with one key."""
        for value in written:
            self.stream.put(key, value)

    def of(self, kind: type[F]) -> list[F]:
        """The facts of one kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def doing(self, task: str) -> Doing | None:
        """What a task was last said to do."""
        return next((fact for fact in reversed(self.of(Doing)) if fact.task == task), None)

    def state(self, task: str) -> State | None:
        """The state that a task was last said to be in."""
        said = self.doing(task)
        return None if said is None else said.state

    @property
    def invoked(self) -> list[list[str]]:
        """The values of every invocation, in the order that they began."""
        return [[value for _, value in values(event)] for event in self.function.events]

    @property
    def accepted(self) -> list[str]:
        """The values that the function accepted, in the order that it did."""
        return [value for batch in self.function.finished for value in batch]

    async def checkpoints(self) -> dict[str, ShardCheckpoint]:
        """What the store holds."""
        opened = await self.store.open("rig", self.stream.identity)
        return await opened.checkpoints.load()

    def poller(self) -> StreamPoller:
        """A new poller, with a stop and books of its own."""
        self.stop, self.ledger = Stop(), Ledger()
        surroundings = Surroundings(
            self.function,
            self.permits.claim(),
            Facts("rig", [self.ledger, lambda _mapping, fact: self.facts.append(fact)]),
            kind_of(self.mapping).shown.first_payload,
            self.stop,
            self.clock,
            random.Random(7),
        )
        if self.stream.kind == "kinesis":
            source: KinesisSource | DynamoDBSource = KinesisSource(self.stream.arn, self.stream)
        else:
            source = DynamoDBSource(self.stream.arn, self.stream)
        return StreamPoller(self.mapping, source, self.store, self.destination, surroundings, self._filter)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StreamPoller]:
        """A poller at work; stopped in order at the end, with everything handed back and the books balanced."""
        poller = self.poller()
        with self._logging():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(poller.run)
                yield poller
                self.stop.request()
        self.check_books(poller)

    @asynccontextmanager
    async def crashing(self) -> AsyncIterator[StreamPoller]:
        """A poller at work, which crashes at the end."""
        poller = self.poller()
        with self._logging():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(poller.run)
                yield poller
                tasks.cancel_scope.cancel()
        assert self.permits.held == 0

    async def run_to_failure(self) -> Exception:
        """Run a poller that fails by itself; its failure."""
        poller = self.poller()
        try:
            with self._logging():
                await poller.run()
        except Exception as failure:
            self.check_books(poller)
            return failure
        raise AssertionError("it did not fail")

    def check_books(self, poller: StreamPoller) -> None:
        """After a poller ended in order."""
        assert poller.held() == 0
        assert self.ledger.in_flight == 0, self.ledger.as_dict()
        assert self.permits.held == 0

    @contextmanager
    def _logging(self) -> Iterator[None]:
        """What is logged meanwhile goes to ``log``."""
        with structlog.testing.capture_logs() as entries:
            self.log = entries
            yield


eventually = virtual_time.eventually
