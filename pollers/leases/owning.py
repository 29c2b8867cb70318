"""An owner's writes to its leases: it saves, renews and gives.

The order of the writes to one lease is that of their calls: renewals and saves never meet. A write whose reply is lost is
looked for in the table before it counts as refused. Owner ids are used once, so a lease with mine was written by me, unless it
says that it was only given to me.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from pollers.aws.errors import AwsError, Unavailable
from pollers.checkpoints.errors import LeaseLost
from pollers.leases.errors import store_error
from pollers.leases.items import ASKED, COUNTER, HANDING_OVER, expected, owner_given, read_lease, shows
from pollers.leases.own_part import OWN, left_by, restamped
from pollers.leases.table import ConditionFailed
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pollers.leases.items import LeaseItem
    from pollers.leases.replica import Change, Replica
    from pollers.leases.table import Item
    from pollers.leases.token import SharedLease

log = structlog.stdlib.get_logger(__name__)

TRIES = 4
"""How often a write is made anew when it meets an earlier one of its own whose reply was lost."""


async def save(replica: Replica, token: SharedLease, change: Callable[[LeaseItem], Change]) -> None:
    """Write to a lease of mine, and so renew it. Raises LeaseLost and StoreError."""
    async with replica.lock(token.shard_id):
        await _write(replica, token, change, gives=False)
        replica.heed(token)


async def renew(replica: Replica, shard_id: str) -> None:
    """Show that the owner lives, if nothing else has shown it meanwhile. Raises LeaseLost and StoreError."""
    async with replica.lock(shard_id):
        token = replica.tokens.get(shard_id)
        if token is None or (shard_id not in replica.leases.due(replica.clock()) and not unsaid(replica, shard_id)):
            return
        await _write(replica, token, lambda _item: ({}, ()), gives=False)
        replica.heed(token)


def unsaid(replica: Replica, shard_id: str) -> bool:
    """Whether a lease of mine does not say yet that I am leaving."""
    return replica.leases.leaving and replica.items[shard_id].own.leaving != replica.leases.me


def marked(replica: Replica, item: LeaseItem, put: Item) -> Item:
    """What is put on a lease, with the mark that I am leaving, if so: every write of mine says it."""
    if not replica.leases.leaving:
        return put
    own = put.get(OWN) or restamped(item.raw, replica.stamp)
    return put | {OWN: left_by(own, replica.leases.me)}


async def give(replica: Replica, token: SharedLease, change: Change = ({}, ()), *, to: str | None = None) -> None:
    """Write to a lease of mine for the last time: it is another's then, or free. Raises LeaseLost and StoreError."""
    put, remove = change

    def given(_item: LeaseItem) -> Change:
        owner, none = owner_given(to, replica.leases.counter(token.shard_id) + 1)
        return put | owner, (*remove, *none, HANDING_OVER, ASKED)

    async with replica.lock(token.shard_id):
        replica.giving.add(token.shard_id)
        try:
            await _write(replica, token, given, gives=True)
            replica.tokens.pop(token.shard_id, None)
            replica.leases.dropped(token.shard_id)
        finally:
            replica.giving.discard(token.shard_id)
            replica.tell_lost()


async def _write(replica: Replica, token: SharedLease, change: Callable[[LeaseItem], Change], *, gives: bool) -> None:
    """``gives``: the lease is not mine any more when it is written."""
    shard_id = token.shard_id
    for _ in range(TRIES):
        _require(replica, token)
        known, counter = replica.items[shard_id], replica.leases.counter(shard_id)
        put, remove = change(known)
        put, at = marked(replica, known, put), replica.clock()
        try:
            written = await replica.table.update(
                shard_id,
                put={**put, COUNTER: {"N": str(counter + 1)}},
                remove=remove,
                expected=_expected(replica, known, counter),
            )
        except ConditionFailed as failed:
            _met(replica, shard_id, failed.item, at)
        except Unavailable as error:
            if await _took_place(replica, shard_id, counter, at, put, error, gives=gives):
                break
        except AwsError as error:
            raise store_error(error, replica.table.name) from error
        else:
            _written(replica, shard_id, written, at, gives=gives)
            break
    else:
        raise StoreUnwritable(f"the lease of shard {shard_id} in {replica.table.name} changes again and again")
    token.renewed()


def _expected(replica: Replica, known: LeaseItem, counter: int) -> dict[str, dict[str, Any] | None]:
    me = replica.leases.me
    if known.seen.checkpoint_owner == me:
        return {COUNTER: {"N": str(counter)}, HANDING_OVER: {"S": me}}
    return expected(counter, me)


def _require(replica: Replica, token: SharedLease) -> None:
    if replica.tokens.get(token.shard_id) is not token or token.shard_id not in replica.leases.mine:
        raise LeaseLost(f"the lease of shard {token.shard_id} was taken by another owner, or given up")


def _written(replica: Replica, shard_id: str, written: Item, at: float, *, gives: bool) -> None:
    lease = read_lease(written)
    if lease is None:
        raise StoreUnwritable(f"the lease of shard {shard_id} in {replica.table.name} is no lease any more")
    replica.keep(lease, at)
    if gives:
        replica.leases.gave(lease.seen, at, replica.clock())
    else:
        replica.leases.took(lease.seen, at, replica.clock())


def _met(replica: Replica, shard_id: str, item: Item | None, at: float) -> None:
    """A condition failed. If the lease is mine nevertheless, an earlier write of mine has taken place, whose counter is what
    counts now. When that was is not known, so it renews nothing."""
    lease = None if item is None else read_lease(item)
    if lease is not None and lease.seen.taken_by == replica.leases.me:
        replica.keep(lease, at)
        renewed = replica.leases.until(shard_id) - replica.leases.failover
        replica.leases.took(lease.seen, renewed, replica.clock())
    else:
        replica.enter(shard_id, item, at)


async def _took_place(
    replica: Replica, shard_id: str, counter: int, at: float, put: Item, error: AwsError, *, gives: bool
) -> bool:
    """Whether a write without a reply has taken place; if not, the lease has changed otherwise. Raises StoreError when that
    cannot be found out, and when nothing has changed.

    An earlier write without a reply, that expected the same counter, may be the one that has: then it renewed the lease when
    that was sent, and what was to be written now is written only if the item has it.
    """
    log.debug("no reply to a write of a lease: it is looked for", shard=shard_id, error=str(error))
    first = _sent_at(replica, shard_id, counter, at)
    asked_at = replica.clock()
    try:
        item = await replica.table.get(shard_id)
    except AwsError as again:
        raise store_error(again, replica.table.name) from again
    lease = None if item is None else read_lease(item)
    mine = lease is not None and lease.seen.taken_by == replica.leases.me
    if lease is not None and lease.counter == counter and mine:
        raise store_error(error, replica.table.name) from error
    if lease is None or mine == gives or not shows(lease.raw, put):
        _met(replica, shard_id, item, asked_at)
        return False
    replica.keep(lease, asked_at)
    if gives:
        replica.leases.gave(lease.seen, asked_at, replica.clock())
    else:
        replica.leases.took(lease.seen, first, replica.clock())
    return True


def _sent_at(replica: Replica, shard_id: str, counter: int, at: float) -> float:
    """When the first write without a reply was sent that expected this counter; one was sent at ``at``."""
    earlier = replica.unheard.get(shard_id)
    if earlier is None or earlier[0] != counter:
        earlier = replica.unheard[shard_id] = (counter, at)
    return earlier[1]
