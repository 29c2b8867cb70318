"""What a lease is given when it is taken: our stamp, and a beginning to read from where KCL left one without a time. A decider."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from pollers.aws.api import StartAt
from pollers.checkpoints.store import TRIM_HORIZON
from pollers.leases.items import CHECKPOINT, progress
from pollers.leases.own_part import OWN, restamped

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.leases.items import LeaseItem
    from pollers.leases.own_part import Stamp
    from pollers.leases.replica import Change

log = structlog.stdlib.get_logger(__name__)


def adopted(item: LeaseItem, stamp: Stamp, wall: Callable[[], float]) -> Change:
    """What to write with a take.

    LATEST of KCL means the moment when somebody begins to read; it is pinned now, so that a later restart skips nothing. The time
    of AT_TIMESTAMP is in the configuration of KCL alone: the shard is read from its beginning, which skips nothing.
    """
    start = item.checkpoint.start
    untold = item.checkpoint.sequence_number is None and not item.checkpoint.ended and item.own.start is None
    if untold and start.kind == "LATEST":
        return _begun(item, StartAt("AT_TIMESTAMP", timestamp=wall()), stamp), ()
    if untold and start.kind == "AT_TIMESTAMP" and start.timestamp is None:
        log.warning(
            "the table does not say from which time the shard is to be read: it is read from its beginning",
            shard=item.shard_id,
        )
        return _begun(item, TRIM_HORIZON, stamp), ()
    return {OWN: restamped(item.raw, stamp)}, ()


def _begun(item: LeaseItem, start: StartAt, stamp: Stamp) -> dict[str, dict[str, object]]:
    return progress(replace(item.checkpoint, start=start), stamp, text=item.raw[CHECKPOINT]["S"])
