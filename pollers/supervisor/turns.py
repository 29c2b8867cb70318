"""Who may change what runs: a reload alone, renewals of functions beside one another."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """A lock with two ways in. A renewal that waits for a long invocation keeps back reloads and its own function, nobody else."""

    def __init__(self) -> None:
        self._alone = False
        self._beside: set[str] = set()
        self._changed = anyio.Event()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """With nobody else."""
        while self._alone or self._beside:
            await self._changed.wait()
        self._alone = True
        try:
            yield
        finally:
            self._alone = False
            self._tell()

    @asynccontextmanager
    async def beside(self, name: str) -> AsyncIterator[None]:
        """Beside those of other names."""
        while self._alone or name in self._beside:
            await self._changed.wait()
        self._beside.add(name)
        try:
            yield
        finally:
            self._beside.discard(name)
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
