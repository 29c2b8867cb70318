"""Long work on the event loop in short turns: showing a hundred mappings must not delay polling for them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    T = TypeVar("T")

TURN_SECONDS = 0.003


async def in_turns(steps: Iterable[T]) -> list[T]:
    """Everything that ``steps`` yields; after each turn, the other tasks of the event loop run first."""
    found = []
    until = time.perf_counter() + TURN_SECONDS
    for step in steps:
        found.append(step)
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + TURN_SECONDS
    return found
