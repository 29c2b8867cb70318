"""What a reader does when a reply says that its shard has ended: look for what bears that out, or read on and say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pollers.aws.errors import Unavailable
from pollers.sources.streams.ending import Sight
from pollers.telemetry.facts import EndDoubted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.api import ShardListing
    from pollers.sources.streams.reading import Reader

log = structlog.stdlib.get_logger(__name__)

DOUBT_SECONDS = 0.5, 30.0
"""First and longest step of the waits between replies that say so while nothing bears it out."""
FIND_SECONDS = 5.0
"""Wait between two looks for a shard that is not listed."""
_WHY = {
    Sight.CLOSED: "the reply says that the shard has ended, but without the last record, or with more to come",
    Sight.OPEN: "the reply says that the shard has ended, but the stream lists it as open",
    Sight.MISSING: "the reply says that the shard has ended, and the stream does not list it",
}


async def end_told(
    reader: Reader, children: Sequence[ShardListing] | None, behind_seconds: float | None, *, progressed: bool
) -> None:
    """A reply had no next iterator or no continuation: the shard has ended if that is borne out; otherwise it is read on.

    ``progressed``: the reply brought records that were not read before.
    """
    reader.drop_iterator()
    ending, shard = reader.ending, reader.shard
    named, behind = bool(children), bool(behind_seconds)
    if ending.said(progressed=progressed, children=named, behind=behind, anchored=reader.place.anchored):
        reader.ended(children)
        return
    if not ending.confirmed:
        if ending.doubtful:
            await _doubt(reader, Sight.CLOSED)
        return
    sight = await reader.attempt(lambda: shard.context.sight(shard.shard_id))
    if sight is None:
        return
    if ending.borne_out(sight, disabled=shard.context.stream.status == "DISABLED"):
        reader.ended(children)
        return
    await _doubt(reader, sight)


async def _doubt(reader: Reader, sight: Sight) -> None:
    shard, why = reader.shard, _WHY[sight]
    if not reader.doubts.failures:
        log.warning(
            "a shard's end is not believed: it is read on from its last record",
            mapping=shard.context.mapping.name,
            shard=shard.shard_id,
            after=reader.place.upto,
            why=why,
        )
    shard.context.surroundings.facts.emit(EndDoubted(shard.shard_id, why))
    wait = reader.doubts.next()
    await reader.back_off(Unavailable("EndNotBorneOut", why), FIND_SECONDS if sight is Sight.MISSING else wait)


def went_on(reader: Reader, *, progressed: bool) -> None:
    """A reply said that the shard goes on. ``progressed``: it brought records that were not read before."""
    reader.ending.went_on(progressed=progressed)
    if reader.doubts.failures:
        reader.doubts.reset()
        reader.shard.context.surroundings.facts.emit(EndDoubted(reader.shard.shard_id, ""))
