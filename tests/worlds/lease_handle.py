"""A replica's way to a lease table in memory, and what may go wrong on it."""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from pollers.aws.errors import NotFound, Refused, Throttled, Unavailable
from pollers.leases.table import KEY, ConditionFailed
from pollers.storage.errors import StoreUnreadable
from tests.worlds.lease_requests import Change, Logged, Spent, copied
from tests.worlds.lease_units import OWNER, PAGE_LIMIT_BYTES, read_units

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from pollers.leases.table import Item
    from tests.worlds.lease_table import MemoryLeaseTable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rates:
    """How often what goes wrong, as shares of all calls, and how long things take in seconds. The defaults: nothing does.

    ``late``: the caller's time is over, and the write takes place afterwards, up to ``late_seconds`` after the call.
    """

    throttled: float = 0.0
    failed: float = 0.0
    """HTTP 500: half of such writes have taken place."""
    never_sent: float = 0.0
    """No reply in time, and nothing has happened."""
    reply_lost: float = 0.0
    """No reply in time, but it has happened."""
    late: float = 0.0
    latency_seconds: tuple[float, float] = (0.002, 0.008)
    late_seconds: float = 15.0
    stale_seconds: float = 0.0
    """A page of a scan shows the table as it was up to so long ago."""
    index_seconds: float = 0.0
    """The index shows the table as it was up to so long ago."""


class TableHandle:
    """Implements :class:`pollers.leases.table.LeaseTable` for one replica. ``rates`` may be replaced at any time."""

    def __init__(
        self, table: MemoryLeaseTable, replica: str, rates: Rates, call_seconds: float, chance: random.Random
    ) -> None:
        self.name = table.name
        self.indexed = False
        self.replica = replica
        self.rates = rates
        self.spent = table.spent.setdefault(replica, Spent())
        self._table = table
        self._call_seconds = call_seconds
        self._chance = chance

    async def ensure(self) -> None:
        """See ``LeaseTable``."""
        await self.exists()
        while not self._table.usable():
            await self._through("create", self._table.create, missing=True)
            await anyio.sleep(0.5)
        self.indexed = self._table.indexed

    async def exists(self) -> bool:
        """See ``LeaseTable``."""
        await self._through("describe", lambda: None, missing=True)
        if self._table.key != KEY:
            raise StoreUnreadable(
                f"table {self.name}: found the key {self._table.key} (S, HASH), expected {KEY} (S, HASH) alone"
            )
        return self._table.usable()

    async def scan(self) -> list[Item]:
        """See ``LeaseTable``. Each page is as old as it likes; what is written between two pages may be seen or not."""
        found: list[Item] = []
        last: str | None = None
        while True:
            page, last = await self._through("scan", lambda last=last: self._page(last))  # type: ignore[misc]
            found += page
            if last is None:
                return found

    def _page(self, last: str | None) -> tuple[list[Item], str | None]:
        size, page, end = 0, [], None
        for key, version in self._table.after(last, self._moment(self.rates.stale_seconds)):
            page.append(copied(version.item or {}))
            size += version.size
            if len(page) >= self._table.page_items or size >= PAGE_LIMIT_BYTES:
                end = key
                break
        self.spent.read_units += read_units(size, consistent=False)
        return page, end

    async def owned_by(self, owner: str) -> list[str]:
        """See ``LeaseTable``."""
        assert self.indexed, "ensure() was not called, or the table has no index"
        return await self._through("query", lambda: self._owned_by(owner))

    def _owned_by(self, owner: str) -> list[str]:
        moment = self._moment(self.rates.index_seconds)
        items = ((key, version.item or {}) for key, version in self._table.after(None, moment))
        found = sorted(key for key, item in items if item.get(OWNER) == {"S": owner})
        self.spent.read_units += read_units(sum(len(key) + len(owner) + 100 for key in found), consistent=False)
        return found

    async def get(self, key: str) -> Item | None:
        """See ``LeaseTable``."""
        return await self._through("get", lambda: self._get(key))

    def _get(self, key: str) -> Item | None:
        version = self._table.current(key)
        self.spent.read_units += read_units(version.size, consistent=True)
        return None if version.item is None else copied(version.item)

    async def add(self, item: Item) -> None:
        """See ``LeaseTable``."""
        await self._write("add", Change(item[KEY]["S"], put=item, whole=True))

    async def update(
        self, key: str, *, put: Item, remove: tuple[str, ...] = (), expected: Mapping[str, dict[str, Any] | None]
    ) -> Item:
        """See ``LeaseTable``."""
        if not expected:
            raise ValueError("a write expects something")
        if KEY in put or KEY in remove:
            raise Refused("ValidationException", "Cannot update attribute leaseKey: it is part of the key", status=400)
        after = await self._write("update", Change(key, copied(put), remove, dict(expected)))
        assert after is not None
        return copied(after)

    async def delete(self, key: str, *, expected: Mapping[str, dict[str, Any] | None]) -> None:
        """See ``LeaseTable``."""
        if not expected:
            raise ValueError("a write expects something")
        await self._write("delete", Change(key, expected=dict(expected), gone=True))

    async def _write(self, operation: str, change: Change) -> Item | None:
        def entry(outcome: str, before: Item | None, after: Item | None) -> Logged:
            now = asyncio.get_running_loop().time()
            put, remove, expected = change.put, change.remove, change.expected
            return Logged(now, self.replica, operation, change.key, outcome, put, remove, expected, before, after)

        return await self._through(operation, lambda: self._table.write(self.spent, entry, change))

    async def _through(self, operation: str, effect: Callable[[], T], *, missing: bool = False) -> T:
        """Do ``effect`` at the table, with whatever goes wrong on the way there and back."""
        self.spent.calls[operation] += 1
        with anyio.move_on_after(self._call_seconds):
            await anyio.sleep(self._chance.uniform(*self.rates.latency_seconds) / 2)
            await self._reach()
            if not missing and not self._table.usable():
                raise NotFound("ResourceNotFoundException", f"no table {self.name}", status=400, operation=operation)
            await self._mishap(operation, effect)
            value = effect()
            await anyio.sleep(self._chance.uniform(*self.rates.latency_seconds) / 2)
            await self._reach()
            return value
        raise Unavailable("NoReplyInTime", f"no reply within {self._call_seconds:g} s", operation=operation)

    async def _reach(self) -> None:
        """Wait for ever where nothing reaches the table."""
        if self.replica in self._table.cut_off:
            await anyio.sleep_forever()

    async def _mishap(self, operation: str, effect: Callable[[], object]) -> None:
        """Perhaps something goes wrong, with or without the effect: then this raises, or waits until the call's time is over."""
        rates, chance, lot = self.rates, self._chance, self._chance.random()
        if (lot := lot - rates.throttled) < 0:
            raise Throttled("ThrottlingException", "slow down", status=400, operation=operation)
        if (lot := lot - rates.failed) < 0:
            if chance.random() < 0.5:
                _unheard(effect)
            raise Unavailable("InternalServerError", "try again", status=500, operation=operation)
        if (lot := lot - rates.never_sent) < 0:
            await anyio.sleep_forever()
        if (lot := lot - rates.reply_lost) < 0:
            _unheard(effect)
            await anyio.sleep_forever()
        if lot - rates.late < 0:
            # On its way it needs its sender no more, who may stand still or be gone.
            way = chance.uniform(0, rates.late_seconds)
            asyncio.get_running_loop().call_later(way, _unheard, effect, context=contextvars.Context())
            await anyio.sleep_forever()

    def _moment(self, most_seconds: float) -> float:
        return asyncio.get_running_loop().time() - self._chance.uniform(0, most_seconds)


def _unheard(effect: Callable[[], Any]) -> None:
    """An effect whose reply nobody gets."""
    with suppress(ConditionFailed, Refused):
        effect()
