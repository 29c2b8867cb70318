"""``cron(min hour dom month dow year)`` in AWS's dialect (docs/lambda 14.6): parsed, and walked in local time. A decider."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from config.schedules.days import read_days
from config.schedules.fields import HOUR, MINUTE, MONTH, YEAR
from config.schedules.wrong import WrongExpression
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.schedules.days import Days

_BLANKS = re.compile(r" +")
_FIELDS = "minute, hour, day of month, month, day of week, year"


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression: the values of each field, in order.

    Local times are without a zone and on whole minutes. A walk looks at each month of each year at most once, so that it ends soon
    also for an expression that never fires.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def after(self, local: datetime) -> Iterator[datetime]:
        """The local times later than ``local``, the earliest first."""
        for year in self.years[bisect_left(self.years, local.year) :]:
            for month in self.months:
                if (year, month) < (local.year, local.month):
                    continue
                for day in self.days.of(year, month):
                    if (year, month, day) >= (local.year, local.month, local.day):
                        yield from self._later(datetime(year, month, day), local)

    def until(self, local: datetime) -> Iterator[datetime]:
        """The local times not later than ``local``, the latest first."""
        for year in reversed(self.years[: bisect_right(self.years, local.year)]):
            for month in reversed(self.months):
                if (year, month) > (local.year, local.month):
                    continue
                for day in reversed(self.days.of(year, month)):
                    if (year, month, day) <= (local.year, local.month, local.day):
                        yield from self._earlier(datetime(year, month, day), local)

    def _later(self, day: datetime, local: datetime) -> Iterator[datetime]:
        for hour in self.hours:
            if day.replace(hour=hour, minute=59) > local:
                for minute in self.minutes:
                    found = day.replace(hour=hour, minute=minute)
                    if found > local:
                        yield found

    def _earlier(self, day: datetime, local: datetime) -> Iterator[datetime]:
        for hour in reversed(self.hours):
            if day.replace(hour=hour) <= local:
                for minute in reversed(self.minutes):
                    found = day.replace(hour=hour, minute=minute)
                    if found <= local:
                        yield found


def read_cron(text: str) -> Cron:
    """The expression within ``cron(...)``. Raises WrongExpression, which names the field that is wrong."""
    fields = _BLANKS.split(text)
    if len(fields) != 6 or not all(fields):
        number = len([field for field in fields if field])
        noun = "field" if number == 1 else "fields"
        raise WrongExpression(f"{number} {noun} in {quoted(f'cron({text})')}", f"six with blanks between: {_FIELDS}")
    minute, hour, day_of_month, month, day_of_week, year = fields
    return Cron(
        minutes=MINUTE.values(minute),
        hours=HOUR.values(hour),
        days=read_days(day_of_month, day_of_week),
        months=MONTH.values(month),
        years=YEAR.values(year),
    )
