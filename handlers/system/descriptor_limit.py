"""Raises the limit of open files and connections as far as allowed; workers get the limit that they would have had without it."""

from __future__ import annotations

import errno
import os
import resource
from dataclasses import dataclass

ENOUGH = 1_048_576
"""More is of no use, and a system may refuse what it calls unlimited."""
FALLBACKS = (ENOUGH, 65_536, 10_240)
"""Tried one after the other where the hard limit itself is refused (macOS calls it unlimited and grants 10,240)."""

KEPT = 16
"""So many descriptors are left to the server, whatever connections and workers ask for; at most a quarter."""

former: int | None = None
"""The soft limit before it was raised, which workers get: ``select`` cannot take numbers beyond 1,023."""

_limit = 0


@dataclass(frozen=True, slots=True)
class DescriptorLimit:
    """What the limit was, and is."""

    before: int
    now: int


def candidates(soft: int, hard: int) -> list[int]:
    """Soft limits to ask for, best first, none lower than what there is. A decider; -1 is unlimited (``RLIM_INFINITY``)."""
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY:
        return []
    return [limit for limit in dict.fromkeys((most, *FALLBACKS)) if soft < limit <= most]


def raise_descriptor_limit() -> DescriptorLimit:
    """Raise the soft limit as far as the system lets it, and remember what it was."""
    global former, _limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in candidates(soft, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (ValueError, OSError):
            continue
        former, _limit = soft, limit
        return DescriptorLimit(soft, limit)
    _limit = soft
    return DescriptorLimit(soft, soft)


def require_room(descriptors: int = 1) -> None:
    """Raises OSError (EMFILE) when so many more would leave the server without any, or there are none at all.

    The lowest free number is what an open gets: when it is near the limit, nearly all below are taken.
    """
    if not _limit:
        return
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    if lowest + descriptors > _limit - min(KEPT, _limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
