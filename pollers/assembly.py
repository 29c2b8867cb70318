"""A runtime from a configuration: the AWS clients, the checkpoint store, the functions and the telemetry that it needs."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from handlers.factory import make_function
from pollers.aws.clients import AwsClients, tune_gc
from pollers.checkpoints import open_store
from pollers.runtime import Runtime
from pollers.sources import keeps_checkpoints, make_poller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.models import Config
    from pollers.telemetry.facts import Sink


@asynccontextmanager
async def assembled(config: Config, *, sinks: tuple[Sink, ...] = ()) -> AsyncIterator[Runtime]:
    """Everything that ``config`` needs, opened; closed again when the runtime has stopped."""
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(AwsClients(config.aws))
        store = None
        if any(keeps_checkpoints(mapping) for mapping in config.event_source_mappings.values()):
            store = await stack.enter_async_context(open_store(config.runtime.checkpoints))
        tune_gc()
        yield Runtime(
            config,
            partial(make_poller, aws=aws, store=store),
            make_function,
            has_store=store is not None,
            sinks=sinks,
        )
