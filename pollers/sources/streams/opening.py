"""Opens a stream for one mapping: waits until it can be read, finds its checkpoints, and pins where reading begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from pollers.aws.api import StartAt
from pollers.aws.errors import AccessDenied, AwsError, NotFound, Refused
from pollers.clocks.clock import loop_time
from pollers.engine.backoff import Backoff
from pollers.errors import SourceUnusable
from pollers.sources.streams.starting import configured_start, first_checkpoints
from pollers.telemetry.facts import OPENING_TASK, Doing, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from config.models import StreamMapping
    from pollers.aws.api import ShardListing, StreamDescription
    from pollers.checkpoints.store import CheckpointStore, MappingCheckpoints
    from pollers.destinations import BatchDestination
    from pollers.engine.poller import Surroundings
    from pollers.engine.stop import Stop
    from pollers.sources.streams.source import StreamSource

    T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

COMING_SECONDS = 2.0
"""How often a stream that is being created is asked about."""
WRONG_SECONDS = 30.0
"""How far this machine's clock may be from the service's before that is logged."""
COMING = frozenset({"CREATING", "ENABLING"})


class Patience:
    """Asks the service until it answers: what may pass is waited out and reported, what may not is SourceUnusable."""

    def __init__(self, source: StreamSource, surroundings: Surroundings, stop: Stop) -> None:
        self.source = source
        self.surroundings = surroundings
        self.stop = stop
        self._backoff = Backoff(surroundings.random, initial=0.5, maximum=20.0)
        self._hindered = False

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """The answer, or None when stopped before there was one. Raises SourceUnusable."""
        try:
            while not self.stop.requested:
                try:
                    with self.stop.waiting():
                        answer = await call()
                        self._backoff.reset()
                        return answer
                except AwsError as error:
                    refuse(self.source, error)
                    await self.wait(str(error), self._backoff.next())
            return None
        finally:
            self._over()

    async def wait(self, why: str, seconds: float) -> None:
        """Report why, and wait. The reason stands until there is an answer: a try may take much longer than the wait."""
        self._hindered = True
        self.surroundings.facts.emit(Doing(OPENING_TASK, State.BACKING_OFF, why, seconds))
        await self.stop.sleep(seconds)

    def _over(self) -> None:
        if self._hindered:
            self._hindered = False
            self.surroundings.facts.emit(Doing(OPENING_TASK, State.ENDED))


def refuse(source: StreamSource, error: AwsError) -> None:
    """Raise SourceUnusable for errors that waiting does not cure."""
    match error:
        case NotFound():
            raise SourceUnusable(
                f"the stream {source.arn} does not exist (in this region and account); "
                f"correct event_source_arn or create it: {error}"
            ) from error
        case AccessDenied():
            raise SourceUnusable(f"reading {source.arn} is not permitted: {error}") from error
        case Refused():
            raise SourceUnusable(f"the stream {source.arn} cannot be read: {error}") from error
        case _:
            return


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream ready to be read. ``tips``: iterators at the end of shards, where reading begins at LATEST (see starting).

    ``counts_user_records``: the store wants to be told of aggregates.
    """

    description: StreamDescription
    checkpoints: MappingCheckpoints
    tips: dict[str, str] = field(default_factory=dict)
    counts_user_records: bool = False
    window_state_bytes: int | None = None
    shared: bool = False


async def open_stream(
    mapping: StreamMapping, store: CheckpointStore, destination: BatchDestination | None, patience: Patience
) -> OpenStream | None:
    """The stream, its checkpoints pinned; None when stopped before. Raises SourceUnusable, and what the store raises."""
    description = await _readable(patience)
    if description is None or not await _check(mapping, destination, patience):
        return None
    opened = await store.open(mapping.name, description.identity)
    if opened.adopted and not patience.source.positions.ordered:
        raise SourceUnusable(
            f"the checkpoints of {', '.join(sorted(opened.adopted))} were written by another consumer, which numbers records: they "
            f"cannot be of {mapping.event_source_arn}; give the mapping {mapping.name} a table of its own in runtime.checkpoints"
        )
    if opened.previous_identity is not None:
        log.warning(
            "the stream is another than before: it is read afresh, from its starting position",
            mapping=mapping.name,
            source=mapping.event_source_arn,
            before=opened.previous_identity,
            now=description.identity,
        )
    tips: dict[str, str] | None = {}
    if opened.fresh:
        tips = await _pin(opened.start or configured_start(mapping), opened.checkpoints, patience)
    if tips is None:
        return None
    return OpenStream(
        description,
        opened.checkpoints,
        tips,
        opened.counts_user_records,
        opened.window_state_bytes,
        opened.shared,
    )


async def _readable(patience: Patience) -> StreamDescription | None:
    while (description := await patience.ask(patience.source.describe)) is not None:
        if description.status == "DELETING":
            raise SourceUnusable(f"the stream {patience.source.arn} is being deleted")
        if description.status not in COMING:
            if description.status == "DISABLED":
                log.warning(
                    "the stream is disabled: what it holds is read, no more will come", source=patience.source.arn
                )
            return description
        await patience.wait(f"the stream is {description.status}", COMING_SECONDS)
    return None


async def _check(mapping: StreamMapping, destination: BatchDestination | None, patience: Patience) -> bool:
    """Whether the on-failure destination has been looked at; it may turn out to be unusable."""
    if destination is None:
        return True

    async def look() -> tuple[str | None]:
        return (await destination.check(),)

    answer = await patience.ask(look)
    if answer is not None and answer[0] is not None:
        log.warning(answer[0], mapping=mapping.name)
    return answer is not None


async def _pin(start: StartAt, checkpoints: MappingCheckpoints, patience: Patience) -> dict[str, str] | None:
    """Write down where reading begins, shard by shard, before anything is read."""
    shards = await patience.ask(patience.source.shards)
    if shards is None:
        return None
    named = await _named_tips(shards, patience) if start.kind == "LATEST" else {}
    if named is None:
        return None
    tips = {}
    if start.kind == "LATEST" and not patience.source.starts_at_timestamps:
        tips = await _tips([shard for shard in shards if shard.shard_id not in named], patience)
    pinned = await checkpoints.pin(first_checkpoints(shards, start, _service_time(patience), named))
    # Where another replica was first, reading begins at its pin, and what has come since is behind our iterator.
    return {shard_id: tip for shard_id, tip in tips.items() if shard_id in pinned}


def _service_time(patience: Patience) -> float:
    """The service's time, or a second or two less. This machine's where replies do not tell; a clock that is wrong is logged."""
    own, known = patience.surroundings.clock.time(), patience.source.service_clock.at_least(loop_time())
    if known is None:
        return own
    if abs(own - known) > WRONG_SECONDS:
        log.warning(
            "this machine's clock is not the service's: ages and starting positions go by the service's",
            source=patience.source.arn,
            ahead_seconds=round(own - known),
        )
    return known


async def _named_tips(shards: list[ShardListing], patience: Patience) -> dict[str, StartAt] | None:
    """The ends of the shards that the source can name; None when stopped before.

    Each is asked for until the source has answered: without an answer nobody knows what came before the start.
    """
    named = {}
    for shard in shards:
        if shard.ended_at is not None:
            continue

        async def ask(shard_id: str = shard.shard_id) -> tuple[StartAt | None]:
            return (await patience.source.tip(shard_id),)

        answer = await patience.ask(ask)
        if answer is None:
            return None
        if answer[0] is not None:
            named[shard.shard_id] = answer[0]
    return named


async def _tips(shards: list[ShardListing], patience: Patience) -> dict[str, str]:
    """Iterators at the shards' ends, taken before the time of the pin, so that together they miss nothing.

    They spare a first start the reading of all that the shards hold from before. A shard that gave none is read from its
    beginning, passing over what is older than the pin, as every shard is after a restart.
    """
    tips = {}
    for shard in shards:
        if shard.ended_at is None and not patience.stop.requested:
            try:
                with patience.stop.waiting():
                    tips[shard.shard_id] = await patience.source.iterator(shard.shard_id, StartAt("LATEST"))
            except AwsError as error:
                log.debug("no iterator at the end of a shard", shard=shard.shard_id, error=str(error))
    return tips
