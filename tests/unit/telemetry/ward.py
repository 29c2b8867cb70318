"""A runtime with one mapping, whose real poller works on a source in memory, and the health that is computed of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from config.models import Config, DynamoDBMapping, KinesisMapping, PythonFunction, SqsMapping
from handlers.function import PLAIN, Invocation
from pollers.checkpoints import MemoryStore
from pollers.sources.dynamodb.source import DynamoDBSource
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.sqs.poller import SqsPoller
from pollers.sources.streams.poller import StreamPoller
from pollers.status.loop_monitor import LoopMonitor
from pollers.status.snapshot import Status
from pollers.supervisor.runtime import Runtime
from pollers.telemetry.board import Board
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.memory_streams import MemoryStream
from tests.worlds.sqs_world import Behaviour, succeed
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from config.models import Mapping
    from handlers.function import Call, Function, Result
    from pollers.aws.api import EntryFailed, Wire
    from pollers.aws.errors import AwsError
    from pollers.engine.poller import Poller, Surroundings
    from pollers.supervisor.mapping import MappingRunner


@dataclass
class Trouble:
    """What befalls calls to the source, by operation: those in ``hanging`` never return, those in ``failing`` raise."""

    hanging: set[str] = field(default_factory=set)
    failing: dict[str, AwsError] = field(default_factory=dict)

    async def before(self, operation: str) -> None:
        """See ``memory_streams.Faults``."""
        await anyio.sleep(0.01)
        if operation in self.hanging:
            await anyio.sleep_forever()
        if operation in self.failing:
            raise self.failing[operation]

    async def after(self, operation: str) -> None:
        """See ``memory_streams.Faults``."""


class TroubledSqs(MemorySqs):
    """An SQS whose calls meet ``trouble`` first."""

    def __init__(self, queue: Queue, trouble: Trouble) -> None:
        super().__init__(queue)
        self._trouble = trouble

    async def queue_url(self, name: str, owner: str) -> str:
        await self._trouble.before("queue_url")
        return await super().queue_url(name, owner)

    async def receive(
        self, url: str, *, maximum: int, wait_seconds: int, visibility_seconds: int | None = None
    ) -> list[Wire]:
        await self._trouble.before("receive")
        return await super().receive(
            url, maximum=maximum, wait_seconds=wait_seconds, visibility_seconds=visibility_seconds
        )

    async def delete(self, url: str, handles: Sequence[str]) -> list[EntryFailed]:
        await self._trouble.before("delete")
        return await super().delete(url, handles)


class AnyFunction:
    """A function whose behaviour a test decides; it neither counts nor parses."""

    name = "work"
    arn = "arn:aws:lambda:us-east-1:000000000000:function:work"

    def __init__(self, model: PythonFunction) -> None:
        self.concurrency = model.concurrency
        self.timeout_seconds = model.timeout
        self.behaviour: Behaviour = succeed
        self.calls = 0

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        self.calls += 1
        began = anyio.current_time()
        result: Result = await self.behaviour(None)  # type: ignore[arg-type]
        return Invocation(request_id, result, anyio.current_time() - began)

    def status(self) -> Any:  # noqa: ANN401 - FunctionStatus
        from handlers.function import FunctionStatus

        return FunctionStatus(0, 0)

    async def __aenter__(self) -> Function:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None


@dataclass
class Ward:
    """The mapping ``m`` and what is seen of it."""

    runtime: Runtime
    status: Status
    board: Board
    function: AnyFunction
    trouble: Trouble
    queue: Queue | None = None
    stream: MemoryStream | None = None

    @property
    def runner(self) -> MappingRunner:
        return self.runtime.mappings["m"]

    @property
    def sentence(self) -> str:
        return self.status.sentence(self.runner)

    def reasons(self) -> list[str]:
        """Why the mapping is not live."""
        problems = self.status.problems()
        assert all(problem.mapping == "m" for problem in problems)
        return [problem.reason for problem in problems]

    async def red_within(self, seconds: float) -> str:
        """The reason why health turns red, within ``seconds``."""
        limit = anyio.current_time() + seconds
        while not self.reasons():
            assert anyio.current_time() < limit, f"still green after {seconds} s: {self.sentence}"
            await anyio.sleep(1)
        return self.reasons()[0]

    async def green_for(self, seconds: float) -> None:
        """Health stays green all the time."""
        limit = anyio.current_time() + seconds
        while anyio.current_time() < limit:
            assert self.reasons() == []
            await anyio.sleep(2.3)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it is so, for an hour at most."""
        with anyio.fail_after(3_600):
            while not condition():
                await anyio.sleep(0.5)


def _ward(code: Path, mapping: Mapping, function: dict[str, Any], make: Callable[[Surroundings], Poller]) -> Ward:
    board, monitor, clock = Board(VirtualClock()), LoopMonitor(), VirtualClock()
    model = PythonFunction.model_validate({"code": code, "handler": "app.handler", **function})
    made = AnyFunction(model)

    async def make_poller(_: Mapping, surroundings: Surroundings) -> Poller:
        return make(surroundings)

    runtime = Runtime(
        Config(functions={"work": model}, event_source_mappings={"m": mapping}),
        make_poller,
        lambda _name, _model: made,
        has_store=True,
        sinks=(board,),
        clock=clock,
    )
    return Ward(runtime, Status(runtime, board, monitor, clock=clock), board, made, Trouble())


@asynccontextmanager
async def queue_ward(code: Path, function: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Ward]:  # noqa: ANN401
    """A mapping of a queue."""
    queue = Queue("orders", visibility_seconds=settings.pop("visibility_seconds", 30))
    mapping = SqsMapping(name="m", event_source_arn=queue.arn, function_name="work", **settings)
    ward = _ward(
        code,
        mapping,
        function or {},
        lambda around: SqsPoller(mapping, TroubledSqs(queue, ward.trouble), around),
    )
    ward.queue = queue
    async with _running(ward):
        yield ward


@asynccontextmanager
async def stream_ward(
    code: Path,
    kind: str = "kinesis",
    *,
    shards: int = 1,
    function: dict[str, Any] | None = None,
    **settings: Any,  # noqa: ANN401 - the mapping's
) -> AsyncIterator[Ward]:
    """A mapping of a stream."""
    trouble = Trouble()
    stream = MemoryStream(kind, VirtualClock().time, shards=shards, faults=trouble)  # type: ignore[arg-type]
    arguments = {"name": "m", "event_source_arn": stream.arn, "function_name": "work", **settings}
    arguments.setdefault("starting_position", "TRIM_HORIZON")
    mapping = KinesisMapping(**arguments) if kind == "kinesis" else DynamoDBMapping(**arguments)
    store = MemoryStore()

    def make(around: Surroundings) -> Poller:
        source = KinesisSource(stream.arn, stream) if kind == "kinesis" else DynamoDBSource(stream.arn, stream)
        return StreamPoller(mapping, source, store, None, around)

    ward = _ward(code, mapping, function or {}, make)
    ward.trouble, ward.stream = trouble, stream
    async with _running(ward):
        yield ward


@asynccontextmanager
async def _running(ward: Ward) -> AsyncIterator[None]:
    """The runtime at work; at the end it is cut off, as stalls would hold a stop up."""
    async with anyio.create_task_group() as group:
        group.start_soon(ward.runtime.run)
        while "m" not in ward.runtime.mappings:
            await anyio.lowlevel.checkpoint()
        yield
        group.cancel_scope.cancel()
