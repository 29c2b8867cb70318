"""Permits: the right to one concurrent invocation of a function, shared fairly by its mappings (DESIGN decision 3)."""

from __future__ import annotations

from typing import Protocol


class Claim(Protocol):
    """One mapping's end of a function's permits.

    A mapping never holds more than its own limit (maximum concurrency), all mappings of a function together never more than
    the function's concurrency. Waiting mappings are served in turn.
    """

    @property
    def limit(self) -> int:
        """How many permits this mapping may hold at most now."""

    @property
    def held(self) -> int:
        """How many it holds now."""

    @property
    def contended(self) -> bool:
        """Whether another mapping waits for a permit of the same function."""

    async def acquire(self, *, urgent: bool = False) -> None:
        """Wait for a permit. ``urgent`` goes before all who wait without it: for work that is already held."""

    def try_acquire(self) -> bool:
        """Take a permit if one is free and nobody waits."""

    def release(self) -> None:
        """Give one back."""
