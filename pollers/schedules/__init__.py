"""Schedules: functions are called at given times, through their asynchronous queue.

:mod:`deciding` says which due times run, from the time now and from what was decided before (:mod:`memory`): a decider, as are
:mod:`events`, :mod:`identity` and :mod:`retrying`. :class:`Schedules` looks at the clock, and :mod:`handing_over` takes one run to
the queue. :mod:`rows` and :mod:`tables` are its part of the state, :mod:`seams` what it needs of the queue. Expressions are read
and evaluated in :mod:`config.schedules`.

Where replicas share them, there is a lease for each schedule that runs here (:mod:`hold`). :mod:`sharing` opens the table of these
leases, :mod:`opening` is what goes on while it is open: :mod:`claiming` takes leases of schedules that have something to run
(:mod:`wanting`), :mod:`keeping` keeps each that was taken until it is given back, :mod:`retiring` lets go of those that are of no
use, and :mod:`followed` is the configuration that they go by. :mod:`record` is what replicas tell each other of a schedule.

May import :mod:`config`, :mod:`pollers.clocks`, :mod:`pollers.state`, :mod:`pollers.destinations`, :mod:`pollers.invocations`,
:mod:`pollers.leases`, :mod:`pollers.checkpoints` and the supervisor's seam for services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.schedules.one_schedule import OneSchedule
    from pollers.schedules.service import Schedules
    from pollers.schedules.sharing import SharedSchedules
    from pollers.schedules.tables import TABLES

__all__ = ["TABLES", "OneSchedule", "Schedules", "SharedSchedules"]
__getattr__ = lazily(
    __name__,
    {"one_schedule": "OneSchedule", "service": "Schedules", "sharing": "SharedSchedules", "tables": "TABLES"},
)
