"""Enhanced fan-out: a shard's records pushed over subscriptions of five minutes (docs/lambda 4.9).

Each subscription is resumed at the continuation sequence number of the last event, which may lie above its last record. A torn
subscription is no end: the next one says whether the shard has ended. Nor is an event without a continuation, unless more bears
that out (see :mod:`pollers.sources.streams.ending`).
A subscription that ended with an event that names the shard's children has told its
end, though it gave a continuation as well (emulators do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import Unavailable
from pollers.sources.streams.confirming_end import end_told, went_on

if TYPE_CHECKING:
    from pollers.aws.api import Pushed
    from pollers.sources.streams.reading import Reader

IN_USE_SECONDS = 5.0
"""A second subscription within five seconds of the last is refused."""
LEAST_SECONDS = 1.0
"""One call a second for each consumer and shard."""
SHORT_SECONDS = 30.0
"""A subscription that ended sooner than this without any event has failed: even where nothing is written there are events."""


async def read_subscriptions(reader: Reader) -> None:
    """Subscribe again and again until the shard ends or is stopped."""
    shard = reader.shard
    while not (shard.closed or shard.stopping.requested):
        began, before = anyio.current_time(), reader.place.upto
        last = await reader.attempt(lambda: _one(reader))
        apart = LEAST_SECONDS
        if last is not None and (last.continuation is None or (last.children and not shard.stopping.requested)):
            apart = IN_USE_SECONDS
            await end_told(reader, last.children, last.behind_seconds, progressed=reader.place.upto != before)
        if not shard.closed:
            await shard.stopping.sleep(began + apart - anyio.current_time())


async def _one(reader: Reader) -> Pushed | None:
    """One subscription, to its end; the last event of it. Raises Unavailable when it ended at once without any."""
    source = reader.shard.context.source
    await reader.confirm()
    began, pushed = anyio.current_time(), None
    async with source.subscribe(reader.shard.shard_id, reader.start()) as events:
        async for pushed in events:
            await _came(reader, pushed)
            # Not asking for the next event is what holds the service back: the connection fills up.
            if pushed.continuation is None or await reader.room() is None:
                return pushed
    if pushed is None and anyio.current_time() < began + SHORT_SECONDS:
        raise Unavailable("NoEvents", "the subscription ended before any event came", operation="SubscribeToShard")
    return pushed


async def _came(reader: Reader, pushed: Pushed) -> None:
    before = reader.place.upto
    await reader.take(pushed.records, pushed.behind_seconds)
    reader.polling.came(len(pushed.records), pushed.size_bytes, pushed.behind_seconds)
    if pushed.continuation is None:
        return
    went_on(reader, progressed=reader.place.upto != before)
    reader.continued(pushed.continuation)
    if reader.at_tip:
        reader.shard.tip_reached()
