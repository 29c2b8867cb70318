"""The permits of one SQS mapping: reserved for receives and batches, lent while it merely waits, in use by invocations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pollers.sources.sqs.scaling import Concurrency

if TYPE_CHECKING:
    from pollers.engine.permits import Claim
    from pollers.sources.sqs.context import WakeUp


class Entitlement:
    """Keeps count of permits, so that nothing is received that cannot be run (docs/design, decision 3).

    The way of a permit: :meth:`reserve` takes it from the function before a receive, :meth:`start` turns it into a running
    invocation of what the receive brought, :meth:`finish` gives it back when that ends. ``reserved`` and ``running`` count them.

    A mapping that merely waits, in an idle long poll or for a window to end, lends its permit (:meth:`lend`): it goes back to the
    function so that other mappings do not starve. It is taken again, ahead of all who hold nothing, when there is a batch to
    start; if there is none, :meth:`end_loan` forgets it. ``lent`` is true meanwhile. A mapping lends at most one, so it has at most
    one receive or one unfinished batch that no permit stands behind.
    """

    def __init__(self, claim: Claim, wake_up: WakeUp) -> None:
        self._claim = claim
        self._concurrency = Concurrency()
        self._wake_up = wake_up
        self._wanted = anyio.Event()
        self._urgent = False
        self._acquiring: anyio.CancelScope | None = None
        self.reserved = 0
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
    def awaited(self) -> bool:
        """Whether a permit is waited for in the background."""
        return self._wanted.is_set()

    def obtainable(self, allowed: int) -> int:
        """How many permits :meth:`reserve` could take now, when ``allowed`` are :attr:`allowed`."""
        # The loan counts as one of ours: it is to be taken again. Meanwhile others may have it, so what the claim says counts too.
        room = allowed - self.running - self.reserved - self.lent
        return min(room, self._claim.available) if room > 0 else 0

    def reserve(self, count: int) -> None:
        """Take ``count`` permits more, of those that are obtainable."""
        for _ in range(count):
            if not self._claim.try_acquire():
                raise RuntimeError("a permit is reserved that is not obtainable")
            self.reserved += 1

    def await_one(self, *, urgent: bool = False) -> None:
        """Wait for a permit in the background; it is then reserved and the poller is woken.

        ``urgent``: messages that are held already wait for it. An urgent wish replaces one that was not.
        """
        if self.running + self.reserved >= self.allowed:
            # One of our own has to come back first, and that wakes the poller.
            return
        if urgent and not self._urgent and self._acquiring is not None:
            self._acquiring.cancel()
        self._urgent = self._urgent or urgent
        self._wanted.set()

    def lend(self) -> None:
        """Give a reserved permit back for as long as there is nothing to do but wait."""
        if not self.lent:
            self.lent = True
            self._release()

    def end_loan(self) -> None:
        """The wait is over and brought nothing to run: nothing is lent any more."""
        self.lent = False

    def start(self) -> bool:
        """An invocation begins, on a reserved permit or one that is free; False when there is none (it is then waited for)."""
        if self.running >= self.allowed:
            return False
        if not self.reserved:
            if not self._claim.try_acquire():
                # A mapping that has lent its permit comes before those that never had one, or lending would cost it its turn.
                self.await_one(urgent=self.lent)
                return False
            self.reserved += 1
        self.reserved -= 1
        self.running += 1
        self.lent = False
        return True

    def finish(self) -> None:
        """An invocation ended: its permit goes back to the function."""
        self.running -= 1
        self._claim.release()
        self._wake_up.ring()

    def invocation_succeeded(self) -> None:
        """An invocation did what it should: one more is allowed at a time, up to the limit."""
        self._concurrency.succeeded()

    def invocation_failed(self) -> None:
        """An invocation failed or could not be run: a tenth fewer are allowed at a time."""
        self._concurrency.failed(self._claim.limit)

    def keep(self, needed: int) -> None:
        """Give back what is reserved beyond ``needed``."""
        while self.reserved > needed:
            self._release()

    def close(self) -> None:
        """Give back everything, at the end of all tasks: one that was cancelled before it began has left its permit behind."""
        self.keep(0)
        self.lent = False
        while self.running:
            self.running -= 1
            self._claim.release()

    async def run(self) -> None:
        """Fetch permits that are waited for, until cancelled."""
        while True:
            await self._wanted.wait()
            # An urgent wish cancels the scope while ``_wanted`` stays set: the next turn acquires urgently.
            with anyio.CancelScope() as self._acquiring:
                await self._claim.acquire(urgent=self._urgent)
                self.reserved += 1
                self._wanted = anyio.Event()
                self._urgent = False
                self._wake_up.ring()
            self._acquiring = None

    def _release(self) -> None:
        self.reserved -= 1
        self._claim.release()
