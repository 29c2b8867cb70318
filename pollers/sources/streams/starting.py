"""Where reading begins when a mapping meets a stream for the first time (docs/lambda 4.2). A decider.

The position is pinned, shard by shard, before anything is read, and kept with the checkpoints: what is written while the mapping is
stopped or restarted is behind the pin and not lost.

LATEST is pinned as the position at the end of a shard where the source can name it, and otherwise as the service's time after the
shards were listed, by its own replies: the least that it can be, so that no record is missed (see :mod:`pollers.clocks.service`).
Shards that had ended by then are done; the others are read from the first record that arrived at or after that time, as the service
stamps arrivals (DynamoDB: whole seconds, so that records of the same second are included).
Shards that appear later are read from their beginning, whatever the starting position was.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from pollers.aws.api import StartAt
from pollers.checkpoints.store import TRIM_HORIZON, ShardCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.models import StreamMapping
    from pollers.aws.api import ShardListing

NONE_NAMED: Mapping[str, StartAt] = MappingProxyType({})


def configured_start(mapping: StreamMapping) -> StartAt:
    """The mapping's starting position."""
    when = mapping.starting_position_timestamp
    return StartAt(mapping.starting_position, timestamp=None if when is None else when.timestamp())


def first_checkpoints(
    shards: Iterable[ShardListing], start: StartAt, now: float, named: Mapping[str, StartAt] = NONE_NAMED
) -> dict[str, ShardCheckpoint]:
    """The pins of a mapping that has never read the stream.

    ``now`` is the service's time after the listing; ``named`` are the ends of shards that their source could name then.
    """
    match start.kind:
        case "LATEST":
            # Arrivals are stamped in whole milliseconds: a record of this very one must not seem older than the pin.
            at_now = StartAt("AT_TIMESTAMP", timestamp=math.floor(now * 1000) / 1000)
            return {
                shard.shard_id: ShardCheckpoint(
                    start=named.get(shard.shard_id, at_now), ended=shard.ended_at is not None, parents=shard.parent_ids
                )
                for shard in shards
            }
        case _:
            return {shard.shard_id: ShardCheckpoint(start=start, parents=shard.parent_ids) for shard in shards}


def later_checkpoints(shards: Iterable[ShardListing]) -> dict[str, ShardCheckpoint]:
    """The pins of shards found after the first start: always from their beginning."""
    return {shard.shard_id: ShardCheckpoint(start=TRIM_HORIZON, parents=shard.parent_ids) for shard in shards}
