"""What a reader does when a reply says that its shard has ended: look for what bears that out, or read on and report it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from pollers.aws.errors import Unavailable
from pollers.engine.backoff import Backoff
from pollers.sources.streams.ending import Ending, Sight
from pollers.telemetry.facts import EndDoubted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pollers.aws.api import ShardListing
    from pollers.aws.errors import AwsError
    from pollers.sources.streams.context import StreamContext
    from pollers.sources.streams.place import Place

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)

DOUBT_SECONDS = 0.5, 30.0
"""First and longest step of the waits between replies that claim the end while nothing bears it out."""
FIND_SECONDS = 5.0
"""Wait between two looks for a shard that is not listed."""
_WHY = {
    Sight.CLOSED: "the reply says that the shard has ended, but without the last record, or with more to come",
    Sight.OPEN: "the reply says that the shard has ended, but the stream lists it as open",
    Sight.MISSING: "the reply says that the shard has ended, and the stream does not list it",
}


class EndingReader(Protocol):
    """The reader whose shard may have ended."""

    place: Place

    def drop_iterator(self) -> None:
        """The next read makes an iterator of its own, after the last record read."""

    def ended(self, children: Sequence[ShardListing] | None) -> None:
        """The shard has no further records."""

    async def attempt(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """Make a call and deal with its failure; None when it failed or was cut short by a stop."""

    async def back_off(self, error: AwsError, seconds: float | None = None) -> None:
        """Report what went wrong and wait."""


class EndConfirmation:
    """Confirms the end of one shard. ``look`` asks what the stream's listing says of a shard; it raises AwsError."""

    def __init__(
        self, reader: EndingReader, shard_id: str, context: StreamContext, look: Callable[[str], Awaitable[Sight]]
    ) -> None:
        self._reader = reader
        self._shard_id = shard_id
        self._context = context
        self._look = look
        self._ending = Ending()
        random = context.surroundings.random
        self._doubts = Backoff(random, initial=DOUBT_SECONDS[0], maximum=DOUBT_SECONDS[1])

    @property
    def under_way(self) -> bool:
        """Whether the last replies said that the shard has ended: reading is taken up again at its last record."""
        return self._ending.claims > 0

    def last_came_again(self) -> None:
        """The last record read came once more: no reply that brings it has lost its records."""
        self._ending.last_came_again()

    async def end_claimed(
        self, children: Sequence[ShardListing] | None, behind_seconds: float | None, *, progressed: bool
    ) -> None:
        """A reply had no next iterator or no continuation: the shard has ended if that is borne out; otherwise it is read on.

        ``progressed``: the reply brought records that were not read before.
        """
        reader, ending = self._reader, self._ending
        # Whatever comes next must be read with an iterator of its own: the same one would only repeat the same mistake.
        reader.drop_iterator()
        named, behind = bool(children), bool(behind_seconds)
        if ending.claimed(progressed=progressed, children=named, behind=behind, anchored=reader.place.anchored):
            reader.ended(children)
            return
        if not ending.confirmed:
            if ending.doubtful:
                await self._doubt(Sight.CLOSED)
            return
        sight = await reader.attempt(lambda: self._look(self._shard_id))
        if sight is None:
            return
        if ending.borne_out(sight, disabled=self._context.stream.description.status == "DISABLED"):
            reader.ended(children)
            return
        await self._doubt(sight)

    async def _doubt(self, sight: Sight) -> None:
        why = _WHY[sight]
        if not self._doubts.failures:
            log.warning(
                "a shard's end is not believed: it is read on from its last record",
                mapping=self._context.mapping.name,
                shard=self._shard_id,
                after=self._reader.place.upto,
                why=why,
            )
        self._context.surroundings.facts.emit(EndDoubted(self._shard_id, why))
        wait = self._doubts.next()
        seconds = FIND_SECONDS if sight is Sight.MISSING else wait
        await self._reader.back_off(Unavailable("EndNotBorneOut", why), seconds)

    def end_denied(self, *, progressed: bool) -> None:
        """A reply said that the shard goes on. ``progressed``: it brought records that were not read before."""
        self._ending.denied(progressed=progressed)
        if self._doubts.failures:
            self._doubts.reset()
            self._context.surroundings.facts.emit(EndDoubted(self._shard_id, ""))
