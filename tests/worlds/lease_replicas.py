"""Replicas that share leases: the real deciders on a table in memory, in a time of its own that leaps from event to event.

Every request takes time on the way there and on the way back, and the replicas' steps interleave as they fall. Replicas die, stop
in order, stall, lose replies and read what is old, as they are told. What must hold at every moment is checked as it happens.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from pollers.leases.leases import Asking, Leases, Take
from pollers.leases.seen import OURS, Seen

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    Steps = Generator[float, None, None]

LOOK_SECONDS = 0.5
ITEM_KB = 0.5


class RefusedError(Exception):
    """The lease is not as the write expected."""

    def __init__(self, item: Seen) -> None:
        super().__init__(item)
        self.item = item


class NoReplyError(Exception):
    """The request failed, or it was carried out and its reply was lost."""


@dataclass(slots=True)
class Costs:
    """What the table had to do, in DynamoDB's units for items of half a kilobyte."""

    writes: int = 0
    refused: int = 0
    reads: float = 0.0
    asks: int = 0


@dataclass(slots=True)
class Faults:
    """How often, from 0 to 1, a request fails before it is carried out or after, and a scan shows what was a moment ago."""

    fails: float = 0.0
    lost: float = 0.0
    stale: float = 0.0


@dataclass(slots=True)
class World:
    """The table, the time, and the replicas in it."""

    seed: int
    failover: float = 10.0
    latency: float = 0.01
    batch_seconds: float = 0.1
    now: float = 0.0
    faults: Faults = field(default_factory=Faults)
    costs: Costs = field(default_factory=Costs)
    leases: dict[str, Seen] = field(default_factory=dict)
    replicas: list[Replica] = field(default_factory=list)
    moves: list[tuple[float, str, str | None, str]] = field(default_factory=list)
    """Each take: when, what, from whom, by whom."""
    rng: random.Random = field(init=False)
    _events: list[tuple[float, int, Replica, Steps]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _before: dict[str, Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def add(self, shards: int) -> None:
        """Leases that nobody has."""
        for number in range(len(self.leases), len(self.leases) + shards):
            self.leases[f"shard-{number:04}"] = Seen(f"shard-{number:04}", 0)

    def join(self) -> Replica:
        """One replica more, whose clock began at another time than the world's."""
        one = Replica(self, f"{OURS}host/{len(self.replicas)}", self.rng.uniform(-1e6, 1e6))
        self.replicas.append(one)
        self.start(one, one.looking(), self.rng.uniform(0, LOOK_SECONDS))
        self.start(one, one.renewing(), 0)
        return one

    def start(self, one: Replica, steps: Steps, after: float) -> None:
        """Run steps of a replica; each tells for how long it waits."""
        heapq.heappush(self._events, (self.now + after, next(self._order), one, steps))

    def run(self, seconds: float) -> None:
        """Let this much time pass."""
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, one, steps = heapq.heappop(self._events)
            if one.dead:
                continue
            if one.stalled_until > self.now:
                self.start(one, steps, one.stalled_until - self.now)
                continue
            wait = next(steps, None)
            if wait is not None:
                self.start(one, steps, wait)
        self.now = until

    @property
    def living(self) -> list[Replica]:
        """Replicas that are neither dead nor about to stop."""
        return [one for one in self.replicas if not one.dead and not one.leases.leaving]

    def counts(self) -> list[int]:
        """How many leases each of the living has, and knows that it has."""
        owners = {name: one.owner for name, one in self.leases.items() if not one.ended}
        return [sum(owners[name] == one.leases.me for name in one.leases.mine) for one in self.living]

    @property
    def balanced(self) -> bool:
        """Whether every lease belongs to somebody living, and nobody has two more than another."""
        counts = self.counts()
        unended = sum(1 for one in self.leases.values() if not one.ended)
        return sum(counts) == unended and max(counts) - min(counts) <= 1

    def until_balanced(self, at_most: float) -> float:
        """Seconds until it is. Raises AssertionError when it takes too long."""
        began = self.now
        while not self.balanced:
            assert self.now < began + at_most, f"after {at_most} s: {self.counts()}"
            self.run(0.1)
        return self.now - began

    # What the table does.

    def scan(self) -> list[Seen]:
        """All leases, each perhaps as it was before its last write."""
        self.costs.reads += max(0.5, len(self.leases) * ITEM_KB / 4 / 2)
        self._maybe_fail(self.faults.fails)
        stale = self.rng.random() < self.faults.stale
        return [self._before.get(name, item) if stale else item for name, item in self.leases.items()]

    def owned_by(self, owner: str) -> list[Seen]:
        """Leases of this owner."""
        self.costs.reads += 0.5
        self._maybe_fail(self.faults.fails)
        return [item for item in self.leases.values() if item.owner == owner]

    def write(self, shard_id: str, expected: dict[str, Any], **changes: Any) -> Seen:  # noqa: ANN401 - a lease's own fields
        """Change a lease if it is as expected."""
        self.costs.writes += 1
        self._maybe_fail(self.faults.fails)
        item = self.leases[shard_id]
        if any(getattr(item, name) != value for name, value in expected.items()):
            self.costs.refused += 1
            raise RefusedError(item)
        self._before[shard_id] = item
        self.leases[shard_id] = replace(item, **changes)
        if self.leases[shard_id].owner != item.owner:
            self._check_handed_over(item)
        self._maybe_fail(self.faults.lost)
        return self.leases[shard_id]

    def _maybe_fail(self, often: float) -> None:
        if self.rng.random() < often:
            raise NoReplyError

    def _check_handed_over(self, item: Seen) -> None:
        """Nobody may believe any more in a lease that has another owner, but who is just giving it away."""
        for one in self.replicas:
            if one.leases.me == item.owner and not one.dead and item.shard_id not in one.giving:
                assert not one.leases.in_time(item.shard_id, one.clock()), f"{item} was in time for its owner"


class Replica:
    """One replica: a decider, and tasks that do as it says."""

    def __init__(self, world: World, me: str, clock_offset: float) -> None:
        self.world = world
        self.leases = Leases(me, world.failover, random.Random(world.rng.random()))
        self.dead = False
        self.stalled_until = 0.0
        self.giving: set[str] = set()
        """Leases whose batches have ended: nothing is started under them any more."""
        self._handing_over: set[str] = set()
        self._offset = clock_offset
        self._in_doubt: dict[str, float] = {}

    def clock(self) -> float:
        """Its own time."""
        return self.world.now + self._offset

    def stall(self, seconds: float) -> None:
        """It does nothing for so long."""
        self.stalled_until = self.world.now + seconds

    def leave(self) -> None:
        """It stops in order."""
        self.leases.leave()
        for shard_id in sorted(self.leases.mine):
            self._hand_over(shard_id)

    def _pause(self) -> float:
        return self.world.latency * self.world.rng.uniform(0.3, 0.7)

    def looking(self) -> Steps:
        """Look, do what is to be done, and wait."""
        while True:
            try:
                yield from self._look()
                yield from self._decide()
            except NoReplyError:
                pass
            if self.leases.leaving and not self.leases.mine and not self.leases.declined():
                self.dead = True
            yield LOOK_SECONDS * self.world.rng.uniform(0.8, 1.2)

    def _look(self) -> Steps:
        world, at = self.world, self.clock()
        yield self._pause()
        if self.leases.whole_look_due(world.leases.keys(), at):
            items = world.scan()
            yield self._pause()
            self.leases.scanned(items, at, self.clock())
            return
        given = [item for item in world.owned_by(self.leases.me) if item.shard_id not in self.leases.mine]
        yield self._pause()
        self._saw(given, at)

    def _saw(self, items: Iterable[Seen], at: float) -> None:
        for item in items:
            self.world.costs.reads += 1
            self.leases.saw(item, at, self.clock())

    def _decide(self) -> Steps:
        for shard_id in self.leases.lost:
            self.leases.dropped(shard_id)
        readable = self.world.leases.keys()
        while takes := self.leases.takes(readable):
            yield from self._together(takes)
        yield from self._together(self.leases.asks(readable, self.clock()))
        self._obey()
        for given in self.leases.declined():
            yield from self._pass_on(given)

    def _obey(self) -> None:
        for shard_id in sorted(self.leases.wanted()):
            self._hand_over(shard_id)

    def _together(self, writes: Iterable[Take | Asking]) -> Steps:
        at = self.clock()
        yield self._pause()
        answers = [self._attempt(one) for one in writes]
        yield self._pause()
        for one, item in answers:
            if item and isinstance(one, Take) and (item.owner, item.counter) == (self.leases.me, one.counter + 1):
                self.leases.took(item, at, self.clock())
            elif item:
                self.leases.saw(item, at, self.clock())
        if any(item is None for _, item in answers):
            raise NoReplyError

    def _attempt(self, one: Take | Asking) -> tuple[Take | Asking, Seen | None]:
        try:
            if isinstance(one, Asking):
                self.world.costs.asks += one.ask is not None and one.before is None
                return one, self.world.write(one.shard_id, {"owner": one.owner, "asked": one.before}, asked=one.ask)
            changes = {
                "owner": self.leases.me,
                "counter": one.counter + 1,
                "asked": None,
                "leaving": None,
                "given": False,
            }
            item = self.world.write(one.shard_id, {"counter": one.counter, "owner": one.owner}, **changes)
            self.world.moves.append((self.world.now, one.shard_id, one.owner, self.leases.me))
        except RefusedError as refused:
            return one, refused.item
        except NoReplyError:
            return one, None
        else:
            return one, item

    def renewing(self) -> Steps:
        """Renew what is due."""
        while True:
            due = [name for name in self.leases.due(self.clock()) if name not in self.giving]
            if due:
                yield from self._renew(due)
                self._obey()
            yield 0.1

    def _renew(self, due: list[str]) -> Steps:
        at = self.clock()
        yield self._pause()
        answers = [self._write(name) for name in due if name in self.leases.mine and name not in self.giving]
        yield self._pause()
        for name, counter, item in answers:
            self._renewed(name, counter, item, at)

    def _renewed(self, name: str, counter: int, item: Seen | None, at: float) -> None:
        if item is None:
            self._in_doubt.setdefault(name, at)
            return
        doubt = self._in_doubt.pop(name, at)
        if name not in self.leases.mine or name in self.giving:
            return
        if (item.owner, item.counter) == (self.leases.me, counter + 1):
            self.leases.took(item, doubt, self.clock())
        else:
            self.leases.saw(item, at, self.clock())

    def _write(self, name: str, **changes: Any) -> tuple[str, int, Seen | None]:  # noqa: ANN401 - as World.write
        counter, me = self.leases.counter(name), self.leases.me
        if self.leases.leaving:
            changes["leaving"] = me
        try:
            return (
                name,
                counter,
                self.world.write(name, {"counter": counter, "owner": me}, counter=counter + 1, **changes),
            )
        except RefusedError as refused:
            return name, counter, refused.item
        except NoReplyError:
            return name, counter, None

    def _hand_over(self, shard_id: str) -> None:
        if shard_id not in self._handing_over:
            self._handing_over.add(shard_id)
            self.world.start(self, self._release(shard_id), self.world.rng.uniform(0, self.world.batch_seconds))

    def _release(self, shard_id: str) -> Steps:
        self.giving.add(shard_id)
        while shard_id in self.leases.mine:
            at, chosen = self.clock(), self.leases.successor(shard_id)
            given = {"owner": chosen, "asked": None, "given": chosen is not None}
            yield self._pause()
            if shard_id in self.leases.mine:
                _, counter, item = self._write(shard_id, **given)
                yield self._pause()
                self._released(shard_id, counter, item, at)
                yield 0.0 if item else 0.2
        self.giving.discard(shard_id)
        self._handing_over.discard(shard_id)

    def _released(self, shard_id: str, counter: int, item: Seen | None, at: float) -> None:
        if item is None or shard_id not in self.leases.mine:
            return
        if item.owner == self.leases.me and item.counter == counter + 1:
            self.leases.took(item, self._in_doubt.pop(shard_id, at), self.clock())
        else:
            self.leases.gave(item, at, self.clock())

    def _pass_on(self, given: Take) -> Steps:
        at, chosen = self.clock(), self.leases.successor(given.shard_id)
        yield self._pause()
        expected = {"counter": given.counter, "owner": given.owner}
        changes = {
            "counter": given.counter + 1,
            "owner": chosen,
            "leaving": self.leases.me,
            "given": chosen is not None,
        }
        try:
            item = self.world.write(given.shard_id, expected, **changes)
        except RefusedError as refused:
            item = refused.item
        yield self._pause()
        self.leases.gave(item, at, self.clock())
