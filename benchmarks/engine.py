"""The stream engine, put together as ``headrace run`` does."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import config.models as models
from benchmarks.canned_streams import STREAM_ARNS
from config.sources.registry import source_of
from handlers.factory import make_function
from pollers.aws.services.clients import AwsClients, tune_gc
from pollers.checkpoints import SqliteStore
from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.streams.pacing import Pace
from pollers.sources.streams.poller import StreamPoller
from pollers.telemetry.ledger import Ledger
from pollers.telemetry.sinks import Facts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pollers.aws.api import Page
    from pollers.sources.streams.source import StreamSource
    from pollers.telemetry.sinks import Sink

UNLIMITED = Pace(idle_seconds=0.05, behind_seconds=0.0, page_records=10_000)
"""The endpoint has no limits to be kept."""


@dataclass
class Decoding:
    """What decoding pages took, and what they held."""

    pages: int = 0
    records: int = 0
    largest: int = 0
    longest_seconds: float = 0.0

    def note(self, page: Page) -> None:
        """One page more."""
        self.pages += 1
        self.records += len(page.records)
        self.largest = max(self.largest, len(page.records))
        self.longest_seconds = max(self.longest_seconds, page.decode_seconds)


@dataclass
class Engine:
    """A poller that is ready to run."""

    poller: StreamPoller
    stop: Stop
    ledger: Ledger
    decoding: Decoding


@asynccontextmanager
async def engine(
    source: str, endpoint_url: str, folder: Path, *, batch_size: int, sinks: tuple[Sink, ...] = ()
) -> AsyncIterator[Engine]:
    """An engine on a canned endpoint, whose function is ``handler`` of ``folder/app.py``."""
    arn = STREAM_ARNS[source]
    model = source_of(arn).kind.model
    assert issubclass(model, models.StreamMapping)
    mapping = model(
        name="bench",
        event_source_arn=arn,
        function_name="bench",
        batch_size=batch_size,
        starting_position="TRIM_HORIZON",
    )
    async with engine_of(mapping, models.Aws(endpoint_url=endpoint_url), folder, sinks=sinks, pace=UNLIMITED) as made:
        yield made


@asynccontextmanager
async def engine_of(
    mapping: models.StreamMapping,
    section: models.Aws,
    folder: Path,
    *,
    sinks: tuple[Sink, ...] = (),
    pace: Pace | None = None,
) -> AsyncIterator[Engine]:
    """An engine for a mapping, with the same function. ``pace``: another than the source's own."""
    function = make_function(
        "bench", models.InProcessFunction(runtime="in_process", code=folder, handler="app.handler", concurrency=2)
    )
    stop, ledger, decoding = Stop(), Ledger(), Decoding()
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(AwsClients(section))
        store = await stack.enter_async_context(SqliteStore(folder / "checkpoints.db"))
        await stack.enter_async_context(function)
        surroundings = Surroundings(function, Permits(2).claim(), Facts("bench", [ledger, *sinks]), bytes, stop)
        stream = await _source(mapping, aws, decoding, pace)
        tune_gc()
        yield Engine(StreamPoller(mapping, stream, store, None, surroundings), stop, ledger, decoding)


async def _source(
    mapping: models.StreamMapping, aws: AwsClients, decoding: Decoding, pace: Pace | None
) -> StreamSource:
    """The source with its pages noted."""
    made = await import_module(f"pollers.sources.{mapping.kind}.kind").make_source(mapping, aws)
    made.pace = pace or made.pace
    records = made.records

    async def noted(iterator: str, limit: int) -> Page:
        page: Page = await records(iterator, limit)
        decoding.note(page)
        return page

    made.records = noted  # the one place to look at pages from outside
    source: StreamSource = made
    return source
