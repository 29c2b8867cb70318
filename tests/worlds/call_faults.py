"""What happens around the calls of a service in memory: they take their time, fail before they have an effect, or lose their reply.

Every service of these worlds awaits :class:`Faults` before and after each call, whatever kind of service it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable


class Faults(Protocol):
    """What happens around a call: awaited before it (may raise, may wait) and after it (may raise: the reply is lost)."""

    async def before(self, operation: str) -> None: ...

    async def after(self, operation: str) -> None: ...


class NoFaults:
    """Every call succeeds after a short while."""

    async def before(self, operation: str) -> None:
        """Take a little time."""
        await anyio.sleep(0.005)

    async def after(self, operation: str) -> None:
        """Nothing is lost."""


class AtOnce(NoFaults):
    """Every call succeeds in no time, but lets other tasks run first."""

    async def before(self, operation: str) -> None:
        """Take no time."""
        await anyio.lowlevel.checkpoint()


class Failing(NoFaults):
    """Calls of some operations fail, each so many times. ``lost``: they have their effect first."""

    def __init__(self, error: Exception, *operations: str, times: int = 1_000_000, lost: bool = False) -> None:
        self.error = error
        self.left = dict.fromkeys(operations, times)
        self.lost = lost

    async def before(self, operation: str) -> None:
        """Fail before anything has happened."""
        await super().before(operation)
        if not self.lost:
            self._fail(operation)

    async def after(self, operation: str) -> None:
        """Lose the reply."""
        if self.lost:
            self._fail(operation)

    def _fail(self, operation: str) -> None:
        if self.left.get(operation, 0):
            self.left[operation] -= 1
            raise self.error


class EveryNth(NoFaults):
    """Every n-th call of each operation fails, from the first one on. ``lost``: they have their effect first."""

    def __init__(self, make_error: Callable[[], Exception], every: int, *, lost: bool = False) -> None:
        self._make_error = make_error
        self._every = every
        self._lost = lost
        self._calls: dict[str, int] = {}
        self.failed = 0

    async def before(self, operation: str) -> None:
        """Count the call; perhaps fail before anything has happened."""
        await super().before(operation)
        self._calls[operation] = self._calls.get(operation, 0) + 1
        if not self._lost:
            self._fail(operation)

    async def after(self, operation: str) -> None:
        """Perhaps lose the reply."""
        if self._lost:
            self._fail(operation)

    def _fail(self, operation: str) -> None:
        if self._calls.get(operation, 0) % self._every == 1:
            self.failed += 1
            raise self._make_error()
