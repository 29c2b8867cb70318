"""Lambda's API over functions that do what a test tells them to."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import anyio

from config.models import PythonFunction
from handlers.function import PLAIN, Call, FunctionStatus, Invocation, Payload
from pollers.engine.stop import Stop
from pollers.functions import Functions
from pollers.lambda_api.access import OpenAccess
from pollers.lambda_api.callers import Callers
from pollers.lambda_api.control import Control, control_operations
from pollers.lambda_api.directory import Directory
from pollers.lambda_api.invoke import Invoking
from pollers.lambda_api.names import Here
from pollers.lambda_api.service import LambdaApiService
from pollers.resources import MemoryRows, Resources
from tests.unit.made_mappings.fakes import FakeRuntime, made_mappings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from config.models import FunctionModel
    from handlers.function import Result
    from pollers.lambda_api.front import Access, Sites

HERE = Here("us-east-1", "000000000000")
PATH = "/2015-03-31/functions/{}/invocations"
"""Of Invoke."""


@dataclass
class Asked:
    """One invocation that a function was asked for."""

    event: bytes
    request_id: str
    call: Call


@dataclass
class Told:
    """What a function does: ``answer`` makes its results, ``log`` is what it prints. ``asked`` is what came."""

    answer: Callable[[Asked], Awaitable[Result]] | None = None
    log: tuple[str, ...] = ()
    asked: list[Asked] = field(default_factory=list)
    problem: Exception | None = None
    streams: bool = False


class ToldFunction:
    """A function that does what it is told; without a word it echoes its event."""

    def __init__(self, name: str, model: FunctionModel, told: Told) -> None:
        self.name = name
        self.arn = HERE.arn(name)
        self.concurrency = model.concurrency
        self.timeout_seconds = float(model.timeout)
        self._told = told

    async def invoke(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        asked = Asked(event, request_id, call)
        self._told.asked.append(asked)
        result = Payload(event) if self._told.answer is None else await self._told.answer(asked)
        return Invocation(request_id, result, 0.001, self._told.log, self._told.streams, reported=True)

    def status(self) -> FunctionStatus:
        return FunctionStatus(0, 0)

    async def __aenter__(self) -> ToldFunction:
        if self._told.problem is not None:
            raise self._told.problem
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@dataclass
class Queue:
    """Takes events as the asynchronous queue does, or refuses them."""

    accepted: list[tuple[str, bytes, str]] = field(default_factory=list)
    problem: Exception | None = None

    async def accept(self, function: str, event: bytes, *, request_id: str) -> bool:
        if self.problem is not None:
            raise self.problem
        self.accepted.append((function, event, request_id))
        return True


@dataclass
class Rig:
    """What a test works with."""

    service: LambdaApiService
    functions: Functions
    told: dict[str, Told]
    queue: Queue
    url: str
    session: aiohttp.ClientSession
    stop: Stop
    ended: anyio.Event
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of its own, closed at the end."""
        reader, writer = await asyncio.open_connection(*self.address)
        self.opened.append(writer)
        return reader, writer

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for what speaks to the socket itself."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    async def invoke(self, name: str = "orders", body: bytes = b"{}", **headers: str) -> tuple[int, bytes]:
        """Status and body of an Invoke; underscores in names of headers stand for hyphens."""
        given = {header.replace("_", "-"): value for header, value in headers.items()}
        async with self.session.post(PATH.format(name), data=body, headers=given) as reply:
            return reply.status, await reply.read()


@asynccontextmanager
async def rig(
    *names: str,
    access: Access | None = None,
    sites: Sites | None = None,
    queue_seconds: float = 0,
    concurrency: int = 5,
) -> AsyncIterator[Rig]:
    """Functions of these names (``orders`` if none are given) behind an API on a free port of loopback."""
    told = {name: Told() for name in names or ("orders",)}
    functions = Functions(lambda name, model: ToldFunction(name, model, told[name]))
    queue = Queue()
    directory, callers, numbers = Directory(functions, HERE), Callers(), itertools.count(1)
    model = PythonFunction.model_validate({"handler": "app.handler", "code": "/", "concurrency": concurrency})
    resources = Resources(MemoryRows(), functions)
    resources.follow(dict.fromkeys(told, model))
    control = Control(
        resources, directory, made_mappings(FakeRuntime()), lambda name: f"http://{name}.example/", lambda name: None
    )
    service = LambdaApiService(
        (*Invoking(directory, callers, queue_seconds, queue).operations(), *control_operations(control)),
        access or OpenAccess("127.0.0.1"),
        callers,
        lambda: f"00000000-0000-4000-8000-{next(numbers):012x}",
        address=("127.0.0.1", 0),
        sites=sites,
    )
    stop, ended = Stop(), anyio.Event()

    async def run() -> None:
        await service.run(stop)
        ended.set()

    async with anyio.create_task_group() as group, service.listening() as url, aiohttp.ClientSession(url) as session:
        functions.start(group, dict.fromkeys(told, model))
        group.start_soon(run)
        at = Rig(service, functions, told, queue, url, session, stop, ended)
        yield at
        for writer in at.opened:
            writer.close()
        stop.request()
        stop.hurry()
        with anyio.fail_after(10):
            await ended.wait()
        functions.close()
