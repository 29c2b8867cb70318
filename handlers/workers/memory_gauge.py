"""How much memory one worker holds and has held at most, and whether that is more than its function may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.system import descendants
from handlers.workers.memory import held_mib, resident_mib

if TYPE_CHECKING:
    from collections.abc import Mapping

_KIB_A_MIB = 1024
_SAMPLE_SECONDS = 0.1


class MemoryGauge:
    """One worker's."""

    def __init__(self, limit_mib: int | None) -> None:
        """``limit_mib`` is the function's ``memory_size``, if it has one."""
        self._limit_mib = limit_mib
        self._peak_mib = 0
        self._sampled_at = float("-inf")

    @property
    def peak_mib(self) -> int:
        """The most that was seen; never more than the limit, as on Lambda."""
        return self._peak_mib if self._limit_mib is None else min(self._peak_mib, self._limit_mib)

    def sample(self, pid: int, now: float) -> None:
        """Look at the worker's own process, unless that was done a moment ago."""
        if now - self._sampled_at >= _SAMPLE_SECONDS:
            self._sampled_at = now
            self._see(resident_mib(pid))

    def ended(self, max_rss_kib: int) -> None:
        """The kernel's own account of its largest process."""
        self._see(max_rss_kib // _KIB_A_MIB)

    def beyond_limit(self, pid: int, keeper: int, families: Mapping[int, list[int]]) -> int | None:
        """What the worker and all that it started hold together, if that is more than the limit.

        ``families`` are the processes below each keeper as they were seen a moment ago. They may be wrong about one process, so
        before anything is killed they are looked at again, exactly.
        """
        if self._limit_mib is None:
            return None
        held = held_mib(families.get(keeper) or [pid], self._limit_mib)
        if held > self._limit_mib:
            held = held_mib(descendants(keeper) or [pid], self._limit_mib)
        self._see(held)
        return held if held > self._limit_mib else None

    def _see(self, mib: int) -> None:
        self._peak_mib = max(self._peak_mib, mib)
