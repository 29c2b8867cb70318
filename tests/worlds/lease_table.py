"""A lease table in memory that replicas share, each through a handle of its own (:mod:`tests.worlds.lease_handle`).

One :class:`MemoryLeaseTable` is the table, and keeps a log of every request. :meth:`MemoryLeaseTable.handle` is a replica's way to
it. Writes are atomic and follow each other, single reads are consistent, as in DynamoDB; scans and the index may be behind.
"""

from __future__ import annotations

import asyncio
import math
import random
from bisect import bisect_right, insort
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from pollers.aws.errors import Refused
from pollers.leases.table import KEY, ConditionFailed
from tests.worlds.lease_handle import Rates, TableHandle
from tests.worlds.lease_requests import Spent, copied
from tests.worlds.lease_units import ITEM_LIMIT_BYTES, index_units, size_of, write_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pollers.leases.table import Item
    from tests.worlds.lease_requests import Change, Logged

OLDEST_SECONDS = 60.0
"""Nothing that is read is older than this."""
_MANY_VERSIONS = 64
_WRITES = frozenset({"add", "update", "delete"})


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
        return {key: copied(item) for key in self._versions if (item := self.current(key).item)}

    def put_by_hand(self, item: Item) -> None:
        """Write an item as somebody with the console does: without a condition."""
        self._store(item[KEY]["S"], copied(item))

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
        spent.write_units += write_units(before, before)
        if not change.holds(before):
            self.log.append(entry("unmet", before, before))
            raise ConditionFailed(None if before is None else copied(before))
        after = change.applied(before)
        if after is not None and size_of(after) > ITEM_LIMIT_BYTES:
            self.log.append(entry("ValidationException", before, before))
            raise Refused("ValidationException", "Item size has exceeded the maximum allowed size", status=400)
        spent.write_units += write_units(before, after) - write_units(before, before)
        spent.write_units += index_units(before, after) if self.indexed else 0
        self.log.append(entry("done", before, after))
        self._store(change.key, after)
        return after

    def _store(self, key: str, item: Item | None) -> None:
        if key not in self._versions:
            self._versions[key] = _Versions()
            insort(self._order, (_place(key), key))
        version = _NONE if item is None else _Version(item, size_of(item))
        self._versions[key].write(asyncio.get_running_loop().time(), version)


def _place(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()
