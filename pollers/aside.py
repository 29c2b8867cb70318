"""Work in a thread whose failures leave nothing behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CapacityLimiter

T = TypeVar("T")


@dataclass(slots=True)
class _Raised:
    error: Exception


async def aside(work: Callable[[], T], *, limiter: CapacityLimiter | None = None) -> T:
    """What ``work`` gives, made in a thread. Raises what it raises.

    An exception that a thread hands over by itself is known to a frame that it knows. Both, and the arguments of every frame on its
    way, would be kept until the garbage collector comes, which is seldom: a package of 50 MB for each that is refused.
    """
    found = await to_thread.run_sync(_tried, work, limiter=limiter)
    if isinstance(found, _Raised):
        try:
            raise found.error
        finally:
            del found, work
    return found


def _tried(work: Callable[[], T]) -> T | _Raised:
    try:
        return work()
    except Exception as error:
        return _Raised(error)
