"""Enhanced fan-out: a shard's records pushed over subscriptions of five minutes (lambda-behaviour 4.9).

Each subscription is resumed at the continuation sequence number of the last event, which may lie above its last record. A torn
subscription is no end: the next one says whether the shard has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from pollers.aws.api import Pushed
    from pollers.streams.reading import Reader

IN_USE_SECONDS = 5.0
"""A second subscription within five seconds of the last is refused."""
LEAST_SECONDS = 1.0
"""One call a second for each consumer and shard."""


async def read_subscriptions(reader: Reader) -> None:
    """Subscribe again and again until the shard ends or is stopped."""
    shard = reader.shard
    while not (shard.closed or shard.stopping.stopped):
        began = anyio.current_time()
        await reader.attempt(lambda: _one(reader))
        if not shard.closed:
            await shard.stopping.sleep(began + LEAST_SECONDS - anyio.current_time())


async def _one(reader: Reader) -> None:
    """One subscription, to its end."""
    source = reader.shard.context.source
    await reader.confirm()
    async with source.subscribe(reader.shard.shard_id, reader.start()) as events:
        async for pushed in events:
            await _came(reader, pushed)
            # Not asking for the next event is what holds the service back: the connection fills up.
            if reader.shard.closed or await reader.room() is None:
                return


async def _came(reader: Reader, pushed: Pushed) -> None:
    await reader.take(pushed.records, pushed.behind_seconds)
    reader.polling.came(len(pushed.records), pushed.size_bytes, pushed.behind_seconds)
    if pushed.continuation is None:
        reader.ended(pushed.children)
        return
    reader.passed(pushed.continuation)
    if reader.at_tip:
        reader.shard.tip_reached()
