"""What calls functions beside the mappings, from a configuration: the state, what the API made, and Lambda's API itself."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from pollers.destinations import Post, PostedDeliveries, QueuedFunctions, Ways
from pollers.engine.invoking import new_request_id
from pollers.errors import AddressTaken
from pollers.function_urls import address_of, function_urls
from pollers.invocations import TABLES as INVOCATIONS
from pollers.invocations import AsyncQueue
from pollers.lambda_api import Callers, Here, LambdaApiService, OpenAccess, SignedAccess
from pollers.lambda_api.control import Control, control_operations
from pollers.lambda_api.directory import Directory
from pollers.lambda_api.invoke import Invoking
from pollers.made_functions import TABLES as MADE_FUNCTIONS
from pollers.made_functions import CodeFolders, FunctionRegister
from pollers.made_functions import StateRows as FunctionRows
from pollers.made_mappings import TABLES as MADE_MAPPINGS
from pollers.made_mappings import MappingRegister, say_unserved
from pollers.made_mappings import StateRows as MappingRows
from pollers.made_mappings.probing import is_missing
from pollers.resources import TABLES as RESOURCES
from pollers.resources import Resources, StateRows
from pollers.schedules import TABLES as SCHEDULES
from pollers.schedules import Schedules
from pollers.state import State
from pollers.stores import sharing_of
from pollers.telemetry.async_facts import untold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from config.models import Config, LambdaApi
    from pollers.aws.api import Aws
    from pollers.lambda_api.front import Access
    from pollers.supervisor.runtime import Runtime
    from pollers.telemetry.async_facts import AsyncSink
    from pollers.telemetry.board import Board
    from pollers.telemetry.facts import Outcome

log = structlog.stdlib.get_logger(__name__)

_new_id = partial(new_request_id, random.SystemRandom())
"""Ids that nobody can guess, at half the cost of :func:`uuid.uuid4`."""

TABLES = (RESOURCES, INVOCATIONS, SCHEDULES, MADE_FUNCTIONS, MADE_MAPPINGS)
"""Of every room that keeps rows, whether it is configured or not: a table that is not known makes the state a stranger's."""


@dataclass(frozen=True, slots=True)
class Around:
    """What services need of the rest of the process.

    ``arn_of`` gives the ARN of a function by its name. ``forget`` drops the checkpoints of a mapping. ``board`` knows how batches
    went, ``tell`` takes what happens to asynchronous events.
    """

    aws: Aws
    arn_of: Callable[[str], str]
    forget: Callable[[str], Awaitable[None]]
    board: Board
    tell: AsyncSink = untold


@asynccontextmanager
async def serving_functions(config: Config, runtime: Runtime, around: Around) -> AsyncIterator[AsyncQueue | None]:
    """The services that ``config`` asks for, opened, and given to ``runtime`` to run; closed again when it has stopped.

    Gives the asynchronous queue, if there is one. Raises AddressTaken, and the state's StoreErrors. Plain mappings need no state,
    and make none.
    """
    async with AsyncExitStack() as stack:
        queue = None
        if config.lambda_api is None:
            await say_unserved(config.runtime.state_folder)
        if config.lambda_api is not None or config.schedules:
            state = await stack.enter_async_context(State(config.runtime.state_folder, TABLES))
            resources = Resources(StateRows(state), runtime.functions)
            await resources.open()
            functions = await _made_functions(config, state, runtime, resources)
            base = functions.completed if functions is not None else _as_given
            resources.follow(base(config).functions)
            queue = _queue(state, runtime, resources, around)
            post = Post(Ways(around.aws, config.aws.region or ""))
            schedules = Schedules(config, state, queue, post, sharing=sharing_of(config, around.aws))
            runtime.services = (resources, queue, schedules)
            if config.lambda_api is not None:
                made = MappingRegister(
                    MappingRows(state),
                    runtime,
                    around.forget,
                    lambda mapping: is_missing(mapping, around.aws),
                    base=base,
                )
                await made.open()
                runtime.complete = made.completed
                listening = _Listening(config.lambda_api, runtime, resources, functions, made, queue, around.board)
                own = (functions,) if functions is not None else ()
                runtime.services = (*runtime.services, *own, made, await listening.begin(stack))
        yield queue


async def _made_functions(
    config: Config, state: State, runtime: Runtime, resources: Resources
) -> FunctionRegister | None:
    """The functions that the API made; None where it makes none. What it made before does not run then, and is kept."""
    rows = FunctionRows(state)
    if config.lambda_api is None or not config.lambda_api.functions:
        if names := sorted(await rows.load()):
            log.warning(
                "functions that were made through the API do not run: lambda_api.functions is false", functions=names
            )
        return None
    if not config.lambda_api.credentials:
        log.warning(
            "functions can be made through the API without a signature: whoever reaches it on this machine runs code as this user; "
            "give lambda_api.credentials where others use the machine"
        )
    made = FunctionRegister(rows, CodeFolders(state.path.parent / "functions"), runtime, resources.forget)
    await made.open()
    return made


def _as_given(config: Config) -> Config:
    return config


def _queue(state: State, runtime: Runtime, resources: Resources, around: Around) -> AsyncQueue:
    """The asynchronous queue, and what stands behind the targets of its reports: its own functions among them."""
    config, functions, arn_of = runtime.config, runtime.functions, around.arn_of
    own = QueuedFunctions(functions, arn_of, lambda: queue, lambda name: resources.settings_of(name).allows_recursion)
    post = Post(Ways(around.aws, config.api_region or config.aws.region or "", own))
    queue = AsyncQueue(state, functions, resources.settings_of, arn_of, PostedDeliveries(post))
    queue.tell = around.tell
    return queue


@dataclass(frozen=True, slots=True)
class _Listening:
    """Lambda's API, and what answers for it."""

    at: LambdaApi
    runtime: Runtime
    resources: Resources
    functions: FunctionRegister | None
    mappings: MappingRegister
    queue: AsyncQueue
    board: Board

    async def begin(self, stack: AsyncExitStack) -> LambdaApiService:
        """The service, which has its address from here on and answers once the runtime runs it. Raises AddressTaken."""
        at, runtime, resources = self.at, self.runtime, self.resources
        callers = Callers()
        here = Here(str(runtime.config.api_region), at.account)
        directory = Directory(runtime.functions, here, self.functions)
        # The port may be chosen by the system, so it is asked for by whoever tells a URL; nobody does before requests are answered.
        control = Control(
            resources,
            directory,
            self.mappings,
            lambda name: address_of(name, here.region, url),
            self._result_of,
            self.functions,
        )
        invoking = Invoking(directory, callers, at.queue_seconds, self.queue)
        operations = (*invoking.operations(), *control_operations(control))
        access = _access(at, here.region)
        sites = function_urls(at, here, runtime.functions, resources, callers=callers, access=access)
        api = LambdaApiService(operations, access, callers, _new_id, address=(at.host, at.port), sites=sites)
        try:
            url = await stack.enter_async_context(api.listening())
        except OSError as taken:
            problem = f"lambda_api: cannot listen on {at.host}:{at.port}: {taken.strerror or taken}"
            raise AddressTaken(problem) from taken
        urls = {name: address_of(name, here.region, url) for name in runtime.config.functions if resources.url_of(name)}
        log.info("Lambda's API is served", url=url, **({"function_urls": urls} if urls else {}))
        return api

    def _result_of(self, mapping: str) -> Outcome | None:
        known = self.board.mappings.get(mapping)
        return known.result if known is not None else None


def _access(at: LambdaApi, region: str) -> Access:
    if at.credentials:
        return SignedAccess({pair.access_key_id: pair.secret_access_key for pair in at.credentials}, region)
    return OpenAccess(at.host)
