"""A lease table in memory that replicas share, each through a handle of its own; with what may go wrong between them and it.

One :class:`MemoryLeaseTable` is the table, and keeps a log of every request. :meth:`MemoryLeaseTable.handle` is a replica's way to
it. Writes are atomic and follow each other, single reads are consistent, as in DynamoDB; scans and the index may be behind.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
from bisect import bisect_right, insort
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import orjson

from pollers.aws.errors import NotFound, Refused, Throttled, Unavailable
from pollers.leases.table import KEY, ConditionFailed
from pollers.storage.errors import StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pollers.leases.table import Item

T = TypeVar("T")

OWNER = "leaseOwner"
ITEM_LIMIT_BYTES = 400 * 1024
PAGE_LIMIT_BYTES = 1024 * 1024
_READ_UNIT_BYTES = 4096
_WRITE_UNIT_BYTES = 1024
OLDEST_SECONDS = 60.0
"""Nothing that is read is older than this."""
_MANY_VERSIONS = 64
_WRITES = frozenset({"add", "update", "delete"})


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


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that reached the table, in the order in which they did; ``outcome``: done, unmet, or an error's code.

    ``before`` and ``after`` are the item; a write that is not done leaves it as it was.
    """

    at: float
    replica: str
    operation: str
    key: str
    outcome: str
    put: Item = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    expected: Mapping[str, dict[str, Any] | None] = field(default_factory=dict)
    before: Item | None = None
    after: Item | None = None


@dataclass(slots=True)
class Spent:
    """What a replica has asked of the table: calls by operation, and units as DynamoDB charges them on demand."""

    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    write_units: float = 0.0


@dataclass(frozen=True, slots=True)
class _Version:
    """An item as it was for a while, not to be changed; None: there was none."""

    item: Item | None
    size: int = 0


_NONE = _Version(None)


@dataclass(slots=True)
class _Versions:
    """What one key had, over time."""

    times: list[float] = field(default_factory=list)
    versions: list[_Version] = field(default_factory=list)

    def at(self, moment: float) -> _Version:
        place = bisect_right(self.times, moment)
        return self.versions[place - 1] if place else _NONE

    def write(self, now: float, version: _Version) -> None:
        self.times.append(now)
        self.versions.append(version)
        if len(self.times) > _MANY_VERSIONS:
            old = max(0, bisect_right(self.times, now - OLDEST_SECONDS) - 1)
            del self.times[:old], self.versions[:old]


class MemoryLeaseTable:
    """The table itself. ``exists`` False: whichever handle is the first to ``ensure`` makes it, within ``creation_seconds``."""

    def __init__(
        self,
        name: str = "leases",
        *,
        exists: bool = True,
        indexed: bool = True,
        creation_seconds: float = 5.0,
        page_items: int = 1_000,
        seed: int = 0,
    ) -> None:
        self.name = name
        self.indexed = indexed
        self.page_items = page_items
        self.creation_seconds = creation_seconds
        self.key = KEY
        """Another name: a table of something else."""
        self.log: list[Logged] = []
        self.spent: dict[str, Spent] = {}
        self.cut_off: set[str] = set()
        """Replicas that do not reach the table: their calls end without a reply."""
        self.made = 0
        self._ready_at = -math.inf if exists else math.inf
        self._versions: dict[str, _Versions] = {}
        self._order: list[tuple[bytes, str]] = []
        """Every key that there ever was, in the order of scans, which has nothing to do with their names."""
        self._seed = seed

    def handle(self, replica: str, rates: Rates | None = None, *, call_seconds: float = 2.5) -> TableHandle:
        """The table as ``replica`` reaches it. What goes wrong follows from the table's seed and the replica's name."""
        return TableHandle(self, replica, rates or Rates(), call_seconds, random.Random(f"{self._seed} {replica}"))

    @property
    def items(self) -> dict[str, Item]:
        """Every item as it is now, by key; copies."""
        return {key: _copied(item) for key in self._versions if (item := self.current(key).item)}

    def put_by_hand(self, item: Item) -> None:
        """Write an item as somebody with the console does: without a condition."""
        self._store(item[KEY]["S"], _copied(item))

    def delete_by_hand(self, key: str) -> None:
        """Delete an item without a condition."""
        self._store(key, None)

    def writes(self, key: str | None = None) -> list[Logged]:
        """The writes that took place, of one key or all, in order."""
        return [
            one for one in self.log if one.operation in _WRITES and one.outcome == "done" and key in (None, one.key)
        ]

    # From here on: for handles.

    def usable(self) -> bool:
        """Whether it has been made."""
        return asyncio.get_running_loop().time() >= self._ready_at

    def create(self) -> None:
        """CreateTable; a second one changes nothing (ResourceInUse)."""
        if self._ready_at == math.inf:
            self.made += 1
            self._ready_at = asyncio.get_running_loop().time() + self.creation_seconds

    def current(self, key: str) -> _Version:
        """The item as it is now."""
        versions = self._versions.get(key)
        return versions.versions[-1] if versions else _NONE

    def after(self, last: str | None, moment: float) -> Iterator[tuple[str, _Version]]:
        """Every item that there was at ``moment``, from behind the key ``last`` on, in the order of scans."""
        begin = 0 if last is None else bisect_right(self._order, (_place(last), last))
        for _, key in self._order[begin:]:
            version = self._versions[key].at(moment)
            if version.item is not None:
                yield key, version

    def write(
        self, spent: Spent, entry: Callable[[str, Item | None, Item | None], Logged], change: Change
    ) -> Item | None:
        """Do a conditional write and log it. Raises ConditionFailed or Refused."""
        before = self.current(change.key).item
        spent.write_units += _write_units(before, before)
        if not change.holds(before):
            self.log.append(entry("unmet", before, before))
            raise ConditionFailed(None if before is None else _copied(before))
        after = change.applied(before)
        if after is not None and size_of(after) > ITEM_LIMIT_BYTES:
            self.log.append(entry("ValidationException", before, before))
            raise Refused("ValidationException", "Item size has exceeded the maximum allowed size", status=400)
        spent.write_units += _write_units(before, after) - _write_units(before, before)
        spent.write_units += _index_units(before, after) if self.indexed else 0
        self.log.append(entry("done", before, after))
        self._store(change.key, after)
        return after

    def _store(self, key: str, item: Item | None) -> None:
        if key not in self._versions:
            self._versions[key] = _Versions()
            insort(self._order, (_place(key), key))
        version = _NONE if item is None else _Version(item, size_of(item))
        self._versions[key].write(asyncio.get_running_loop().time(), version)


@dataclass(frozen=True, slots=True)
class Change:
    """A conditional write. ``whole``: the new item (PutItem); else ``put`` and ``remove`` change it; ``gone`` deletes it."""

    key: str
    put: Item = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    expected: Mapping[str, dict[str, Any] | None] = field(default_factory=dict)
    whole: bool = False
    gone: bool = False

    def holds(self, item: Item | None) -> bool:
        """Whether the item is as expected; a new one expects none."""
        if self.whole:
            return item is None
        return item is not None and all(same(item.get(name), value) for name, value in self.expected.items())

    def applied(self, item: Item | None) -> Item | None:
        """The item afterwards."""
        if self.gone:
            return None
        kept = {name: value for name, value in (item or {}).items() if name not in self.remove}
        return kept | _copied(self.put)


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
            page.append(_copied(version.item or {}))
            size += version.size
            if len(page) >= self._table.page_items or size >= PAGE_LIMIT_BYTES:
                end = key
                break
        self.spent.read_units += _read_units(size, consistent=False)
        return page, end

    async def owned_by(self, owner: str) -> list[str]:
        """See ``LeaseTable``."""
        assert self.indexed, "ensure() was not called, or the table has no index"
        return await self._through("query", lambda: self._owned_by(owner))

    def _owned_by(self, owner: str) -> list[str]:
        moment = self._moment(self.rates.index_seconds)
        items = ((key, version.item or {}) for key, version in self._table.after(None, moment))
        found = sorted(key for key, item in items if item.get(OWNER) == {"S": owner})
        self.spent.read_units += _read_units(sum(len(key) + len(owner) + 100 for key in found), consistent=False)
        return found

    async def get(self, key: str) -> Item | None:
        """See ``LeaseTable``."""
        return await self._through("get", lambda: self._get(key))

    def _get(self, key: str) -> Item | None:
        version = self._table.current(key)
        self.spent.read_units += _read_units(version.size, consistent=True)
        return None if version.item is None else _copied(version.item)

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
        after = await self._write("update", Change(key, _copied(put), remove, dict(expected)))
        assert after is not None
        return _copied(after)

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


def same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether two values are equal as DynamoDB compares them: numbers by value, sets in any order."""
    if one is None or other is None:
        return one is other
    ((kind, mine),), ((other_kind, others),) = one.items(), other.items()
    if kind != other_kind:
        return False
    if kind == "N":
        return (
            float(mine) == float(others) if "." in mine + others or "e" in mine + others else int(mine) == int(others)
        )
    if kind in ("SS", "NS", "BS"):
        return set(mine) == set(others)
    return bool(mine == others)


def size_of(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them, to a few bytes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 2
        case "B":
            return len(content) * 3 // 4
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(inner) for name, inner in content.items())
        case "L":
            return 3 + sum(1 + _value_size(inner) for inner in content)
        case "SS" | "NS" | "BS":
            return sum(len(one.encode()) for one in content)
        case _:
            return 1


def _read_units(size: int, *, consistent: bool) -> float:
    return max(1, math.ceil(size / _READ_UNIT_BYTES)) * (1.0 if consistent else 0.5)


def _write_units(before: Item | None, after: Item | None) -> int:
    return max(1, math.ceil(max(size_of(before or {}), size_of(after or {})) / _WRITE_UNIT_BYTES))


def _index_units(before: Item | None, after: Item | None) -> int:
    """An index entry is one write to make, one to take away, and nothing while its key stays."""
    was, now = ((item or {}).get(OWNER) for item in (before, after))
    return 0 if was == now else (was is not None) + (now is not None)


def _unheard(effect: Callable[[], Any]) -> None:
    """An effect whose reply nobody gets."""
    with suppress(ConditionFailed, Refused):
        effect()


def _place(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()


def _copied(item: Item) -> Item:
    copy: Item = orjson.loads(orjson.dumps(item))
    return copy
