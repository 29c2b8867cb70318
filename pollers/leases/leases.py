"""Who reads which shard: what one replica takes, asks for, gives away and believes of the others (docs/replicas.md). A decider.

Replicas know each other only by what they write on leases. Every write of an owner expects the counter and the owner that it knows,
so however wrong a view is, at most one of two rivals succeeds. This class decides what to try.

Times are seconds of a monotonic clock that goes on while the machine is suspended. ``at`` is always from before the request,
``now`` from after the reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.leases.asking import Asker, Asking
from pollers.leases.balance import my_part, uneven
from pollers.leases.held import Held
from pollers.leases.looking import whole_look_due
from pollers.leases.pace import Pace
from pollers.leases.seen import OURS
from pollers.leases.view import View

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Iterable

    from pollers.leases.seen import Seen

__all__ = ["Asking", "Leases", "Take"]


@dataclass(frozen=True, slots=True)
class Take:
    """Take a lease: expects ``counter`` and ``owner`` (None: it has none), writes the next counter and me, and drops any ask."""

    shard_id: str
    counter: int
    owner: str | None


class Leases:
    """The leases of one mapping as one replica sees them. ``me`` is its owner id, another one for each opening."""

    def __init__(self, me: str, failover: float, rng: random.Random, *, with_kcl: bool = False) -> None:
        self.me = me
        self.failover = failover
        self._rng = rng
        self._with_kcl = with_kcl
        self._view = View(me, failover)
        self._held = Held(failover, rng)
        self._asks = Asker(self._view, rng)
        self._pace = Pace()
        self._scanned_at = float("-inf")
        self._lost: set[str] = set()
        self._wanted: dict[str, str] = {}

    # What was seen.

    def scanned(self, items: Iterable[Seen], at: float, now: float) -> None:
        """A complete scan. Leases that it lacks are forgotten, unless they are mine or were seen since it began."""
        found = list(items)
        self._scanned_at = max(self._scanned_at, at)
        self._pace.passed(now)
        self._view.scanned(found, at, now)
        for item in found:
            self._notice_loss(item.shard_id)

    def whole_look_due(self, readable: Iterable[str], now: float) -> bool:
        """Whether the next look is to be one at the whole table, and not only at what names me (pollers.leases.looking)."""
        return whole_look_due(self._view, readable, now - self._scanned_at)

    def saw(self, item: Seen, at: float, now: float) -> None:
        """One lease, as a read showed it, or a write of ours that worked or was refused."""
        self._pace.passed(now)
        self._view.saw(item, at, now)
        self._notice_loss(item.shard_id)

    def _notice_loss(self, shard_id: str) -> None:
        mine = self._held.leases.get(shard_id)
        if mine is None:
            return
        seen = self._view.watched[shard_id].seen
        if seen.counter >= mine.counter and seen.taken_by != self.me:
            self._drop(shard_id)
            self._lost.add(shard_id)

    def gone(self, shard_id: str) -> None:
        """There is no such lease in the table. One of mine is lost with it."""
        self._view.watched.pop(shard_id, None)
        if shard_id in self._held.leases:
            self._drop(shard_id)
            self._lost.add(shard_id)

    # What is mine.

    def took(self, item: Seen, at: float, now: float) -> None:
        """A take worked, or a renewal or save of mine did: ``item`` is the table's reply, or what a read showed when that was lost.

        ``at`` is from before the write; when replies were lost, from before the first that may have worked. The lease is mine from
        then on, for a failover.
        """
        self._pace.passed(now)
        if item.shard_id not in self._view.mine and self._view.owner(item.shard_id) != self.me:
            self._pace.took()
        self._lost.discard(item.shard_id)
        self._view.mine.add(item.shard_id)
        self._held.renewed(item.shard_id, item.counter, at)
        self._asks.answered(item.shard_id)
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
        self._held.leases.pop(shard_id, None)
        self._view.mine.discard(shard_id)
        self._view.promised.pop(shard_id, None)
        self._wanted.pop(shard_id, None)

    @property
    def mine(self) -> frozenset[str]:
        """The leases that are mine as far as I know, in time or not."""
        return frozenset(self._held.leases)

    @property
    def lost(self) -> frozenset[str]:
        """Leases that were mine and were seen with another, until :meth:`dropped` or a new take."""
        return frozenset(self._lost)

    def counter(self, shard_id: str) -> int:
        """The counter that my next write of this lease expects. Raises KeyError when it is not mine."""
        return self._held.leases[shard_id].counter

    def until(self, shard_id: str) -> float:
        """When others may take it: something may be started under it before, and not any more then. -inf when it is not mine."""
        return self._held.until(shard_id)

    def in_time(self, shard_id: str, now: float) -> bool:
        """Whether something may be started under this lease now."""
        return now < self._held.until(shard_id)

    def due(self, now: float) -> list[str]:
        """The leases of mine that have to be renewed now, the oldest first."""
        return self._held.due(now)

    def next_due(self) -> float | None:
        """When the next lease has to be renewed; None when there is none."""
        return self._held.next_due()

    # What the others do.

    def elsewhere(self, shard_ids: Collection[str]) -> frozenset[str]:
        """Those of these shards that another live owner has."""
        mine = self._held.leases
        return frozenset(
            name for name in shard_ids if name not in mine and self._view.owner(name) not in (None, self.me)
        )

    def quiet(self, shard_id: str) -> bool:
        """Whether its counter was seen to stand still for a failover, so that everybody has seen what was written last."""
        return self._view.quiet(shard_id)

    def foreign(self) -> tuple[str, ...]:
        """Owners that are not replicas of Headrace and are alive: a counter of theirs was seen to move."""
        return self._view.foreign()

    @property
    def settled(self) -> bool:
        """Whether it is known of every foreign owner in the table if it lives: nothing is taken before, lest it be a rival."""
        return self._view.settled

    # What to do.

    def leave(self) -> None:
        """Take nothing and ask for nothing any more."""
        self._view.leaving = True

    @property
    def leaving(self) -> bool:
        """Whether this replica is about to stop; its owner id is then written as ``leaving`` with every write."""
        return self._view.leaving

    def takes(self, readable: Collection[str]) -> list[Take]:
        """The leases to take now. Call it again after the answers were entered, until it is empty or a call has failed.

        First what was given to me; then of what is free or expired what falls to me, at random, so that replicas that start at
        the same time seldom try for the same one; and whatever nobody else has taken in half a failover. More may follow at the
        next look (see :mod:`pollers.leases.pace`).
        """
        view = self._view
        if view.leaving or not (self._with_kcl or view.settled):
            return []
        free = view.open_to_me(readable)
        if not free:
            return []
        given = [name for name in free if view.owner(name) == self.me]
        if given:
            return [self._take(name) for name in given]
        counts = view.counts()
        overdue = {name for name in free if view.available_seconds(name) >= self.failover / 2}
        part = max(my_part(len(free), counts.pop(self.me), counts.values()), len(overdue))
        self._rng.shuffle(free)
        free.sort(key=lambda name: name not in overdue)
        return [self._take(name) for name in free[: min(part, self._pace.left)]]

    def _take(self, shard_id: str) -> Take:
        seen = self._view.watched[shard_id].seen
        return Take(shard_id, seen.counter, seen.owner)

    def declined(self) -> list[Take]:
        """What was given to me while I leave, or to others that leave, who may be gone: it goes to its :meth:`successor`."""
        return [self._take(name) for name in self._view.given_to_leavers()] if self.leaving else []

    def asks(self, readable: Collection[str], now: float) -> list[Asking]:
        """What to write on leases of others: new asks, asks that go on, and asks to take back. Called once a look.

        New ones only when nothing is free or expired. What the table answers is entered by :meth:`saw`, as with every write.
        """
        self._pace.passed(now)
        return self._asks.writes(readable, now)

    # What to give away.

    def wanted(self) -> frozenset[str]:
        """Those of my leases that are to be handed over. One that was wanted once stays so until it is given or lost.

        An ask is obeyed as long as it makes the shares more even in my eyes: when several ask, or with an old view, for too much,
        the others are passed over. What the Kinesis Client Library 3 moves away is always handed over.
        """
        view, rest = self._view, self._held.leases.keys() - self._wanted.keys()
        for name in rest:
            if view.watched[name].seen.checkpoint_owner == self.me:
                self._wanted[name] = view.watched[name].seen.owner or ""
        asked = {name: by for name in rest - self._wanted.keys() if (by := view.asker(name))}
        if asked:
            self._obey(asked)
        return frozenset(self._wanted)

    def _obey(self, asked: dict[str, str]) -> None:
        counts = self._view.counts()
        for name, asker in self._wanted.items():
            if name not in self._view.promised:
                counts[self.me] -= 1
                counts[asker] += 1
        while asked:
            name = min(asked, key=lambda name: (counts[asked[name]], name))
            asker = asked.pop(name)
            if not uneven(counts[self.me], counts[asker]):
                break
            self._wanted[name] = asker
            counts[self.me] -= 1
            counts[asker] += 1

    def successor(self, shard_id: str) -> str | None:
        """To whom a lease goes that is released or declined; None: to nobody.

        To whoever asked for it, else to the live replica with the fewest leases that is not leaving. It counts as given at once,
        so that several that are released together go to several.
        """
        self._view.promised.pop(shard_id, None)
        chosen = self._next_owner(shard_id)
        if chosen:
            self._view.promised[shard_id] = chosen
        return chosen

    def keeps(self, shard_id: str) -> None:
        """It stays mine, or is mine again: the release was refused, and nobody gets what a successor was named for."""
        self._view.promised.pop(shard_id, None)

    def _next_owner(self, shard_id: str) -> str | None:
        one = self._view.watched.get(shard_id)
        if one and one.seen.checkpoint_owner == self.me and one.seen.owner:
            return one.seen.owner
        asker = self._view.asker(shard_id)
        if asker:
            return asker
        counts = {
            name: count for name, count in self._view.counts().items() if name != self.me and name.startswith(OURS)
        }
        fewest = min(counts.values(), default=0)
        among = sorted(owner for owner, count in counts.items() if count == fewest)
        return self._rng.choice(among) if among else None
