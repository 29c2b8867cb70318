"""How much memory a worker and its children hold: read from /proc, so known on Linux only (0 elsewhere).

A limit by ``setrlimit`` would count address space, of which Node.js and Go reserve gigabytes, and would raise inside the
function where Lambda kills it; so the memory that is really held is watched instead.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.system import descendants

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_MIB_KIB = 1024
_SAMPLE_SECONDS = 0.1


def machine_mib() -> int:
    """The machine's memory: what a function without ``memory_size`` may use."""
    return os.sysconf("SC_PHYS_PAGES") * _PAGE_KIB // _MIB_KIB


def resident_mib(pid: int) -> int:
    """What one process holds now; cheap enough to ask after each invocation."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_KIB // _MIB_KIB
    except (OSError, IndexError, ValueError):
        return 0


def held_mib(pids: list[int], limit_mib: int) -> int:
    """What some processes hold together.

    Shared pages are counted once for each process at first; only when that passes the limit are they divided among
    their holders, which is exact but dear.
    """
    total = sum(resident_mib(pid) for pid in pids)
    return sum(_proportional_mib(pid) for pid in pids) if total > limit_mib and len(pids) > 1 else total


def _proportional_mib(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return resident_mib(pid)
    for line in rollup.splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) // _MIB_KIB
    return resident_mib(pid)


class MemoryGauge:
    """What one worker holds, and held at most."""

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
        self._see(max_rss_kib // _MIB_KIB)

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
