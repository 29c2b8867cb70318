"""Enhanced fan-out: a shard's records pushed over subscriptions of five minutes (docs/lambda 4.9).

Each subscription is resumed at the continuation sequence number of the last event, which may lie above its last record. A torn
subscription is no end: the next one says whether the shard has ended. Nor is an event without a continuation, unless more bears
that out (see :mod:`pollers.sources.streams.ending`).
A subscription that ended with an event that names the shard's children has said that it ended, though it gave a continuation as
well (emulators do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio

from pollers.aws.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    from pollers.aws.api import Pushed, StartAt, Wire
    from pollers.engine.stop import Stop
    from pollers.sources.streams.confirming_end import EndConfirmation
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.pacing import Polling
    from pollers.sources.streams.place import Place
    from pollers.sources.streams.room import Room
    from pollers.sources.streams.shard_states import ShardLife

    T = TypeVar("T")

IN_USE_SECONDS = 5.0
"""A second subscription within five seconds of the last is refused."""
LEAST_SECONDS = 1.0
"""One call a second for each consumer and shard."""
SHORT_SECONDS = 30.0
"""A subscription that ended sooner than this without any event has failed: even where nothing is written there are events."""


class SubscribingReader(Protocol):
    """The reader that is subscribed."""

    shard_id: str
    context: StreamContext
    stop: Stop
    life: ShardLife
    place: Place
    end: EndConfirmation
    polling: Polling
    room: Room

    async def attempt(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Make a call and deal with its failure; None when it failed or was cut short by a stop."""

    async def confirm(self) -> None:
        """Before reading is taken up again: a new stream of the same name may have shards of the same names."""

    def start(self) -> StartAt:
        """Where to read on."""

    async def take(self, records: list[Wire], behind_seconds: float | None) -> int:
        """Hand records over to the shard."""

    def continued(self, position: str) -> None:
        """Everything up to a continuation has been read."""

    def report_tip(self) -> None:
        """If the last event brought nothing and nothing is behind it, the shard may close a window."""


async def read_subscriptions(reader: SubscribingReader) -> None:
    """Subscribe again and again until the shard ends or is stopped."""
    while not (reader.life.closed or reader.stop.requested):
        began, before = anyio.current_time(), reader.place.upto
        last = await reader.attempt(lambda: _one(reader))
        apart = LEAST_SECONDS
        if last is not None and (last.continuation is None or (last.children and not reader.stop.requested)):
            apart = IN_USE_SECONDS
            progressed = reader.place.upto != before
            await reader.end.end_claimed(last.children, last.behind_seconds, progressed=progressed)
        if not reader.life.closed:
            await reader.stop.sleep(began + apart - anyio.current_time())


async def _one(reader: SubscribingReader) -> Pushed | None:
    """One subscription, to its end; the last event of it. Raises Unavailable when it ended at once without any."""
    await reader.confirm()
    began, pushed = anyio.current_time(), None
    async with reader.context.source.subscribe(reader.shard_id, reader.start()) as events:
        async for pushed in events:
            await _came(reader, pushed)
            # Not asking for the next event is what holds the service back: the connection fills up.
            if pushed.continuation is None or await reader.room.wait() is None:
                return pushed
    if pushed is None and anyio.current_time() < began + SHORT_SECONDS:
        raise Unavailable("NoEvents", "the subscription ended before any event came", operation="SubscribeToShard")
    return pushed


async def _came(reader: SubscribingReader, pushed: Pushed) -> None:
    before = reader.place.upto
    await reader.take(pushed.records, pushed.behind_seconds)
    reader.polling.came(len(pushed.records), pushed.size_bytes, pushed.behind_seconds)
    if pushed.continuation is None:
        return
    reader.end.end_denied(progressed=reader.place.upto != before)
    reader.continued(pushed.continuation)
    reader.report_tip()
