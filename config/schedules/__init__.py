"""Schedules: their settings, their expressions in AWS's dialect, and when they are due.

``reading`` turns a schedule of a file into a model, ``rules`` and ``pasted`` are what it goes by. ``expressions`` (with ``cron``,
``fields`` and ``days``) reads expressions, ``due_times`` evaluates them in a time zone (``zones``): pure, without a clock. May
import :mod:`config.text`, :mod:`config.faults`, :mod:`config.options` and :mod:`config.functions`.
"""

from config.schedules.due_times import DueTimes
from config.schedules.expressions import At, Expression, Rate, read_expression
from config.schedules.model import (
    FlexibleTimeWindow,
    Schedule,
    ScheduleDeadLetterConfig,
    ScheduleRetryPolicy,
    ScheduleTarget,
    WrittenSchedule,
)
from config.schedules.pasted import FOREIGN, RESOURCE_TYPE
from config.schedules.reading import NAME, ScheduleReader
from config.schedules.wrong import WrongExpression
from config.schedules.zones import UnknownZone, find_zone

__all__ = [
    "FOREIGN",
    "NAME",
    "RESOURCE_TYPE",
    "At",
    "DueTimes",
    "Expression",
    "FlexibleTimeWindow",
    "Rate",
    "Schedule",
    "ScheduleDeadLetterConfig",
    "ScheduleReader",
    "ScheduleRetryPolicy",
    "ScheduleTarget",
    "UnknownZone",
    "WrittenSchedule",
    "WrongExpression",
    "find_zone",
    "read_expression",
]
