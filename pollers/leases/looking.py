"""When a replica looks at the whole table, and when only at what names it. A decider.

A look at a large table costs. So it is looked at seldom as long as all owners renew and nothing is free, and more often when one
may have died, or leases wait to be taken: how soon they are taken over depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pollers.leases.view import View

SMALL_TABLE = 100
"""So many leases are looked at as a whole each time: a page or two cost hardly more than asking the index."""
WHOLE_SECONDS = 5.0
"""At most so long between two looks at a large table as a whole."""
USUAL = 0.4
"""Of a failover: between two whole looks. An owner renews three times in a failover, so each look sees every counter move, and
all the time between two looks counts (see :class:`pollers.leases.seen.Still`)."""
UNSURE = 0.2
"""Of a failover: between two whole looks while an owner may have died, or something is free."""

GIVEN_SECONDS = 2.0
"""How long a lease waits for the replica to which it was given, beyond the time until that one looks at the whole table: four
looks, or one after a look that failed."""


def whole_look_due(view: View, readable: Iterable[str], since: float) -> bool:
    """Whether to look at the whole table now. ``since``: seconds since it was looked at. ``readable``: shards that may be read."""
    if since >= _usual_seconds(len(view.watched), view.failover):
        return True
    return since >= min(WHOLE_SECONDS, UNSURE * view.failover) and view.unsure(readable, USUAL * view.failover)


def given_seconds(leases: int, failover: float) -> float:
    """How long a lease waits for the replica to which it was given, in a table of so many ``leases``.

    Where there is no index, that one may find it by a look at the whole table only.
    """
    return min(failover, _usual_seconds(leases, failover) + GIVEN_SECONDS)


def _usual_seconds(leases: int, failover: float) -> float:
    """Between two looks at the whole table when nothing is to be expected; 0: it is looked at each time."""
    return 0.0 if leases <= SMALL_TABLE else min(WHOLE_SECONDS, USUAL * failover)
