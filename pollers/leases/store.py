"""The checkpoint store that replicas share: a lease table for each mapping."""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.aws.errors import AwsError, NotFound
from pollers.checkpoints.store import Opened
from pollers.leases.checkpoints import SharedCheckpoints
from pollers.leases.errors import OwnersElsewhere, store_error
from pollers.leases.items import STATE_LIMIT_BYTES, expected, read_lease
from pollers.leases.keeper import Keeper
from pollers.leases.leases import Leases
from pollers.leases.own_part import Stamp
from pollers.leases.owning import give
from pollers.leases.pinning import Pinning
from pollers.leases.replica import Replica
from pollers.leases.seen import OURS
from pollers.leases.table import ConditionFailed
from pollers.storage.errors import StoreError, StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from pollers.leases.items import LeaseItem
    from pollers.leases.table import LeaseTable

log = structlog.stdlib.get_logger(__name__)

FAILOVER_SECONDS = 10.0
INTERVAL_SECONDS = 1.0


def boot_time() -> float:
    """Seconds of a clock that never jumps, and goes on while the machine is suspended, where the system has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def new_owner() -> str:
    """An owner id that nobody has had: a restarted process must not believe in the leases of the one before."""
    return f"{OURS}{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


class DynamoStore:
    """Implements ``ForgettingStore``. ``table_of`` gives the table of a mapping.

    ``failover_seconds``: how long an owner may be silent. ``with_kcl``: owners that are not Headrace may be at work on the table.
    ``owner`` gives each opening an owner id that nobody has had.
    """

    def __init__(
        self,
        table_of: Callable[[str], Awaitable[LeaseTable]],
        *,
        failover_seconds: float = FAILOVER_SECONDS,
        interval_seconds: float = INTERVAL_SECONDS,
        with_kcl: bool = False,
        clock: Callable[[], float] = boot_time,
        rng: random.Random | None = None,
        owner: Callable[[], str] = new_owner,
    ) -> None:
        self.least_interval_seconds = interval_seconds
        self._table_of = table_of
        self._failover = failover_seconds
        self._with_kcl = with_kcl
        self._clock = clock
        self._owner = owner
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._open: dict[str, tuple[Replica, SharedCheckpoints]] = {}
        self._entered = False

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``. Raises StoreUnreadable for a table that is another's, and OwnersElsewhere."""
        if not self._entered:
            raise StoreError("the store of checkpoints is not open")
        before = await self._close(mapping)
        table = await self._table_of(mapping)
        try:
            await table.ensure()
        except AwsError as error:
            raise store_error(error, table.name) from error
        leases = Leases(self._owner(), self._failover, self._rng, with_kcl=self._with_kcl)
        replica = Replica(table, leases, Stamp(mapping, identity), self._clock)
        replica.gone.update(before)
        await replica.look()
        stale = self._stale(replica)
        if any(item.seen.holder for item in stale):
            await self._wait_for_silence(replica)
            stale = self._stale(replica)
        # A table that was deleted while it was in use is filled again from what is known: begun afresh at LATEST, shards would skip
        # what has been written since.
        emptied = not replica.items and any(map(replica.is_current, before.values()))
        fresh = not replica.current and not emptied
        keeper = Keeper(replica, self._rng, with_kcl=self._with_kcl)
        checkpoints = SharedCheckpoints(replica, Pinning(replica, time.time, fresh=fresh), keeper)
        self._open[mapping] = (replica, checkpoints)
        log.info("shards are shared", mapping=mapping, table=table.name, owner=leases.me, leases=len(replica.current))
        return self._opened(checkpoints, replica, stale, fresh=fresh)

    def _opened(
        self, checkpoints: SharedCheckpoints, replica: Replica, stale: list[LeaseItem], *, fresh: bool
    ) -> Opened:
        found = Opened(checkpoints, fresh, counts_user_records=True, window_state_bytes=STATE_LIMIT_BYTES, shared=True)
        if not fresh:
            adopted = [item.shard_id for item in replica.current.values() if item.own.stamp is None]
            return replace(found, adopted=frozenset(adopted))
        before = [item.own.stamp.identity for item in stale if item.own.stamp and not item.own.reset]
        start = next((item.own.start for item in stale if item.own.reset), None)
        return replace(found, previous_identity=before[0] if before else None, start=start)

    def _stale(self, replica: Replica) -> list[LeaseItem]:
        """Leases of an earlier stream of the same name, and those that were reset. Raises StoreUnreadable for those of others."""
        stale = [item for item in replica.items.values() if not replica.is_current(item)]
        for item in stale:
            self._refuse_others(replica, item)
        return stale

    def _refuse_others(self, replica: Replica, item: LeaseItem) -> None:
        """Another mapping's, or another stream's: that is a mistake in a name much rather than meant."""
        stamp, table = item.own.stamp, replica.table.name
        if stamp is None:
            return
        if stamp.mapping != replica.stamp.mapping:
            raise StoreUnreadable(
                f"the lease table {table} is that of the mapping {stamp.mapping}: give {replica.stamp.mapping} a table of its own, "
                "with {mapping} in the name that runtime.checkpoints gives"
            )
        if not item.own.reset and _name_of(stamp.identity) != _name_of(replica.stamp.identity):
            raise StoreUnreadable(
                f"the lease table {table} is that of another stream, {stamp.identity}: name another table, or start over in this "
                f"one with headrace checkpoints reset CONFIG {stamp.mapping}"
            )

    async def _wait_for_silence(self, replica: Replica) -> None:
        """Wait until nobody reads the stream of before any more. Raises OwnersElsewhere."""
        former = Leases(replica.leases.me, self._failover, self._rng)
        begun = self._clock()
        while True:
            at = self._clock()
            await replica.look()
            stale = self._stale(replica)
            former.scanned([item.seen for item in stale], at, self._clock())
            alive = former.elsewhere([item.shard_id for item in stale])
            if not alive:
                return
            if self._clock() >= begun + 2 * self._failover:
                owners = sorted({item.owner or "" for item in stale if item.shard_id in alive})
                raise OwnersElsewhere(
                    f"the lease table {replica.table.name} has leases of an earlier stream that {', '.join(owners)} still "
                    "keeps: stop that replica first"
                )
            await anyio.sleep(self._failover / 10)

    async def forget(self, mapping: str) -> None:
        """See ``ForgettingStore.forget``. Deletes the mapping's leases if nobody else has one; the table itself stays."""
        replica = self._open[mapping][0] if mapping in self._open else None
        me = replica.leases.me if replica else None
        await self._close(mapping)
        table = await self._table_of(mapping)
        try:
            items = [lease for item in await table.scan() if (lease := read_lease(item)) is not None]
            others = sorted({item.owner for item in items if item.owner not in (None, me)} - {None})
            if others:
                log.warning(
                    "the leases of a deleted mapping are kept: others have some", table=table.name, owners=others
                )
                return
            for item in items:
                if item.own.stamp is not None and item.own.stamp.mapping == mapping:
                    await self._delete(table, item)
        except NotFound:
            return
        except AwsError as error:
            raise store_error(error, table.name) from error

    async def _delete(self, table: LeaseTable, item: LeaseItem) -> None:
        try:
            await table.delete(item.shard_id, expected=expected(item.counter, item.owner))
        except ConditionFailed as failed:
            log.warning(
                "a lease of a deleted mapping has changed, and is kept", table=table.name, lease=str(failed.item)
            )

    async def _close(self, mapping: str) -> dict[str, LeaseItem]:
        """Fence what was opened before: its holders learn it, and its leases are free for the next opening.

        Returns the leases that were taken away from it (:attr:`pollers.leases.replica.Replica.taken_away`).
        """
        opened = self._open.pop(mapping, None)
        if opened is None:
            return {}
        replica, checkpoints = opened
        taken_away = replica.taken_away
        tokens = list(replica.tokens.values())
        checkpoints.fence()
        for token in tokens:
            replica.tokens[token.shard_id] = token
            try:
                await give(replica, token)
            except (StoreUnwritable, StoreError) as error:
                log.debug("a lease could not be given up: it will expire", shard=token.shard_id, error=str(error))
        replica.tokens.clear()
        return taken_away

    async def __aenter__(self) -> DynamoStore:
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered = False
        for _, checkpoints in self._open.values():
            checkpoints.fence()
        self._open.clear()


def _name_of(identity: str) -> str:
    """What stays the same when a stream is deleted and made again: its ARN without the time of its making."""
    return identity.partition("@")[0].partition("/stream/")[0]
