"""The permits of one SQS mapping: in hand for receives and batches, lent while it merely waits, spent on invocations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.engine.permits import Claim
    from pollers.sources.sqs.scaling import Concurrency


class Entitlement:
    """Keeps count of permits, so that nothing is received that cannot be run (docs/design, decision 3).

    A permit is taken before a receive, goes to the invocation of what the receive brings, and is given back when that ends.
    A mapping that merely waits, in an idle long poll or for a window to end, *lends* its permit: it goes back to the function
    so that other mappings do not starve, and is taken again, ahead of all who hold nothing, when there is a batch to run.
    A mapping lends at most one, so it holds at most one receive or one unfinished batch without a permit.
    """

    def __init__(self, claim: Claim, concurrency: Concurrency, wake: Callable[[], None]) -> None:
        self._claim = claim
        self._concurrency = concurrency
        self._wake = wake
        self._wanted = anyio.Event()
        self._urgent = False
        self._waiting: anyio.CancelScope | None = None
        self.in_hand = 0
        self.running = 0
        self.lent = False

    @property
    def limit(self) -> int:
        """The claim's own limit."""
        return self._claim.limit

    @property
    def allowed(self) -> int:
        """Invocations that are allowed at a time: the claim's limit, less while the function keeps failing."""
        return self._concurrency.allowed(self._claim.limit)

    @property
    def contended(self) -> bool:
        """Whether another mapping waits for a permit."""
        return self._claim.contended

    @property
    def waits(self) -> bool:
        """Whether a permit is waited for."""
        return self._wanted.is_set()

    def obtain(self) -> bool:
        """One more permit in hand, if there is a free one."""
        if self.running + self.in_hand + self.lent >= self.allowed or not self._claim.try_acquire():
            return False
        self.in_hand += 1
        return True

    def want(self, *, urgent: bool = False) -> None:
        """Wait for a permit in the background; it comes into hand and the poller is woken."""
        if self.running + self.in_hand >= self.allowed:
            return
        if urgent and not self._urgent and self._waiting is not None:
            self._waiting.cancel()
        self._urgent = self._urgent or urgent
        self._wanted.set()

    def lend(self) -> None:
        """Give the permit in hand back while nothing but waiting is to be done."""
        if not self.lent:
            self.lent = True
            self._release()

    def recall(self) -> None:
        """The wait is over and there is nothing to run: nothing is lent any more."""
        self.lent = False

    def spend(self) -> bool:
        """Turn a permit into a running invocation; False when there is none (it is then waited for)."""
        if self.running >= self.allowed:
            return False
        if not self.in_hand:
            if not self._claim.try_acquire():
                self.want(urgent=self.lent)
                return False
            self.in_hand += 1
        self.in_hand -= 1
        self.running += 1
        self.lent = False
        return True

    def ended(self) -> None:
        """An invocation ended."""
        self.running -= 1
        self._claim.release()
        self._wake()

    def keep(self, needed: int) -> None:
        """Give back what is in hand beyond ``needed``."""
        while self.in_hand > needed:
            self._release()

    def close(self) -> None:
        """Give back everything, at the end of all tasks: one that was cancelled before it began has left its permit behind."""
        self.keep(0)
        self.lent = False
        while self.running:
            self.running -= 1
            self._claim.release()

    async def run(self) -> None:
        """Fetch permits that are wanted, until cancelled."""
        while True:
            await self._wanted.wait()
            with anyio.CancelScope() as self._waiting:
                await self._claim.acquire(urgent=self._urgent)
                self.in_hand += 1
                self._wanted = anyio.Event()
                self._urgent = False
                self._wake()
            self._waiting = None

    def _release(self) -> None:
        self.in_hand -= 1
        self._claim.release()
