"""A replica's writes to leases that are not its own, or not yet: it takes them, asks for them, and passes them on.

Each is made once: when it is refused, somebody was faster, and what the item is now goes into what the replica knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.aws.errors import AwsError, Unavailable
from pollers.leases.errors import store_error
from pollers.leases.items import (
    ASKED,
    COUNTER,
    GIVEN,
    HANDING_OVER,
    OWNER,
    SWITCHES,
    ask_value,
    expected,
    owner_given,
    read_lease,
)
from pollers.leases.leases import Take
from pollers.leases.owning import marked
from pollers.leases.table import ConditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pollers.leases.items import LeaseItem
    from pollers.leases.leases import Asking
    from pollers.leases.replica import Change, Replica
    from pollers.leases.table import Item
    from pollers.leases.token import SharedLease


async def take_lease(replica: Replica, take: Take, change: Callable[[LeaseItem], Change]) -> SharedLease | None:
    """Take a lease; None when another was faster, or nothing was heard. Raises StoreError for what waiting does not cure."""
    known = replica.items.get(take.shard_id)
    if known is None or known.counter != take.counter:
        return None
    lease = await _attempt(replica, take, known, change)
    met = replica.items.get(take.shard_id)
    if (
        lease is None
        and met is not None
        and met.counter > take.counter
        and met.seen.given
        and met.owner == replica.leases.me
    ):
        # Whoever was faster gave it to us.
        return await _attempt(replica, Take(take.shard_id, met.counter, met.owner), met, change)
    return lease


async def _attempt(
    replica: Replica, take: Take, known: LeaseItem, change: Callable[[LeaseItem], Change]
) -> SharedLease | None:
    put, remove = change(known)
    put = put | {OWNER: {"S": replica.leases.me}, COUNTER: {"N": str(take.counter + 1)}}
    if take.owner not in (None, replica.leases.me):
        put[SWITCHES] = {"N": str(known.switches + 1)}
    async with replica.lock(take.shard_id):
        at = replica.clock()
        try:
            item: Item | None = await replica.table.update(
                take.shard_id,
                put=put,
                remove=(*remove, HANDING_OVER, ASKED, GIVEN),
                expected=expected(take.counter, take.owner),
            )
        except ConditionFailed as failed:
            item = failed.item
        except AwsError as error:
            item = await _after_lost_take(replica, take, error)
        return _taken(replica, take, item, at)


async def _after_lost_take(replica: Replica, take: Take, error: AwsError) -> Item | None:
    if not isinstance(error, Unavailable):
        raise store_error(error, replica.table.name) from error
    try:
        return await replica.table.get(take.shard_id)
    except AwsError as again:
        raise store_error(again, replica.table.name) from again


def _taken(replica: Replica, take: Take, item: Item | None, at: float) -> SharedLease | None:
    lease = None if item is None else read_lease(item)
    if lease is None or lease.seen.taken_by != replica.leases.me or lease.counter <= take.counter:
        replica.enter(take.shard_id, item, at)
        return None
    return replica.grant(lease, at)


async def ask_for(replica: Replica, asking: Asking) -> None:
    """Ask for a lease, go on asking, or stop asking. Raises StoreError."""
    put = {} if asking.ask is None else {ASKED: ask_value(asking.ask)}
    before: Mapping[str, dict[str, Any] | None] = {ASKED: None if asking.before is None else ask_value(asking.before)}
    at = replica.clock()
    try:
        item: Item | None = await replica.table.update(
            asking.shard_id,
            put=put,
            remove=() if put else (ASKED,),
            expected={OWNER: {"S": asking.owner}, **before},
        )
    except ConditionFailed as failed:
        item = failed.item
    except AwsError as error:
        raise store_error(error, replica.table.name) from error
    replica.enter(asking.shard_id, item, at)


async def pass_on(replica: Replica, take: Take) -> None:
    """Give a lease, that was given to me or to another who leaves and was not taken, to the next one. Raises StoreError."""
    known = replica.items.get(take.shard_id)
    if known is None or known.counter != take.counter:
        return
    owner, none = owner_given(replica.leases.successor(take.shard_id), take.counter + 1)
    at = replica.clock()
    try:
        item: Item | None = await replica.table.update(
            take.shard_id,
            put=marked(replica, known, {COUNTER: {"N": str(take.counter + 1)}, **owner}),
            remove=none,
            expected=expected(take.counter, take.owner),
        )
    except ConditionFailed as failed:
        item = failed.item
    except AwsError as error:
        raise store_error(error, replica.table.name) from error
    replica.enter(take.shard_id, item, at)
