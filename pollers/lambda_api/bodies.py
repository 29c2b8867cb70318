"""How many bytes of bodies are held at once, by all requests together."""

from __future__ import annotations

import asyncio

HELD_LIMIT_BYTES = 128 * 1024 * 1024
"""Of requests that run or arrive, and of answers that are read slowly: twenty of the largest."""
ARRIVING_LIMIT_BYTES = HELD_LIMIT_BYTES // 2
"""Of requests that arrive slowly: clients that never send the rest must not keep others out."""


ORDINARY_LIMIT_BYTES = 8 * 1024 * 1024
"""Longer bodies, which bring code, come one after another and are not counted. Reading one takes three times its length."""


class Bodies:
    """A count with a limit. An answer is counted whatever is held, since its function has run; requests are refused meanwhile.

    ``large`` is held by the one request whose body is longer than an ordinary one.
    """

    __slots__ = ("_limits_bytes", "arriving", "held_bytes", "large")

    def __init__(self, limit_bytes: int = HELD_LIMIT_BYTES, arriving_limit_bytes: int = ARRIVING_LIMIT_BYTES) -> None:
        self._limits_bytes = (limit_bytes, arriving_limit_bytes)
        self.held_bytes = 0
        self.large = asyncio.Lock()
        self.arriving = 0
        """Requests whose bodies did not come with their heads and are not whole yet."""

    def take(self, count: int, *, arriving: bool = False) -> bool:
        """Hold so many bytes more; False, and none, when that would be too many."""
        if self.held_bytes + count > self._limits_bytes[arriving]:
            return False
        self.held_bytes += count
        return True

    def add(self, count: int) -> None:
        """Hold so many bytes more, whatever is held."""
        self.held_bytes += count

    def give(self, count: int) -> None:
        """So many bytes fewer are held."""
        self.held_bytes -= count
