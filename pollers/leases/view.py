"""What one replica believes of all leases of a mapping, its own among them. A decider."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pollers.leases.looking import given_seconds
from pollers.leases.seen import OURS, Watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.leases.seen import Seen


class View:
    """Every lease as it was seen last, and what follows: who lives, and who has how many.

    ``me`` is the replica's owner id. Times are as :class:`pollers.leases.leases.Leases` has them.
    """

    def __init__(self, me: str, failover: float) -> None:
        self.me = me
        self.failover = failover
        self.watched: dict[str, Watched] = {}
        self.promised: dict[str, str] = {}
        """To whom leases go that are being given away: they count as theirs."""
        self.mine: set[str] = set()
        """Those that I have as far as I know, however long nobody has seen their counters move."""
        self.leavers: set[str] = set()
        """Owners that are about to stop. An owner id is used once, so they never come back."""
        self.leaving = False
        """Whether I am one."""

    def scanned(self, items: Iterable[Seen], at: float, now: float) -> None:
        """A complete scan. Leases that it lacks are forgotten, unless they are mine or were seen since it began."""
        found = set()
        for item in items:
            found.add(item.shard_id)
            self.saw(item, at, now)
        for shard_id in self.watched.keys() - found - self.mine:
            if self.watched[shard_id].looked < at:
                del self.watched[shard_id]
        named = {name for one in self.watched.values() for name in (one.seen.holder, one.seen.leaving)}
        self.leavers &= {name for name in named if name}

    def saw(self, item: Seen, at: float, now: float) -> Watched:
        """One lease was seen."""
        watched = self.watched.get(item.shard_id)
        if watched is None:
            watched = self.watched[item.shard_id] = Watched(item, self.failover, now)
        else:
            watched.look(item, at, now)
        if item.leaving:
            self.leavers.add(item.leaving)
        return watched

    def owner(self, shard_id: str) -> str | None:
        """Whose it is, or to whom it goes; None when anybody may take it, or it is not in the table."""
        if shard_id in self.promised:
            return self.promised[shard_id]
        if shard_id in self.mine:
            return self.me
        watched = self.watched.get(shard_id)
        if watched is None or watched.silent_seconds >= self._patience(watched):
            return None
        return watched.owner

    def _patience(self, watched: Watched) -> float:
        """How long a lease waits for its owner. Whoever was given one and has not taken it may start nothing under it, so it waits
        only for the next looks of that one; and not at all for one that is leaving, which takes nothing any more."""
        if watched.seen.holder is None:
            return 0.0
        if not watched.seen.given:
            return self.failover
        return 0.0 if watched.owner in self.leavers else given_seconds(len(self.watched), self.failover)

    def available_seconds(self, shard_id: str) -> float:
        """For how long anybody might have taken it."""
        watched = self.watched[shard_id]
        return max(0.0, watched.silent_seconds - self._patience(watched))

    def counts(self) -> Counter[str]:
        """How many unended leases every worker has: those that own some or ask for some, and me; nobody who is leaving."""
        counts: Counter[str] = Counter()
        if not self.leaving:
            counts[self.me] = 0
        for shard_id, watched in self.watched.items():
            if watched.seen.ended:
                continue
            owner = self.owner(shard_id)
            if owner:
                counts[owner] += 1
            if watched.asked:
                counts[watched.asked.by] += 0
        for leaver in self.leavers:
            del counts[leaver]
        return counts

    def as_if_obeyed(self, counts: Counter[str]) -> Counter[str]:
        """What everybody has when all asks will have been obeyed."""
        expected = counts.copy()
        for shard_id, one in self.watched.items():
            if one.asked and not one.seen.ended:
                owner = self.owner(shard_id)
                if owner and owner != one.asked.by:
                    expected[owner] -= 1
                    expected[one.asked.by] += 1
        return expected

    def owned(self) -> int:
        """How many unended leases have an owner, leaving or not."""
        return sum(1 for shard_id, one in self.watched.items() if not one.seen.ended and self.owner(shard_id))

    def open_to_me(self, readable: Iterable[str]) -> list[str]:
        """Those of these that I might take: free, expired, or given to me."""
        return [
            name
            for name in readable
            if name not in self.mine
            and name in self.watched
            and not self.watched[name].seen.ended
            and self.owner(name) in (None, self.me)
        ]

    def quiet(self, shard_id: str) -> bool:
        """Whether its counter was not seen to move for a failover."""
        watched = self.watched.get(shard_id)
        return watched is not None and watched.silent_seconds >= self.failover

    def unsure(self, readable: Iterable[str], silent_seconds: float) -> bool:
        """Whether one of these shards is free or only given, or its owner was not seen to renew for so long, or expired."""
        for name in readable:
            one = self.watched.get(name)
            if one is None or name in self.mine or one.seen.ended:
                continue
            if one.seen.holder is None or one.seen.given or one.silent_seconds >= silent_seconds:
                return True
        return False

    def given_to_leavers(self) -> list[str]:
        """Leases that have my name on them, or that of another who leaves, and that were not taken. When I am leaving."""
        return [name for name, one in self.watched.items() if name not in self.mine and self._is_left(one)]

    def _is_left(self, one: Watched) -> bool:
        return not one.seen.ended and (one.owner == self.me or (one.seen.given and one.owner in self.leavers))

    def asker(self, shard_id: str) -> str | None:
        """Who else asks for it, and is there to take it."""
        one = self.watched.get(shard_id)
        if one is None or one.asked is None or one.asked.by == self.me or one.asked.by in self.leavers:
            return None
        return one.asked.by

    def foreign(self) -> tuple[str, ...]:
        """Owners that are not replicas of Headrace and are alive: a counter of theirs was seen to move."""
        found = {one.owner for one in self.watched.values() if one.moved and one.owner}
        return tuple(sorted(owner for owner in found if not owner.startswith(OURS)))

    @property
    def settled(self) -> bool:
        """Whether none of the foreign owners in the table might be alive."""
        return not any(one.owner and not one.owner.startswith(OURS) for one in self.watched.values())
