"""Replicas that share schedules through a lease table in memory; each has a folder, a clock of the wall and a queue of its own."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pollers.clocks.clock import loop_time
from pollers.schedules.sharing import SharedSchedules
from tests.unit.schedules.fakes import World
from tests.worlds.lease_table import MemoryLeaseTable

if TYPE_CHECKING:
    from pathlib import Path

    from config.models import Config
    from pollers.leases import Item, LeaseTable
    from tests.worlds.lease_handle import Rates

FAILOVER = 10.0


@dataclass
class Replicas:
    """The table, and the worlds of those who share it."""

    folder: Path
    table: MemoryLeaseTable = field(default_factory=lambda: MemoryLeaseTable("headrace-schedules"))
    worlds: dict[str, World] = field(default_factory=dict)

    def replica(self, name: str, config: Config, *, skew: float = 0.0, rates: Rates | None = None) -> World:
        """A replica; ``skew`` seconds is how much its clock is ahead."""
        handle = self.table.handle(name, rates)

        async def table() -> LeaseTable:
            return handle

        world = World(self.folder / name, config)
        world.folder.mkdir(exist_ok=True)
        world.clock.skew = skew
        world.sharing = lambda: SharedSchedules(table, FAILOVER, clock=loop_time, rng=random.Random(name))
        self.worlds[name] = world
        return world

    async def accepted(self) -> Counter[str]:
        """How often each event was accepted, by whomever."""
        total: Counter[str] = Counter()
        for world in self.worlds.values():
            total.update(await world.accepted())
        return total

    def item(self, name: str = "s") -> Item:
        """The lease of a schedule."""
        return self.table.items[name]

    def owner(self, name: str = "s") -> str | None:
        """Who has it."""
        owner: str | None = self.table.items.get(name, {}).get("leaseOwner", {}).get("S")
        return owner
