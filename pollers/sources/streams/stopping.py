"""How the tasks of one shard or poller are stopped: waits end at once, running invocations only when hurried."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stopping:
    """Two steps, each taken once: ``stop`` ends what merely waits, ``hurry`` also what runs (docs/design, decision 9)."""

    def __init__(self) -> None:
        self.stopped = False
        self.hurried = False
        self._waits: set[anyio.CancelScope] = set()
        self._runs: set[anyio.CancelScope] = set()

    def stop(self) -> None:
        """No wait goes on."""
        self.stopped = True
        for scope in self._waits:
            scope.cancel()

    def hurry(self) -> None:
        """Nothing goes on."""
        self.stop()
        self.hurried = True
        for scope in self._runs:
            scope.cancel()

    @contextmanager
    def waiting(self) -> Iterator[anyio.CancelScope]:
        """What is awaited inside is cut short by ``stop``: sleeps, permits, reads."""
        with self._scope(self._waits, cancelled=self.stopped) as scope:
            yield scope

    @contextmanager
    def running(self) -> Iterator[anyio.CancelScope]:
        """What is awaited inside is cut short by ``hurry``: invocations, deliveries."""
        with self._scope(self._runs, cancelled=self.hurried) as scope:
            yield scope

    @staticmethod
    @contextmanager
    def _scope(scopes: set[anyio.CancelScope], *, cancelled: bool) -> Iterator[anyio.CancelScope]:
        with anyio.CancelScope() as scope:
            scopes.add(scope)
            if cancelled:
                scope.cancel()
            try:
                yield scope
            finally:
                scopes.discard(scope)

    async def sleep(self, seconds: float) -> None:
        """Sleep, or less when stopped. A time that has passed already (less than 0) is no wait."""
        with self.waiting():
            await anyio.sleep(max(0.0, seconds))
