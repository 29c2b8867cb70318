"""One replica's reads of leases and writes to its own, each entered into what it knows (:class:`pollers.leases.leases.Leases`).

How it takes leases and asks for them: :mod:`pollers.leases.taking`.

The order of an owner's writes to one lease is that of their calls: renewals and saves never meet. A write whose reply is lost is
looked for in the table before it counts as refused. Owner ids are used once, so a lease with mine was written by me, unless it says
that it was only given to me.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import anyio
import structlog

from pollers.aws.errors import AwsError, Unavailable
from pollers.checkpoints.errors import LeaseLost
from pollers.leases.errors import store_error
from pollers.leases.items import ASKED, COUNTER, HANDING_OVER, expected, owner_given, read_lease, shows
from pollers.leases.own_part import OWN, left_by, restamped
from pollers.leases.table import ConditionFailed
from pollers.leases.token import SharedLease
from pollers.storage.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pollers.leases.items import LeaseItem
    from pollers.leases.leases import Leases
    from pollers.leases.own_part import Stamp
    from pollers.leases.table import Item, LeaseTable

log = structlog.stdlib.get_logger(__name__)

TRIES = 4
"""How often a write is made anew when it meets an earlier one of its own whose reply was lost."""

Change: TypeAlias = "tuple[Item, tuple[str, ...]]"
"""Attributes that a write sets, and those that it removes."""


class Replica:
    """A lease table as one replica knows it. ``clock`` is monotonic and counts suspended time.

    ``items`` has what was read of each lease last; own writes count as reads. ``gone`` has the last of those that have left the
    table. ``tokens`` are the leases held.
    """

    def __init__(self, table: LeaseTable, leases: Leases, stamp: Stamp, clock: Callable[[], float]) -> None:
        self.table = table
        self.leases = leases
        self.stamp = stamp
        self.clock = clock
        self.items: dict[str, LeaseItem] = {}
        self.gone: dict[str, LeaseItem] = {}
        self.tokens: dict[str, SharedLease] = {}
        self.looked_at = float("-inf")
        self._read_at: dict[str, float] = {}
        self._giving: set[str] = set()
        self._unheard: dict[str, tuple[int, float]] = {}
        self._locks: dict[str, anyio.Lock] = {}

    @property
    def current(self) -> dict[str, LeaseItem]:
        """The leases of this mapping on this stream: not those of a stream before it, or that a reset has emptied."""
        return {shard_id: item for shard_id, item in self.items.items() if self.is_current(item)}

    def is_current(self, item: LeaseItem) -> bool:
        """Whether a lease says how far this mapping is on this stream."""
        return not item.own.reset and item.own.stamp in (None, self.stamp)

    # -- looking ---------------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Read every lease. Raises StoreError."""
        at = self.clock()
        try:
            found = await self.table.scan()
        except AwsError as error:
            raise store_error(error, self.table.name) from error
        now = self.clock()
        items = [lease for item in found if (lease := read_lease(item)) is not None]
        shown = {item.shard_id for item in items}
        for shard_id in self.items.keys() - shown:
            if self._read_at[shard_id] < at and shard_id not in self.leases.mine:
                self._forget(shard_id)
        for item in items:
            self._keep(item, at)
        self.leases.scanned([item.seen for item in items if self.is_current(item)], at, now)
        self.looked_at = at
        self._tell_lost()  # before anything is awaited: a write of theirs would find no counter to expect
        await self._confirm_missing(shown)

    async def _confirm_missing(self, shown: set[str]) -> None:
        """Leases of mine that a scan lacks are read one by one: a scan may be older than they are."""
        for shard_id in sorted(self.leases.mine - shown):
            await self.read(shard_id)

    async def look_for_mine(self) -> None:
        """Read the leases that name me and are not mine, by the index. Raises StoreError."""
        try:
            named = await self.table.owned_by(self.leases.me)
        except AwsError as error:
            raise store_error(error, self.table.name) from error
        for shard_id in named:
            if shard_id not in self.leases.mine:
                await self.read(shard_id)

    async def read(self, shard_id: str) -> LeaseItem | None:
        """Read one lease as it is now. Raises StoreError."""
        at = self.clock()
        try:
            item = await self.table.get(shard_id)
        except AwsError as error:
            raise store_error(error, self.table.name) from error
        return self.enter(shard_id, item, at)

    def enter(self, shard_id: str, item: Item | None, at: float) -> LeaseItem | None:
        """A lease as a consistent read or a reply showed it; the request was made at ``at``."""
        lease = None if item is None else read_lease(item)
        if lease is None:
            self._forget(shard_id)
            self.leases.gone(shard_id)
        else:
            self._keep(lease, at)
            self.leases.saw(lease.seen, at, self.clock())
        self._tell_lost()
        return lease

    def _forget(self, shard_id: str) -> None:
        if shard_id in self.items:
            self.gone[shard_id] = self.items.pop(shard_id)
            del self._read_at[shard_id]

    def _keep(self, item: LeaseItem, at: float) -> None:
        known = self.items.get(item.shard_id)
        if known is not None and self._is_older(item, known, at):
            return
        self.items[item.shard_id] = item
        self._read_at[item.shard_id] = at

    def _is_older(self, item: LeaseItem, known: LeaseItem, at: float) -> bool:
        """Scans may lag behind writes. A lower counter after so long is that of a new item in the place of a deleted one."""
        read_at = self._read_at[item.shard_id]
        if item.counter == known.counter:
            return at < read_at
        return item.counter < known.counter and at < read_at + self.leases.failover

    def _tell_lost(self) -> None:
        # A look may show that a lease is given before the reply says so: that is no loss.
        for shard_id in sorted(self.leases.lost - self._giving):
            self.leases.dropped(shard_id)
            token = self.tokens.pop(shard_id, None)
            if token is not None:
                token.lose()

    def tell(self) -> None:
        """Tell holders what was seen: that a lease is lost, or asked for."""
        self._tell_lost()
        for shard_id in sorted(self.leases.wanted()):
            if shard_id in self.tokens:
                self.tokens[shard_id].wanted.set()

    def _heed(self, token: SharedLease) -> None:
        """A reply shows an ask before the next look does."""
        if self.items[token.shard_id].seen.asked is not None and not token.wanted.is_set():
            self.tell()

    # -- an owner's writes -----------------------------------------------------------------------------------------------

    async def save(self, token: SharedLease, change: Callable[[LeaseItem], Change]) -> None:
        """Write to a lease of mine, and so renew it. Raises LeaseLost and StoreError."""
        async with self.lock(token.shard_id):
            await self._write(token, change, gives=False)
            self._heed(token)

    async def renew(self, shard_id: str) -> None:
        """Show that the owner lives, if nothing else has shown it meanwhile. Raises LeaseLost and StoreError."""
        async with self.lock(shard_id):
            token = self.tokens.get(shard_id)
            if token is None or (shard_id not in self.leases.due(self.clock()) and not self.unsaid(shard_id)):
                return
            await self._write(token, lambda _item: ({}, ()), gives=False)
            self._heed(token)

    def unsaid(self, shard_id: str) -> bool:
        """Whether a lease of mine does not say yet that I am leaving."""
        return self.leases.leaving and self.items[shard_id].own.leaving != self.leases.me

    def marked(self, item: LeaseItem, put: Item) -> Item:
        """What is put on a lease, with the mark that I am leaving, if so: every write of mine says it."""
        if not self.leases.leaving:
            return put
        own = put.get(OWN) or restamped(item.raw, self.stamp)
        return put | {OWN: left_by(own, self.leases.me)}

    async def give(self, token: SharedLease, change: Change = ({}, ()), *, to: str | None = None) -> None:
        """Write to a lease of mine for the last time: it is another's then, or free. Raises LeaseLost and StoreError."""
        put, remove = change

        def given(_item: LeaseItem) -> Change:
            owner, none = owner_given(to, self.leases.counter(token.shard_id) + 1)
            return put | owner, (*remove, *none, HANDING_OVER, ASKED)

        async with self.lock(token.shard_id):
            self._giving.add(token.shard_id)
            try:
                await self._write(token, given, gives=True)
                self.tokens.pop(token.shard_id, None)
                self.leases.dropped(token.shard_id)
            finally:
                self._giving.discard(token.shard_id)
                self._tell_lost()

    async def _write(self, token: SharedLease, change: Callable[[LeaseItem], Change], *, gives: bool) -> None:
        """``gives``: the lease is not mine any more when it is written."""
        shard_id = token.shard_id
        for _ in range(TRIES):
            self._require(token)
            known, counter = self.items[shard_id], self.leases.counter(shard_id)
            put, remove = change(known)
            put, at = self.marked(known, put), self.clock()
            try:
                written = await self.table.update(
                    shard_id,
                    put={**put, COUNTER: {"N": str(counter + 1)}},
                    remove=remove,
                    expected=self._mine(known, counter),
                )
            except ConditionFailed as failed:
                self._met(shard_id, failed.item, at)
            except Unavailable as error:
                if await self._took_place(shard_id, counter, at, put, error, gives=gives):
                    break
            except AwsError as error:
                raise store_error(error, self.table.name) from error
            else:
                self._written(shard_id, written, at, gives=gives)
                break
        else:
            raise StoreUnwritable(f"the lease of shard {shard_id} in {self.table.name} changes again and again")
        token.renewed()

    def _mine(self, known: LeaseItem, counter: int) -> dict[str, dict[str, Any] | None]:
        me = self.leases.me
        if known.seen.checkpoint_owner == me:
            return {COUNTER: {"N": str(counter)}, HANDING_OVER: {"S": me}}
        return expected(counter, me)

    def _require(self, token: SharedLease) -> None:
        if self.tokens.get(token.shard_id) is not token or token.shard_id not in self.leases.mine:
            raise LeaseLost(f"the lease of shard {token.shard_id} was taken by another owner, or given up")

    def _written(self, shard_id: str, written: Item, at: float, *, gives: bool) -> None:
        lease = read_lease(written)
        if lease is None:
            raise StoreUnwritable(f"the lease of shard {shard_id} in {self.table.name} is no lease any more")
        self._keep(lease, at)
        if gives:
            self.leases.gave(lease.seen, at, self.clock())
        else:
            self.leases.took(lease.seen, at, self.clock())

    def _met(self, shard_id: str, item: Item | None, at: float) -> None:
        """A condition failed. If the lease is mine nevertheless, an earlier write of mine has taken place, whose counter is what
        counts now. When that was is not known, so it renews nothing."""
        lease = None if item is None else read_lease(item)
        if lease is not None and lease.seen.taken_by == self.leases.me:
            self._keep(lease, at)
            renewed = self.leases.until(shard_id) - self.leases.failover
            self.leases.took(lease.seen, renewed, self.clock())
        else:
            self.enter(shard_id, item, at)

    async def _took_place(
        self, shard_id: str, counter: int, at: float, put: Item, error: AwsError, *, gives: bool
    ) -> bool:
        """Whether a write without a reply has taken place; if not, the lease has changed otherwise. Raises StoreError when that
        cannot be found out, and when nothing has changed.

        An earlier write without a reply, that expected the same counter, may be the one that has: then it renewed the lease when
        that was sent, and what was to be written now is written only if the item has it.
        """
        log.debug("no reply to a write of a lease: it is looked for", shard=shard_id, error=str(error))
        first = self._sent_at(shard_id, counter, at)
        asked_at = self.clock()
        try:
            item = await self.table.get(shard_id)
        except AwsError as again:
            raise store_error(again, self.table.name) from again
        lease = None if item is None else read_lease(item)
        mine = lease is not None and lease.seen.taken_by == self.leases.me
        if lease is not None and lease.counter == counter and mine:
            raise store_error(error, self.table.name) from error
        if lease is None or mine == gives or not shows(lease.raw, put):
            self._met(shard_id, item, asked_at)
            return False
        self._keep(lease, asked_at)
        if gives:
            self.leases.gave(lease.seen, asked_at, self.clock())
        else:
            self.leases.took(lease.seen, first, self.clock())
        return True

    def _sent_at(self, shard_id: str, counter: int, at: float) -> float:
        """When the first write without a reply was sent that expected this counter; one was sent at ``at``."""
        earlier = self._unheard.get(shard_id)
        if earlier is None or earlier[0] != counter:
            earlier = self._unheard[shard_id] = (counter, at)
        return earlier[1]

    # -- tokens ----------------------------------------------------------------------------------------------------------

    def grant(self, lease: LeaseItem, at: float) -> SharedLease:
        """A new token for a lease that was just taken, by a request made at ``at``; an earlier token is lost."""
        self._keep(lease, at)
        self.leases.took(lease.seen, at, self.clock())
        earlier = self.tokens.get(lease.shard_id)
        self.tokens[lease.shard_id] = token = SharedLease(lease.shard_id, self.leases, self.clock)
        if earlier is not None:
            earlier.lose()
        return token

    def lock(self, shard_id: str) -> anyio.Lock:
        """Held while this replica writes to a lease that is its own, or becomes it: such writes never meet."""
        return self._locks.setdefault(shard_id, anyio.Lock(fast_acquire=True))
