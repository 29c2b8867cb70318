"""A checkpoint store that is opened when the first mapping needs it: mappings that the API makes may be the first of a stream."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pollers.checkpoints.store import ForgettingStore, Opened


class StoreWhenNeeded:
    """Implements ``ForgettingStore`` by the store that ``make`` gives, which is entered when a mapping is first opened.

    :meth:`open` raises what entering raises, and tries again when it is asked again. Left with all that it entered.
    ``least_interval_seconds`` is that of the store to come.
    """

    def __init__(self, make: Callable[[], ForgettingStore], *, least_interval_seconds: float = 0.0) -> None:
        self.least_interval_seconds = least_interval_seconds
        self._make = make
        self._store: ForgettingStore | None = None
        self._stack = AsyncExitStack()
        self._opening = anyio.Lock()

    async def open(self, mapping: str, identity: str) -> Opened:
        """See ``CheckpointStore.open``."""
        return await (await self._opened()).open(mapping, identity)

    async def forget(self, mapping: str) -> None:
        """See ``ForgettingStore.forget``."""
        await (await self._opened()).forget(mapping)

    async def _opened(self) -> ForgettingStore:
        async with self._opening:
            if self._store is None:
                store = self._make()
                await self._stack.enter_async_context(store)
                self._store = store
            return self._store

    async def __aenter__(self) -> StoreWhenNeeded:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._store = None
        await self._stack.aclose()
