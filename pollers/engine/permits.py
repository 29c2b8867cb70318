"""Permits: the right to one concurrent invocation of a function, shared fairly by its callers (docs/design, decision 3).

A permit comes before the work that it is for: nothing is received that cannot be run. Permits are counted, not objects. Who
holds one has to give it back on every way out, also when it is cancelled; the owner of a :class:`Share` closes it at its end,
which gives back what a task that died has left behind. Everything here runs on one event loop, and nothing between two lines
of it is awaited unless an ``await`` stands there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import anyio


class Claim(Protocol):
    """One caller's end of a function's permits.

    A caller is never granted more than its own limit (a mapping's maximum concurrency), all callers of a function together never
    more than the function's concurrency. Both may fall below what is held already. Waiting callers are served in turn.
    """

    @property
    def limit(self) -> int:
        """How many permits this caller may hold at most."""

    @property
    def held(self) -> int:
        """How many it holds now."""

    @property
    def available(self) -> int:
        """How many :meth:`try_acquire` would take now, one after the other."""

    @property
    def contended(self) -> bool:
        """Whether another caller waits for a permit of the same function."""

    async def acquire(self, *, urgent: bool = False) -> None:
        """Wait for a permit. ``urgent`` goes before all who wait without it: for work that is already held."""

    def try_acquire(self) -> bool:
        """Take a permit if one is free and nobody waits."""

    def release(self) -> None:
        """Give one back."""


@dataclass(eq=False, slots=True)
class _Waiter:
    since: int
    urgent: bool
    granted: anyio.Event = field(default_factory=anyio.Event)


class Permits:
    """One function's permits. Each caller of the function takes a :class:`Share` of them.

    A free permit goes to an urgent waiter before any other; among equals to the caller that holds the fewest, and then to who
    waits longest. So callers that all want more end up with equal shares, whatever their invocations take. A caller that urgent
    waiters were preferred to ``PATIENCE`` times in a row comes next all the same: urgency never starves anybody.
    """

    PATIENCE = 8

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._held = 0
        self._shares: list[Share] = []
        self._turn = 0
        self._passed_over = 0

    @property
    def concurrency(self) -> int:
        """How many permits there are."""
        return self._concurrency

    def resize(self, concurrency: int) -> None:
        """There are more permits, or fewer, from now on; 0 for none.

        Nobody loses one that it holds: where more are held than there are, none is granted until enough have come back.
        """
        if concurrency < 0:
            raise ValueError(f"{concurrency} permits: there cannot be fewer than none")
        self._concurrency = concurrency
        self._hand_out()

    @property
    def held(self) -> int:
        """How many all callers hold together."""
        return self._held

    def claim(self, maximum: int | None = None) -> Share:
        """A new caller's claim to permits, at most ``maximum`` at a time."""
        share = Share(self, maximum)
        self._shares.append(share)
        return share

    def _take(self, share: Share) -> None:
        self._held += 1
        share._held += 1

    def _hand_out(self) -> None:
        """Grant what can be granted. Afterwards no permit is free, or who waits is at its own limit.

        Called after everything that frees a permit. ``try_acquire`` rests on it: as long as this holds, a free permit is one
        that no waiter could use, so nobody is overtaken by taking it.
        """
        while self._held < self._concurrency and (share := self._next()) is not None:
            waiter = share._pop()
            # Counted for the waiter before its task runs: until then, others would see the permit as free and take it.
            self._take(share)
            waiter.granted.set()

    def _next(self) -> Share | None:
        """Whose first waiter is granted the next permit."""
        waiting = [share for share in self._shares if share._waiting and share._held < share.limit]
        if not waiting:
            return None
        # A share's urgent waiters stand before its others, so its first one says whether it has any.
        urgent = [share for share in waiting if share._waiting[0].urgent]
        patient = [share for share in waiting if not share._waiting[0].urgent]
        if urgent and patient and self._passed_over < self.PATIENCE:
            self._passed_over += 1
        else:
            # Nobody is passed over, or the patient ones have been for long enough and are served now.
            self._passed_over = 0
            urgent = urgent if not patient else []
        # The fewest held comes before the longest wait: with long invocations, turns alone would keep whatever shares there were.
        return min(urgent or patient, key=lambda share: (share._held, share._waiting[0].since))


class Share:
    """One caller's :class:`Claim` to the permits of a function."""

    def __init__(self, permits: Permits, maximum: int | None) -> None:
        self._permits = permits
        self._maximum = maximum
        self._held = 0
        self._waiting: deque[_Waiter] = deque()

    @property
    def limit(self) -> int:
        """How many permits this caller may hold at most."""
        concurrency = self._permits._concurrency
        return concurrency if self._maximum is None else min(self._maximum, concurrency)

    @property
    def held(self) -> int:
        """How many it holds now."""
        return self._held

    @property
    def available(self) -> int:
        """How many are free, up to this caller's limit. None is free while anybody waits who could use it."""
        permits = self._permits
        return max(0, min(permits._concurrency - permits._held, self.limit - self._held))

    @property
    def contended(self) -> bool:
        """Whether another caller waits for a permit of the same function, and not for one of its own to come back."""
        return any(share._waiting and share._held < share.limit for share in self._permits._shares if share is not self)

    async def acquire(self, *, urgent: bool = False) -> None:
        """Wait for a permit. When it is cancelled, none is held."""
        if self.try_acquire():
            return
        waiter = _Waiter(self._permits._turn, urgent)
        self._permits._turn += 1
        self._enqueue(waiter)
        try:
            await waiter.granted.wait()
        except BaseException:
            # The grant and the cancellation may come in the same turn of the loop. A permit that was granted and is not used
            # goes on to the next waiter. A waiter that had none just leaves: that frees nothing, so nobody's turn comes by it.
            if waiter.granted.is_set():
                self.release()
            else:
                self._waiting.remove(waiter)
            raise

    def try_acquire(self) -> bool:
        """Take a permit if one is free and nobody waits who could use it."""
        if self._permits._held >= self._permits._concurrency or self._held >= self.limit:
            return False
        self._permits._take(self)
        return True

    def release(self) -> None:
        """Give one back, to who is next."""
        if self._held <= 0:
            # Silently, the count would drift below the truth, and more would run than the function allows.
            raise RuntimeError("a permit is given back that is not held")
        self._held -= 1
        self._permits._held -= 1
        self._permits._hand_out()

    def close(self) -> None:
        """Leave: whatever is still held goes back. For when the caller ends."""
        if self in self._permits._shares:
            self._permits._shares.remove(self)
            self._permits._held -= self._held
            self._held = 0
            self._permits._hand_out()

    def _enqueue(self, waiter: _Waiter) -> None:
        """Urgent ones before the others, each kind in the order that it came."""
        if not waiter.urgent:
            self._waiting.append(waiter)
            return
        ahead = sum(1 for other in self._waiting if other.urgent)
        self._waiting.insert(ahead, waiter)

    def _pop(self) -> _Waiter:
        return self._waiting.popleft()
