"""Which leases of others a replica asks for, when all have an owner and others have more. A decider.

An ask is itself a small lease: it counts as long as its beat moves. So an ask of a replica that died is forgotten like everything
else of it, and a replica without any lease, which only asks, is seen to live.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.leases.balance import may_ask_for, uneven
from pollers.leases.held import RENEWALS
from pollers.leases.pace import AT_ONCE
from pollers.leases.seen import OURS, Ask

if TYPE_CHECKING:
    import random
    from collections import Counter
    from collections.abc import Collection

    from pollers.leases.view import View

PATIENCE_FAILOVERS = 3.0
"""After how many failovers an ask that is not answered is withdrawn, at first. Twice as long after each such ask."""
MOST_PATIENCE_SECONDS = 900.0
"""The longest that a batch may run, so that no ask need wait longer."""


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
class _Since:
    asked: float
    beaten: float


class Asker:
    """The asks of one replica: at most one on each lease, and only for as many as it is to have when all are balanced."""

    def __init__(self, view: View, rng: random.Random) -> None:
        self._view = view
        self._rng = rng
        self._asking: dict[str, _Since] = {}
        self._avoided: dict[str, float] = {}
        self._patience = self._first_patience

    @property
    def _first_patience(self) -> float:
        return min(self._view.failover * PATIENCE_FAILOVERS, MOST_PATIENCE_SECONDS)

    def answered(self, shard_id: str) -> None:
        """A lease came to me."""
        if self._asking.pop(shard_id, None):
            self._patience = self._first_patience
            self._avoided.clear()

    def writes(self, readable: Collection[str], now: float) -> list[Asking]:
        """New asks, asks that go on, and asks to take back."""
        view = self._view
        counts = view.counts()
        allowed = 0 if view.leaving else self._may_ask_for(counts)
        kept, writes = self._old(counts, allowed, now)
        if kept < allowed and not view.open_to_me(readable):
            writes += self._new(readable, counts, min(allowed - kept, AT_ONCE), now)
        return writes

    def _may_ask_for(self, counts: Counter[str]) -> int:
        most = max((count for owner, count in counts.items() if owner.startswith(OURS)), default=0)
        return may_ask_for(self._view.owned(), len(counts), counts[self._view.me], most)

    def _old(self, counts: Counter[str], allowed: int, now: float) -> tuple[int, list[Asking]]:
        """How many asks of mine go on, and what to write for them and for the others."""
        kept, writes, if_obeyed = 0, [], counts.copy()
        for name in self._outstanding(counts):
            since = self._asking.setdefault(name, _Since(now, now))
            owner = self._view.watched[name].seen.owner or ""
            if kept >= allowed or not self._goes_on(name, owner, if_obeyed, now):
                writes.append(self._asked(name, None))
                continue
            kept += 1
            if_obeyed[owner] -= 1
            if_obeyed[self._view.me] += 1
            if now - since.beaten >= self._view.failover / RENEWALS:
                since.beaten = now
                writes.append(self._asked(name, self._next_ask(name)))
        return kept, writes

    def _outstanding(self, counts: Counter[str]) -> list[str]:
        """Leases of others with an ask of mine, those of the most loaded first."""
        me, watched = self._view.me, self._view.watched
        found = [name for name, one in watched.items() if one.seen.asked and one.seen.asked.by == me]
        for name in self._asking.keys() - found:
            del self._asking[name]
        others = [name for name in found if self._view.owner(name) not in (None, me)]
        return sorted(others, key=lambda name: -counts[watched[name].seen.owner or ""])

    def _goes_on(self, name: str, owner: str, counts: Counter[str], now: float) -> bool:
        if owner not in self._view.leavers and not uneven(counts[owner], counts[self._view.me]):
            return False
        if now - self._asking[name].asked < self._patience:
            return True
        self._avoided[name] = now + self._patience
        self._patience = min(2 * self._patience, MOST_PATIENCE_SECONDS)
        return False

    def _new(self, readable: Collection[str], counts: Counter[str], at_most: int, now: float) -> list[Asking]:
        """Asks for leases of whoever has the most, as long as that makes the shares more even."""
        me, expected = self._view.me, self._view.as_if_obeyed(counts)
        candidates = self._candidates(readable, now)
        writes: list[Asking] = []
        while len(writes) < at_most and candidates:
            owner = max(candidates, key=lambda name: expected[name])
            if not uneven(expected[owner], expected[me]):
                break
            name = candidates[owner].pop()
            if not candidates[owner]:
                del candidates[owner]
            writes.append(self._asked(name, self._next_ask(name)))
            expected[owner] -= 1
            expected[me] += 1
        return writes

    def _candidates(self, readable: Collection[str], now: float) -> dict[str, list[str]]:
        """Leases that I may ask for, by owner. Owners and leases in random order, so that not all ask the same one."""
        names = [name for name in readable if self._may_be_asked_for(name, now)]
        self._rng.shuffle(names)
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(self._view.watched[name].seen.owner or "", []).append(name)
        return found

    def _may_be_asked_for(self, name: str, now: float) -> bool:
        one = self._view.watched.get(name)
        if one is None or one.seen.ended or one.seen.checkpoint_owner or one.asked:
            return False
        owner = self._view.owner(name)
        if owner is None or owner == self._view.me or not owner.startswith(OURS) or owner in self._view.leavers:
            return False
        return self._avoided.get(name, now) <= now

    def _asked(self, name: str, ask: Ask | None) -> Asking:
        seen = self._view.watched[name].seen
        return Asking(name, seen.owner or "", seen.asked, ask)

    def _next_ask(self, name: str) -> Ask:
        before = self._view.watched[name].seen.asked
        return Ask(self._view.me, before.beat + 1 if before else 0)
