"""When a schedule is due: its expression in its zone, between its start and its end. A decider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from config.schedules.expressions import At, Rate
from config.schedules.zones import instant_of

if TYPE_CHECKING:
    from config.schedules.cron import Cron
    from config.schedules.expressions import Expression

_FIRST = datetime(1970, 1, 2, tzinfo=UTC)
_LAST = datetime(2200, 1, 2, tzinfo=UTC)
"""Cron expressions have no years before and after; no zone is a day away from UTC."""
_LONGEST_FOLD = timedelta(hours=25)
"""Clocks have been set back by a day at most."""


@dataclass(frozen=True, slots=True)
class DueTimes:
    """The due times of one schedule, in UTC.

    ``first`` is a rate's first due time, from which it counts; other expressions do not need it. ``start`` and ``end`` are bounds
    that belong to it, and that ``at`` ignores (docs/lambda 14.5).
    """

    expression: Expression
    zone: tzinfo
    first: datetime
    start: datetime | None = None
    end: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """The earliest due time later than ``moment``; None when there is none any more."""
        if isinstance(self.expression, At):
            due = instant_of(self.expression.local, self.zone)
            return due if due is not None and due > moment else None
        if self.start is not None and moment < self.start:
            moment = self.start - timedelta(microseconds=1)
        found = (
            self._rate_after(moment) if isinstance(self.expression, Rate) else self._cron_after(self.expression, moment)
        )
        return None if found is None or (self.end is not None and found > self.end) else found

    def until(self, moment: datetime) -> datetime | None:
        """The latest due time that is not later than ``moment``; None when there was none yet."""
        if isinstance(self.expression, At):
            due = instant_of(self.expression.local, self.zone)
            return due if due is not None and due <= moment else None
        if self.end is not None and moment > self.end:
            moment = self.end
        found = (
            self._rate_until(moment) if isinstance(self.expression, Rate) else self._cron_until(self.expression, moment)
        )
        return None if found is None or (self.start is not None and found < self.start) else found

    def _rate_after(self, moment: datetime) -> datetime | None:
        interval = self._interval
        try:
            return (
                self.first if moment < self.first else self.first + ((moment - self.first) // interval + 1) * interval
            )
        except OverflowError:
            return None

    def _rate_until(self, moment: datetime) -> datetime | None:
        interval = self._interval
        return None if moment < self.first else self.first + ((moment - self.first) // interval) * interval

    @property
    def _interval(self) -> timedelta:
        return self.expression.interval if isinstance(self.expression, Rate) else timedelta.max

    def _cron_after(self, cron: Cron, moment: datetime) -> datetime | None:
        if moment > _LAST:
            return None
        moment = max(moment, _FIRST)
        # While clocks show a time for the second time, the next local times belong to the first and have passed.
        for local in cron.after(_local(moment, self.zone)):
            due = instant_of(local, self.zone)
            if due is not None and due > moment:
                return due
        return None

    def _cron_until(self, cron: Cron, moment: datetime) -> datetime | None:
        if moment < _FIRST:
            return None
        moment = min(moment, _LAST)
        # Clocks may have been set back lately: they have shown later times than they do now.
        shown = max(_local(moment, self.zone), _local(moment - _LONGEST_FOLD, self.zone) + _LONGEST_FOLD)
        for local in cron.until(shown):
            due = instant_of(local, self.zone)
            if due is not None and due <= moment:
                return due
        return None


def _local(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
