"""Who reads which shard: what one replica takes, asks for, gives away and believes of the others (docs/replicas.md). A decider.

Replicas know each other only by what they write on leases. Every write of an owner expects the counter and the owner that it knows,
so however wrong a view is, at most one of two rivals succeeds. This class decides what to try.

Times are seconds of a monotonic clock that goes on while the machine is suspended. ``at`` is always from before the request,
``now`` from after the reply.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.leases.balance import may_ask_for, my_part, uneven
from pollers.leases.seen import OURS, Ask, Seen, Watched

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Iterable

AT_ONCE = 16
"""How many leases are taken or asked for before the next answers are looked at."""
RENEWALS = 3
"""Renewals in the time of a failover."""
PATIENCE_FAILOVERS = 3.0
"""After how many failovers an ask that is not answered is withdrawn, at first. Twice as long after each such ask."""
MOST_PATIENCE_SECONDS = 900.0
"""The longest that a batch may run, so that no ask need wait longer."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take a lease: expects ``counter`` and ``owner`` (None: it has none), writes the next counter and me."""

    shard_id: str
    counter: int
    owner: str | None


@dataclass(frozen=True, slots=True)
class Asking:
    """Write ``ask`` on a lease (None: take my ask off), which moves no counter.

    It expects ``owner``, and ``before`` as what was asked until now.
    """

    shard_id: str
    owner: str
    before: Ask | None
    ask: Ask | None


@dataclass(slots=True)
class _Mine:
    counter: int
    renewed: float
    due: float


@dataclass(slots=True)
class _Since:
    asked: float
    beaten: float


class Leases:
    """The leases of one mapping as one replica sees them. ``me`` is its owner id, another one for each opening."""

    def __init__(self, me: str, failover: float, rng: random.Random, *, with_kcl: bool = False) -> None:
        self.me = me
        self.failover = failover
        self._rng = rng
        self._with_kcl = with_kcl
        self._watched: dict[str, Watched] = {}
        self._mine: dict[str, _Mine] = {}
        self._lost: set[str] = set()
        self._wanted: dict[str, str] = {}
        self._promised: dict[str, str] = {}
        self._leavers: set[str] = set()
        self._asking: dict[str, _Since] = {}
        self._avoided: dict[str, float] = {}
        self._patience = failover * PATIENCE_FAILOVERS
        self._leaving = False

    # What was seen.

    def scanned(self, items: Iterable[Seen], at: float, now: float) -> None:
        """A complete scan. Leases that it lacks are forgotten, unless they are mine or were seen since it began."""
        found = set()
        for item in items:
            found.add(item.shard_id)
            self.saw(item, at, now)
        for shard_id in self._watched.keys() - found - self._mine.keys():
            if self._watched[shard_id].looked < at:
                self.gone(shard_id)
        self._leavers &= {
            name for one in self._watched.values() for name in (one.seen.holder, one.seen.leaving) if name
        }

    def saw(self, item: Seen, at: float, now: float) -> None:
        """One lease, as a read showed it, or a write of ours that worked or was refused."""
        watched = self._watched.get(item.shard_id)
        if watched is None:
            watched = self._watched[item.shard_id] = Watched(item, self.failover, now)
        else:
            watched.look(item, at, now)
        if item.leaving:
            self._leavers.add(item.leaving)
        mine = self._mine.get(item.shard_id)
        if mine and watched.seen.counter >= mine.counter and watched.seen.holder != self.me:
            self._drop(item.shard_id)
            self._lost.add(item.shard_id)

    def gone(self, shard_id: str) -> None:
        """There is no such lease in the table. One of mine is lost with it."""
        self._watched.pop(shard_id, None)
        if shard_id in self._mine:
            self._drop(shard_id)
            self._lost.add(shard_id)

    # What is mine.

    def took(self, item: Seen, at: float, now: float) -> None:
        """A take worked, or a renewal or save of mine did: ``item`` is the table's reply, or what a read showed when that was lost.

        ``at`` is from before the write. The lease is mine from then on, for a failover.
        """
        self._lost.discard(item.shard_id)
        self._mine[item.shard_id] = _Mine(item.counter, at, at + self.failover / RENEWALS * self._rng.uniform(0.8, 1.0))
        if self._asking.pop(item.shard_id, None):
            self._patience = self.failover * PATIENCE_FAILOVERS
        self.saw(item, at, now)

    def gave(self, item: Seen, at: float, now: float) -> None:
        """A release or the end of a shard was written: the lease is not mine any more."""
        self._drop(item.shard_id)
        self.saw(item, at, now)

    def dropped(self, shard_id: str) -> None:
        """It is not mine any more, whatever the table has: the lease was lost, and its reader has ended."""
        self._drop(shard_id)
        self._lost.discard(shard_id)

    def _drop(self, shard_id: str) -> None:
        self._mine.pop(shard_id, None)
        self._wanted.pop(shard_id, None)
        self._promised.pop(shard_id, None)

    @property
    def mine(self) -> frozenset[str]:
        """The leases that are mine as far as I know, in time or not."""
        return frozenset(self._mine)

    @property
    def lost(self) -> frozenset[str]:
        """Leases that were mine and were seen with another, until :meth:`dropped` or a new take."""
        return frozenset(self._lost)

    def counter(self, shard_id: str) -> int:
        """The counter that my next write of this lease expects. Raises KeyError when it is not mine."""
        return self._mine[shard_id].counter

    def until(self, shard_id: str) -> float:
        """When others may take it: something may be started under it before, and not any more then. -inf when it is not mine."""
        mine = self._mine.get(shard_id)
        return mine.renewed + self.failover if mine else float("-inf")

    def in_time(self, shard_id: str, now: float) -> bool:
        """Whether something may be started under this lease now."""
        return now < self.until(shard_id)

    def due(self, now: float) -> list[str]:
        """The leases of mine that have to be renewed now, the oldest first."""
        due = [shard_id for shard_id, mine in self._mine.items() if mine.due <= now]
        return sorted(due, key=lambda shard_id: self._mine[shard_id].due)

    def next_due(self) -> float | None:
        """When the next lease has to be renewed; None when there is none."""
        return min((mine.due for mine in self._mine.values()), default=None)

    # What the others do.

    def elsewhere(self, shard_ids: Collection[str]) -> frozenset[str]:
        """Those of these shards that another live owner has."""
        return frozenset(
            name for name in shard_ids if name not in self._mine and self._owner(name) not in (None, self.me)
        )

    def foreign(self) -> tuple[str, ...]:
        """Owners that are not replicas of Headrace and are alive: a counter of theirs was seen to move."""
        found = {one.owner for one in self._watched.values() if one.moved and one.owner}
        return tuple(sorted(owner for owner in found if not owner.startswith(OURS)))

    @property
    def settled(self) -> bool:
        """Whether it is known of every foreign owner in the table if it lives: nothing is taken before, lest it be a rival."""
        return not any(one.owner and not one.owner.startswith(OURS) for one in self._watched.values())

    def _owner(self, shard_id: str) -> str | None:
        if shard_id in self._promised:
            return self._promised[shard_id]
        if shard_id in self._mine:
            return self.me
        watched = self._watched.get(shard_id)
        return watched.owner if watched else None

    def _counts(self) -> Counter[str]:
        """How many unended leases every worker has: those that own some, ask for some, or are me; without leavers."""
        counts: Counter[str] = Counter()
        if not self._leaving:
            counts[self.me] = 0
        for shard_id, watched in self._watched.items():
            if watched.seen.ended:
                continue
            owner = self._owner(shard_id)
            if owner:
                counts[owner] += 1
            if watched.asked:
                counts[watched.asked.by] += 0
        for leaver in self._leavers:
            del counts[leaver]
        return counts

    # What to do.

    def leave(self) -> None:
        """Take nothing and ask for nothing any more."""
        self._leaving = True

    @property
    def leaving(self) -> bool:
        """Whether this replica is about to stop; its owner id is then written as ``leaving`` with every write."""
        return self._leaving

    def takes(self, readable: Collection[str]) -> list[Take]:
        """The leases to take now. Call it again after the answers were entered, until it is empty or a call has failed.

        First what was given to me; then of what is free or expired what falls to me, at random, so that replicas that start at
        the same time seldom try for the same one; and whatever nobody else has taken in half a failover.
        """
        if self._leaving or not (self._with_kcl or self.settled):
            return []
        open_to_me = self._open_to_me(readable)
        named = [name for name in open_to_me if self._owner(name) == self.me]
        if named:
            return [self._take(name) for name in named]
        counts = self._counts()
        mine = counts.pop(self.me)
        overdue = [name for name in open_to_me if self._watched[name].available_seconds >= self.failover / 2]
        part = max(my_part(len(open_to_me), mine, counts.values()), len(overdue))
        self._rng.shuffle(open_to_me)
        open_to_me.sort(key=lambda name: name not in overdue)
        return [self._take(name) for name in open_to_me[: min(part, AT_ONCE)]]

    def _open_to_me(self, readable: Collection[str]) -> list[str]:
        return [
            name
            for name in readable
            if name in self._watched
            and name not in self._mine
            and not self._watched[name].seen.ended
            and self._owner(name) in (None, self.me)
        ]

    def _take(self, shard_id: str) -> Take:
        seen = self._watched[shard_id].seen
        return Take(shard_id, seen.counter, seen.owner)

    def declined(self) -> list[Take]:
        """Leases that were given to me while I leave: each is to be given to its :meth:`successor` at once."""
        if not self._leaving:
            return []
        given = [name for name, one in self._watched.items() if one.owner == self.me and not one.seen.ended]
        return [self._take(name) for name in given if name not in self._mine]

    def asks(self, readable: Collection[str], now: float) -> list[Asking]:
        """What to write on leases of others: new asks, asks that go on, and asks to take back.

        New ones only when nothing is free or expired. What the table answers is entered by :meth:`saw`, as with every write.
        """
        counts = self._counts()
        kept, writes = self._old_asks(counts, now)
        if not self._leaving and not self._open_to_me(readable):
            writes += self._new_asks(readable, counts, kept, now)
        return writes

    def _old_asks(self, counts: Counter[str], now: float) -> tuple[int, list[Asking]]:
        """How many asks of mine go on, and what to write for them and for those that do not."""
        mine = [name for name, one in self._watched.items() if one.seen.asked and one.seen.asked.by == self.me]
        for name in self._asking.keys() - mine:
            del self._asking[name]
        kept, writes = 0, []
        allowed = self._may_ask_for(counts)
        for name in mine:
            since = self._asking.setdefault(name, _Since(now, now))
            owner = self._owner(name)
            if owner in (None, self.me):
                continue
            if kept < allowed and self._goes_on(name, since, now):
                kept += 1
                if now - since.beaten < self.failover / RENEWALS:
                    continue
                since.beaten = now
                writes.append(self._asked(name, self._next_ask(name)))
            else:
                writes.append(self._asked(name, None))
        return kept, writes

    def _goes_on(self, name: str, since: _Since, now: float) -> bool:
        if now - since.asked < self._patience:
            return True
        self._avoided[name] = now + self._patience
        self._patience = min(2 * self._patience, MOST_PATIENCE_SECONDS)
        return False

    def _may_ask_for(self, counts: Counter[str]) -> int:
        if self._leaving:
            return 0
        most = max((count for owner, count in counts.items() if owner.startswith(OURS)), default=0)
        return may_ask_for(self._total(), len(counts), counts[self.me], most)

    def _total(self) -> int:
        return sum(1 for name, one in self._watched.items() if not one.seen.ended and self._owner(name))

    def _new_asks(self, readable: Collection[str], counts: Counter[str], kept: int, now: float) -> list[Asking]:
        allowed = min(self._may_ask_for(counts) - kept, AT_ONCE)
        expected = self._as_if_obeyed(counts)
        candidates = self._candidates(readable, now)
        writes: list[Asking] = []
        while len(writes) < allowed and candidates:
            owner = max(candidates, key=lambda name: expected[name])
            if not uneven(expected[owner], expected[self.me]):
                break
            name = candidates[owner].pop()
            if not candidates[owner]:
                del candidates[owner]
            writes.append(self._asked(name, self._next_ask(name)))
            expected[owner] -= 1
            expected[self.me] += 1
        return writes

    def _as_if_obeyed(self, counts: Counter[str]) -> Counter[str]:
        """What everybody will have when all asks are obeyed."""
        expected = counts.copy()
        for name, one in self._watched.items():
            owner = self._owner(name)
            if one.asked and owner and owner != one.asked.by and not one.seen.ended:
                expected[owner] -= 1
                expected[one.asked.by] += 1
        return expected

    def _candidates(self, readable: Collection[str], now: float) -> dict[str, list[str]]:
        """Leases that I may ask for, by owner, each owner's in random order."""
        names = [name for name in readable if self._may_be_asked_for(name, now)]
        self._rng.shuffle(names)
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(self._watched[name].seen.owner or "", []).append(name)
        return found

    def _may_be_asked_for(self, name: str, now: float) -> bool:
        one = self._watched.get(name)
        if one is None or one.seen.ended or one.seen.checkpoint_owner or one.asked:
            return False
        owner = one.owner
        if owner is None or owner == self.me or not owner.startswith(OURS) or owner in self._leavers:
            return False
        return self._avoided.get(name, now) <= now

    def _asked(self, name: str, ask: Ask | None) -> Asking:
        seen = self._watched[name].seen
        return Asking(name, seen.owner or "", seen.asked, ask)

    def _next_ask(self, name: str) -> Ask:
        before = self._watched[name].seen.asked
        return Ask(self.me, before.beat + 1 if before else 0)

    # What to give away.

    def wanted(self) -> frozenset[str]:
        """Those of my leases that are to be handed over. One that was wanted once stays so until it is given or lost.

        An ask is obeyed as long as it makes the shares more even in my eyes: when several ask, or with an old view, for too much,
        the others are passed over.
        """
        counts = self._counts()
        counts[self.me] -= len(self._wanted)
        for asker in self._wanted.values():
            counts[asker] += 1
        for name in self._mine.keys() - self._wanted.keys():
            if self._watched[name].seen.checkpoint_owner == self.me:
                self._wanted[name] = self._watched[name].seen.owner or ""
        asked = {name: by for name in self._mine.keys() - self._wanted.keys() if (by := self._asker(name))}
        while asked:
            name = min(asked, key=lambda name: (counts[asked[name]], name))
            if not uneven(counts[self.me], counts[asked[name]]):
                break
            self._wanted[name] = asked.pop(name)
            counts[self.me] -= 1
            counts[self._wanted[name]] += 1
        return frozenset(self._wanted)

    def _asker(self, name: str) -> str | None:
        one = self._watched.get(name)
        if one is None or one.asked is None or one.asked.by == self.me or one.asked.by in self._leavers:
            return None
        return one.asked.by

    def successor(self, shard_id: str) -> str | None:
        """To whom a lease of mine goes when it is released; None: to nobody.

        To whoever asked for it, else to the live replica with the fewest leases that is not leaving. It counts as given at once,
        so that several that are released together go to several.
        """
        self._promised.pop(shard_id, None)
        chosen = self._next_owner(shard_id)
        if chosen:
            self._promised[shard_id] = chosen
        return chosen

    def _next_owner(self, shard_id: str) -> str | None:
        one = self._watched.get(shard_id)
        if one and one.seen.checkpoint_owner == self.me and one.seen.owner:
            return one.seen.owner
        asker = self._asker(shard_id)
        if asker:
            return asker
        counts = {
            owner: count for owner, count in self._counts().items() if owner != self.me and owner.startswith(OURS)
        }
        fewest = min(counts.values(), default=0)
        among = sorted(owner for owner, count in counts.items() if count == fewest)
        return self._rng.choice(among) if among else None
