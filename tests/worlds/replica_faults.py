"""What happens to replicas that share a stream: they come, leave, are killed and stand still, and their table is out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tests.worlds.lease_handle import Rates

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from tests.worlds.replica import Replica
    from tests.worlds.replica_simulation import ReplicaSimulation

CALM = Rates(latency_seconds=(0.02, 0.02))


def bad_rates(chance: random.Random) -> Rates:
    """Of a table that is not at its best."""
    level = chance.choice((0.0, 0.0, 0.01, 0.05))
    return Rates(
        throttled=level,
        failed=level,
        never_sent=level / 2,
        reply_lost=level,
        late=level / 2,
        latency_seconds=chance.choice(((0.02, 0.02), (0.002, 0.3))),
        stale_seconds=chance.choice((0.0, 1.0, 2.0)),
        index_seconds=chance.choice((0.0, 0.5, 2.0)),
    )


class Disturbances:
    """One after the other, some of which last while the next one comes."""

    def __init__(self, world: ReplicaSimulation) -> None:
        self._world = world
        self._random = world.random
        self._kinds: tuple[Callable[[], Awaitable[None]], ...] = (
            self.kill,
            self.kill,
            self.leave,
            self.leave,
            self.hurried_leave,
            self.join,
            self.join,
            self.stand_still,
            self.stand_still,
            self.partition,
            self.partition,
            self.throttle,
            self.set_clock,
            self.rolling_restart,
            self.restart_all,
            self.other_rates,
            self.delete_by_hand,
        )

    async def run(self) -> None:
        """A few."""
        for _ in range(self._random.choice((1, 3, 6))):
            await anyio.sleep(self._random.choice((0.1, 1.0, self._world.failover, 2 * self._world.failover)))
            await self._random.choice(self._kinds)()

    def _one(self) -> Replica | None:
        at_work = [replica for replica in self._world.replicas if replica.at_work]
        return self._random.choice(at_work) if at_work else None

    def _lasting(self) -> float:
        return self._random.choice((0.3, 0.8, 1.2, 2.5)) * self._world.failover

    async def kill(self) -> None:
        """Kill one, at any await; perhaps another comes in its place."""
        replica = self._one()
        if replica is not None:
            self._world.kill(replica)
            if self._random.random() < 0.7:
                self._world.start()

    async def leave(self) -> None:
        """One is asked to stop."""
        replica = self._one()
        if replica is not None:
            replica.leave()

    async def hurried_leave(self) -> None:
        """One is asked to stop, and soon not to wait for what runs."""
        replica = self._one()
        if replica is not None:
            replica.leave()
            await anyio.sleep(self._random.choice((0.0, 0.3, 1.0)))
            replica.leave(hurried=True)

    async def join(self) -> None:
        """Another comes."""
        if sum(replica.at_work for replica in self._world.replicas) < self._world.most:
            self._world.start()

    async def stand_still(self) -> None:
        """One stands still for a while, perhaps longer than its leases last; the others need not wait for that."""
        replica = self._one()
        if replica is not None:
            self._world.aside(lambda: self._still(replica, self._lasting()))

    async def _still(self, replica: Replica, seconds: float) -> None:
        world = self._world
        if world.processes.stopped(replica.name):
            return
        world.watch.tell(replica.name, f"stands still for {seconds:g} s")
        world.processes.stop(replica.name)
        with anyio.move_on_after(seconds):
            await world.calm.wait()
        world.watch.tell(replica.name, "goes on")
        world.processes.resume(replica.name)

    async def partition(self) -> None:
        """One, or all, do not reach the table for a while."""
        replica = self._one()
        cut = [replica] if replica is not None and self._random.random() < 0.7 else list(self._world.replicas)
        seconds = self._lasting()
        self._world.aside(lambda: self._cut_off([one.name for one in cut], seconds))

    async def _cut_off(self, names: list[str], seconds: float) -> None:
        world = self._world
        world.watch.tell("table", f"is out of reach of {' '.join(names)} for {seconds:g} s")
        world.table.cut_off.update(names)
        with anyio.move_on_after(seconds):
            await world.calm.wait()
        world.table.cut_off.difference_update(set(names) - world.watch.dead)
        world.watch.tell("table", f"is in reach of {' '.join(names)} again")

    async def throttle(self) -> None:
        """The table throttles nearly everything for a while."""
        world, seconds = self._world, self._lasting()

        async def throttled() -> None:
            world.watch.tell("table", f"throttles for {seconds:g} s")
            world.set_rates(Rates(throttled=self._random.choice((0.5, 0.95, 1.0)), latency_seconds=(0.02, 0.02)))
            with anyio.move_on_after(seconds):
                await world.calm.wait()
            world.set_rates(CALM if world.calm.is_set() else bad_rates(self._random))
            world.watch.tell("table", "throttles no more")

        world.aside(throttled)

    async def other_rates(self) -> None:
        """The table gets better or worse."""
        self._world.set_rates(bad_rates(self._random))

    async def set_clock(self) -> None:
        """The wall clock of one machine is set."""
        replica = self._one()
        if replica is not None:
            replica.clock.skew += self._random.choice((-3_600.0, 3_600.0, 30.0))

    async def rolling_restart(self) -> None:
        """Each in turn is replaced: the new one first, or the old one first."""
        world, surge = self._world, self._random.random() < 0.5
        for replica in [one for one in world.replicas if one.at_work]:
            if surge:
                world.start()
                await anyio.sleep(self._random.choice((0.0, 2.0, world.failover)))
            replica.leave()
            with anyio.move_on_after(30):
                await replica.ended.wait()
            if not surge:
                world.start()

    async def restart_all(self) -> None:
        """All stop or are killed at the same time, and come back."""
        world, killed = self._world, self._random.random() < 0.5
        old = [one for one in world.replicas if one.at_work]
        for replica in old:
            if killed:
                world.kill(replica)
            else:
                replica.leave()
        await anyio.sleep(self._random.choice((0.0, 1.0, 3 * world.failover)))
        for _ in old:
            world.start()

    async def delete_by_hand(self) -> None:
        """Somebody deletes a lease in the console; not the only one, with which the mapping's past would be gone."""
        world, watch = self._world, self._world.watch
        items = sorted(world.table.items)
        if len(items) > 1 and self._random.random() < 0.5:
            key = self._random.choice(items)
            watch.deletes(key)
            world.table.delete_by_hand(key)
