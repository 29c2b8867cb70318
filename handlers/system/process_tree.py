"""Which process descends from which, read from /proc: Linux only (elsewhere no process is found).

A worker's keeper adopts whatever the worker leaves behind (:mod:`handlers.workers.keeper`), so the processes below a keeper are
those of its worker, all of them, whatever sessions and groups they have made for themselves.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def running() -> list[int]:
    """The ids of all visible processes."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def parent_of(pid: int) -> int:
    """The parent of a process; 0 if it has none or cannot be read."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def descendants(root: int) -> list[int]:
    """The processes below ``root``, without itself."""
    parents = {pid: parent_of(pid) for pid in running()}
    return [pid for pid in parents if pid != root and _root_above(pid, parents, {root}) == root]


def walked(root: int) -> Iterator[int]:
    """The processes below ``root`` from the top down, at the cost of those alone, however many the machine has.

    Some may be missed: where children of a process end meanwhile, and on kernels that list no children.
    """
    found = [root]
    for pid in found:
        children = _children(pid)
        yield from children
        found += children


@functools.cache
def can_walk() -> bool:
    """Whether this kernel lists children."""
    return os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:  # it, or one of its threads, has just ended
        pass
    return found


def _root_above(pid: int, parents: Mapping[int, int], roots: Collection[int]) -> int:
    """The nearest of ``roots`` on the way up from ``pid``; 0 if there is none."""
    seen = set()
    while pid not in roots:
        if pid in seen or pid not in parents:
            return 0
        seen.add(pid)
        pid = parents[pid]
    return pid


class Families:
    """Who is below each of some processes, asked again and again.

    A process cannot get below a root that adopts orphans, nor out of there, so that only new ones are looked at: a look
    costs a listing, not a file for each process of the machine. Should an id be used again between two looks, this
    may be wrong about one process: :func:`descendants` is exact.
    """

    def __init__(self) -> None:
        self._roots: frozenset[int] = frozenset()
        self._root_of: dict[int, int] = {}

    def below(self, roots: Collection[int]) -> dict[int, list[int]]:
        """The processes below each root, without itself."""
        asked = frozenset(roots)
        if not self._root_of.keys().isdisjoint(asked - self._roots):
            self._root_of = {}  # what was nobody's may be this root's; what is below a root that is new itself is newer
        self._roots = asked
        pids = running()
        parents = {pid: parent_of(pid) for pid in pids if pid not in self._root_of}
        self._root_of = {pid: self._root_of[pid] if pid in self._root_of else self._find(pid, parents) for pid in pids}
        found: dict[int, list[int]] = {root: [] for root in asked}
        for pid, root in self._root_of.items():
            if root in found and pid != root:
                found[root].append(pid)
        return found

    def _find(self, pid: int, parents: Mapping[int, int]) -> int:
        """Up to a root, or to a process whose root is known."""
        top = _root_above(pid, parents, self._roots | self._root_of.keys())
        return top if top in self._roots else self._root_of.get(top, 0)
