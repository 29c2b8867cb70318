"""One replica's reads of leases, each entered into what it knows (:class:`pollers.leases.leases.Leases`), and its tokens.

What it writes to its own leases: :mod:`pollers.leases.owning`. How it takes leases and asks for them: :mod:`pollers.leases.taking`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import anyio

from pollers.aws.errors import AwsError
from pollers.leases.errors import store_error
from pollers.leases.items import read_lease
from pollers.leases.token import SharedLease

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.leases.items import LeaseItem
    from pollers.leases.leases import Leases
    from pollers.leases.own_part import Stamp
    from pollers.leases.table import Item, LeaseTable

Change: TypeAlias = "tuple[Item, tuple[str, ...]]"
"""Attributes that a write sets, and those that it removes."""


class Replica:
    """A lease table as one replica knows it. ``clock`` is monotonic and counts suspended time.

    ``items`` has what was read of each lease last; own writes count as reads. ``gone`` has the last of those that have left the
    table. ``tokens`` are the leases held. ``giving``: those that are just being given away. ``unheard``: by lease, the counter
    that a write without a reply expected, and when the first such was sent.
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
        self.giving: set[str] = set()
        self.unheard: dict[str, tuple[int, float]] = {}
        self._locks: dict[str, anyio.Lock] = {}

    @property
    def current(self) -> dict[str, LeaseItem]:
        """The leases of this mapping on this stream: not those of a stream before it, or that a reset has emptied."""
        return {shard_id: item for shard_id, item in self.items.items() if self.is_current(item)}

    def is_current(self, item: LeaseItem) -> bool:
        """Whether a lease says how far this mapping is on this stream."""
        return not item.own.reset and item.own.stamp in (None, self.stamp)

    @property
    def taken_away(self) -> dict[str, LeaseItem]:
        """Every lease as it was known last, if any left the table, or could not be given back, while its shard was being read.

        Of a replica that has ended. None are, where all were given back: what becomes of the table then is meant.
        """
        deleted = any(not item.checkpoint.ended for item in self.gone.values())
        return {**self.gone, **self.items} if deleted or self.tokens else {}

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
            self.keep(item, at)
        self.leases.scanned([item.seen for item in items if self.is_current(item)], at, now)
        self.looked_at = at
        self.tell_lost()  # before anything is awaited: a write of theirs would find no counter to expect
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
            self.keep(lease, at)
            self.leases.saw(lease.seen, at, self.clock())
        self.tell_lost()
        return lease

    def _forget(self, shard_id: str) -> None:
        if shard_id in self.items:
            self.gone[shard_id] = self.items.pop(shard_id)
            del self._read_at[shard_id]

    def keep(self, item: LeaseItem, at: float) -> None:
        """Remember a lease as a read or a reply showed it, by a request made at ``at``, unless something newer is known."""
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

    def tell_lost(self) -> None:
        """Tell holders that a lease is lost."""
        # A look may show that a lease is given before the reply says so: that is no loss.
        for shard_id in sorted(self.leases.lost - self.giving):
            self.leases.dropped(shard_id)
            token = self.tokens.pop(shard_id, None)
            if token is not None:
                token.lose()

    def tell(self) -> None:
        """Tell holders what was seen: that a lease is lost, or asked for."""
        self.tell_lost()
        for shard_id in sorted(self.leases.wanted()):
            if shard_id in self.tokens:
                self.tokens[shard_id].wanted.set()

    def heed(self, token: SharedLease) -> None:
        """A reply shows an ask before the next look does."""
        if self.items[token.shard_id].seen.asked is not None and not token.wanted.is_set():
            self.tell()

    # -- tokens ----------------------------------------------------------------------------------------------------------

    def grant(self, lease: LeaseItem, at: float) -> SharedLease:
        """A new token for a lease that was just taken, by a request made at ``at``; an earlier token is lost."""
        self.keep(lease, at)
        self.leases.took(lease.seen, at, self.clock())
        self.leases.keeps(lease.shard_id)
        earlier = self.tokens.get(lease.shard_id)
        self.tokens[lease.shard_id] = token = SharedLease(lease.shard_id, self.leases, self.clock)
        if earlier is not None:
            earlier.lose()
        return token

    def lock(self, shard_id: str) -> anyio.Lock:
        """Held while this replica writes to a lease that is its own, or becomes it: such writes never meet."""
        return self._locks.setdefault(shard_id, anyio.Lock(fast_acquire=True))
