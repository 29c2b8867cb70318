"""A runtime from a configuration: the AWS clients, the checkpoint store, the functions and the telemetry that it needs."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio import to_thread

from handlers.environment import arn_in, read_profile, world_in
from handlers.factory import make_function
from pollers.aws.services.clients import AwsClients
from pollers.aws.wire.collector import tune_gc
from pollers.checkpoints import StoreWhenNeeded
from pollers.clocks.clock import SystemClock
from pollers.errors import AddressTaken
from pollers.server.app import Parts, make_app
from pollers.server.control import Control
from pollers.server.guard import Access
from pollers.server.making_tokens import token_kept
from pollers.server.serve import serving
from pollers.server.token_files import MadeToken
from pollers.services import Around, serving_functions
from pollers.sources.registry import LONG_POLL_SECONDS, keeps_checkpoints, make_poller, traced
from pollers.status.async_gauges import AsyncGauges
from pollers.status.depths import Depths
from pollers.status.gauges import Gauges
from pollers.status.loop_monitor import LoopMonitor
from pollers.status.snapshot import Status
from pollers.stores import least_interval_seconds, store_of
from pollers.supervisor.runtime import Runtime
from pollers.telemetry.board import Board
from pollers.telemetry.metric_lines import on_stdout
from pollers.telemetry.metrics import Metrics
from pollers.telemetry.recorder import Recorder
from pollers.telemetry.tracing import Traces, tracer
from pollers.telemetry.troubles import Troubles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from config.models import Config, FunctionModel, Http, Mapping
    from handlers.environment import Profile
    from handlers.function import Function
    from pollers.aws.api import Aws
    from pollers.checkpoints.store import CheckpointStore, ForgettingStore
    from pollers.engine.poller import Poller, Surroundings
    from pollers.invocations import AsyncQueue
    from pollers.telemetry.sinks import Sink

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Every fold over the facts that a running Headrace shows."""

    board: Board
    recorder: Recorder
    metrics: Metrics
    troubles: Troubles
    monitor: LoopMonitor

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """All sinks of facts."""
        return (self.board, self.recorder, self.metrics, self.troubles)


@asynccontextmanager
async def assembled(
    config: Config,
    *,
    path: Path | None = None,
    sinks: tuple[Sink, ...] = (),
    long_poll_seconds: int = LONG_POLL_SECONDS,
) -> AsyncIterator[Runtime]:
    """Everything that ``config`` needs, opened; closed again when the runtime has stopped.

    ``long_poll_seconds`` is how long a receive from an empty queue may wait. ``path`` is what ``headrace reload`` reads again.
    Raises AddressTaken, or what the checkpoint store and the state raise.
    """
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(AwsClients(config.aws))
        store: ForgettingStore | None = None

        regions: dict[str, str] = {}

        def region_of(mapping: str) -> str:
            # Kept: a mapping's leases are deleted when it does not run any more.
            if (running := runtime.mappings.get(mapping)) is not None:
                regions[mapping] = running.model.arn.region
            return regions.get(mapping, config.aws.region or "")

        if any(keeps_checkpoints(mapping) for mapping in config.event_source_mappings.values()):
            store = store_of(config, aws, region_of)
        elif config.lambda_api is not None:
            # The API may make the first mapping of a stream at any time, and has made it before this start perhaps.
            store = StoreWhenNeeded(
                partial(store_of, config, aws, region_of), least_interval_seconds=least_interval_seconds(config)
            )
        if store is not None:
            await stack.enter_async_context(store)
        telemetry = Telemetry(Board(), Recorder(), Metrics(), Troubles(), LoopMonitor())
        traces = stack.enter_context(tracer())
        if traces is not None:
            sinks = (*sinks, Traces(traces, lambda name: traced(runtime.mappings[name].model)))
        profile = await to_thread.run_sync(read_profile)
        metric_line = stack.enter_context(on_stdout()) if config.runtime.embedded_metrics == "stdout" else None
        runtime = _runtime(config, aws, store, profile, (*telemetry.sinks, *sinks), long_poll_seconds, metric_line)

        def arn_of(name: str) -> str:
            return arn_in(runtime.config, name, profile=profile)

        async def forget(mapping: str) -> None:
            if store is not None:
                await store.forget(mapping)

        around = Around(aws, arn_of, forget, telemetry.board, telemetry.recorder.asynchronous)
        queue = await stack.enter_async_context(serving_functions(config, runtime, around))
        await stack.enter_async_context(_watched(runtime, aws, telemetry))
        if config.runtime.http is not False:
            await stack.enter_async_context(_served(config, config.runtime.http, runtime, telemetry, path, queue))
        tune_gc()
        yield runtime


def _runtime(
    config: Config,
    aws: AwsClients,
    store: CheckpointStore | None,
    profile: Profile,
    sinks: tuple[Sink, ...],
    long_poll_seconds: int,
    metric_line: Callable[[str], None] | None,
) -> Runtime:
    async def poller(mapping: Mapping, surroundings: Surroundings) -> Poller:
        return await make_poller(mapping, aws, store, surroundings, long_poll_seconds=long_poll_seconds)

    def function(name: str, model: FunctionModel) -> Function:
        running = runtime.trying or runtime.config
        where = world_in(running, name, profile=profile)
        return make_function(name, model, aws=config.aws, where=where, metric_line=metric_line)

    runtime = Runtime(config, poller, function, has_store=store is not None, sinks=sinks)
    return runtime


@asynccontextmanager
async def _watched(runtime: Runtime, aws: Aws, telemetry: Telemetry) -> AsyncIterator[None]:
    """Watch the event loop's lag and sample queue depths until cancelled. If either task ends, the process is unhealthy."""
    async with anyio.create_task_group() as group:
        monitor = telemetry.monitor
        group.start_soon(monitor.watch, "loop monitor", monitor.run)
        group.start_soon(monitor.watch, "queue depth sampler", Depths(runtime, aws, telemetry.board).run)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


@asynccontextmanager
async def _served(
    config: Config,
    http: Http,
    runtime: Runtime,
    telemetry: Telemetry,
    path: Path | None,
    queue: AsyncQueue | None,
) -> AsyncIterator[None]:
    status = Status(
        runtime,
        telemetry.board,
        telemetry.monitor,
        payloads=config.console.payloads,
        queue=queue.snapshot if queue is not None else None,
    )
    telemetry.metrics.registry.register(Gauges(runtime, telemetry.board, telemetry.monitor, status))
    if queue is not None:
        telemetry.metrics.registry.register(AsyncGauges(queue.snapshot, SystemClock()))
    parts = Parts(status, Control(runtime, path), telemetry.metrics, telemetry.recorder)
    made = MadeToken() if http.token is None else None
    app = make_app(parts, Access(http.host, http.token, made))
    async with AsyncExitStack() as stack:
        try:
            runtime.url = runtime.console = await stack.enter_async_context(serving(app, http.host, http.port))
        except OSError as taken:
            problem = f"runtime.http: cannot listen on {http.host}:{http.port}: {taken.strerror or taken}"
            if "http" in config.runtime.model_fields_set:
                raise AddressTaken(problem) from taken
            log.warning(
                "no console, health or metrics: give this Headrace a runtime.http.port of its own", problem=problem
            )
        if runtime.url is not None and made is not None:
            runtime.console = await stack.enter_async_context(token_kept(runtime.url, made))
        yield
