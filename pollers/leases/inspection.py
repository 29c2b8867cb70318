"""Look at a lease table and reset it without being one of its replicas: what the commands do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from pollers.aws.errors import AwsError, NotFound
from pollers.checkpoints.store import TRIM_HORIZON, ShardCheckpoint
from pollers.leases.errors import OwnersElsewhere, store_error
from pollers.leases.items import (
    ASKED,
    CHILDREN,
    COUNTER,
    GIVEN,
    HANDING_OVER,
    OWNER,
    PENDING,
    expected,
    progress,
    read_lease,
)
from pollers.leases.own_part import OWN, Stamp, reset_own
from pollers.leases.table import ConditionFailed
from pollers.storage.errors import StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.aws.api import StartAt
    from pollers.leases.items import LeaseItem
    from pollers.leases.table import LeaseTable

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Observed:
    """A lease, and the seconds since its owner last gave a sign; None: it gave none while it was looked at."""

    item: LeaseItem
    sign_seconds: float | None


async def leases_of(table: LeaseTable) -> list[LeaseItem]:
    """Every lease, by shard; none where there is no table. Raises StoreError, also for an empty table that is no lease table."""
    try:
        if not await table.exists():
            return []
    except AwsError as error:
        raise store_error(error, table.name) from error
    return await _scanned(table)


async def _scanned(table: LeaseTable) -> list[LeaseItem]:
    try:
        found = await table.scan()
    except NotFound:
        return []
    except AwsError as error:
        raise store_error(error, table.name) from error
    items = [lease for item in found if (lease := read_lease(item)) is not None]
    return sorted(items, key=lambda lease: lease.shard_id)


async def observe(table: LeaseTable, seconds: float, clock: Callable[[], float]) -> list[Observed]:
    """Look at a table until every owner has given a sign, or for so long. Raises StoreError.

    Leases have no time in them: whether an owner lives shows only in that it writes.
    """
    begun = clock()
    items = {item.shard_id: item for item in await leases_of(table)}
    signs: dict[str, float] = {}
    while any(item.owner and shard_id not in signs for shard_id, item in items.items()) and clock() < begun + seconds:
        await anyio.sleep(LOOK_SECONDS)
        for item in await _scanned(table):
            before = items.get(item.shard_id)
            if item.owner and before is not None and before.counter != item.counter:
                signs[item.shard_id] = clock()
            items[item.shard_id] = item
    now = clock()
    return [
        Observed(item, now - signs[shard_id] if shard_id in signs else None) for shard_id, item in sorted(items.items())
    ]


async def reset_table(
    table: LeaseTable, mapping: str, start: StartAt | None, *, failover_seconds: float, clock: Callable[[], float]
) -> int:
    """Rewrite every lease as one that begins at ``start`` (None: as configured) when the mapping is next started; how many.

    Raises OwnersElsewhere while an owner lives, or when one comes meanwhile, StoreUnreadable for another mapping's table, and
    StoreError.
    """
    observed = await observe(table, failover_seconds, clock)
    others = sorted({one.item.own.stamp.mapping for one in observed if one.item.own.stamp} - {mapping})
    if others:
        raise StoreUnreadable(
            f"the lease table {table.name} is that of the mapping {', '.join(others)}, not of {mapping}: nothing was reset"
        )
    alive = sorted({one.item.owner or "" for one in observed if one.sign_seconds is not None})
    if alive:
        raise OwnersElsewhere(f"{table.name} is in use by {', '.join(alive)}: stop every replica first")
    for one in observed:
        await _reset(table, one.item, mapping, start)
    return len(observed)


async def _reset(table: LeaseTable, item: LeaseItem, mapping: str, start: StartAt | None) -> None:
    stamp = Stamp(mapping, item.own.stamp.identity if item.own.stamp else "")
    put = progress(ShardCheckpoint(start=start or TRIM_HORIZON), stamp)
    put |= {OWN: reset_own(stamp, start), COUNTER: {"N": str(item.counter + 1)}}
    try:
        await table.update(
            item.shard_id,
            put=put,
            remove=(OWNER, HANDING_OVER, ASKED, GIVEN, CHILDREN, *PENDING),
            expected=expected(item.counter, item.owner),
        )
    except ConditionFailed as failed:
        raise OwnersElsewhere(
            f"the lease of shard {item.shard_id} in {table.name} was written by another meanwhile: stop every replica first"
        ) from failed
    except AwsError as error:
        raise store_error(error, table.name) from error
