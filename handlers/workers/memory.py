"""How much memory a worker and its children hold: read from /proc, so known on Linux only (0 elsewhere).

A limit by ``setrlimit`` would count address space, of which Node.js and Go reserve gigabytes, and would raise inside the
function where Lambda kills it; so the memory that is really held is watched instead.
"""

from __future__ import annotations

import os
from pathlib import Path

_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_MIB_KIB = 1024


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
