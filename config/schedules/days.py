"""Which days of a month a cron expression means, by either of its two fields for days (docs/lambda 14.6). A decider."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from typing import Protocol

from config.schedules.fields import DAY_OF_MONTH, DAY_OF_WEEK
from config.schedules.wrong import WrongExpression
from config.text.nodes import quoted

SATURDAY = 7
_LAST_WEEKDAY = re.compile(r"(?P<weekday>[^L]+)L", re.IGNORECASE)
_NTH_WEEKDAY = re.compile(r"(?P<weekday>[^#]+)#(?P<number>[^#]+)")


class Days(Protocol):
    """A rule for days."""

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """The days of this month, in order; none where the month has no such day."""


@dataclass(frozen=True, slots=True)
class TheseDays:
    """Days of the month by number."""

    numbers: tuple[int, ...]

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """Those that the month has."""
        length = monthrange(year, month)[1]
        return tuple(day for day in self.numbers if day <= length)


@dataclass(frozen=True, slots=True)
class LastDay:
    """``L``: the last day of the month."""

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """One day."""
        return (monthrange(year, month)[1],)


@dataclass(frozen=True, slots=True)
class NearestWorkday:
    """``15W``: the day from Monday to Friday nearest to the 15th, in the same month."""

    number: int

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """One day, or none in a month without a day of this number."""
        length = monthrange(year, month)[1]
        if self.number > length:
            return ()
        weekday = _weekday(year, month, self.number)
        if weekday == SATURDAY:
            return (self.number - 1 if self.number > 1 else self.number + 2,)
        if weekday == 1:
            return (self.number + 1 if self.number < length else self.number - 2,)
        return (self.number,)


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Days of the week; 1 is Sunday."""

    weekdays: tuple[int, ...]

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """Every such day of the month."""
        first = _weekday(year, month, 1)
        return tuple(
            day for day in range(1, monthrange(year, month)[1] + 1) if (first + day - 2) % 7 + 1 in self.weekdays
        )


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """``6L``: the last Friday of the month."""

    weekday: int

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """One day."""
        return Weekdays((self.weekday,)).of(year, month)[-1:]


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """``3#2``: the second Tuesday of the month."""

    weekday: int
    number: int

    def of(self, year: int, month: int) -> tuple[int, ...]:
        """One day, or none in a month without a fifth one."""
        return Weekdays((self.weekday,)).of(year, month)[self.number - 1 : self.number]


def read_days(day_of_month: str, day_of_week: str) -> Days:
    """The rule that the two fields for days say together: exactly one of them is ``?``. Raises WrongExpression."""
    if (day_of_month == "?") == (day_of_week == "?"):
        found = "both are" if day_of_month == "?" else "none of them is"
        raise WrongExpression(
            f"the day of month {quoted(day_of_month)} and the day of week {quoted(day_of_week)}, of which {found} '?'",
            "'?' in exactly one of the two",
        )
    return _by_month(day_of_month) if day_of_week == "?" else _by_week(day_of_week)


def _by_month(text: str) -> Days:
    if text.upper() == "L":
        return LastDay()
    if text[-1:].upper() == "W" and text[:-1].isdigit():
        return NearestWorkday(DAY_OF_MONTH.value(text[:-1], text))
    _refuse_signs(text, "LW", "L alone, or a number before W alone, such as 15W")
    return TheseDays(DAY_OF_MONTH.values(text))


def _by_week(text: str) -> Days:
    if text.upper() == "L":
        return Weekdays((SATURDAY,))
    last = _LAST_WEEKDAY.fullmatch(text)
    if last is not None:
        return LastWeekday(DAY_OF_WEEK.value(last["weekday"], text))
    nth = _NTH_WEEKDAY.fullmatch(text)
    if nth is not None:
        if nth["number"] not in ("1", "2", "3", "4", "5"):
            raise DAY_OF_WEEK.wrong(text, f"#{nth['number']}", "# and a number from 1 to 5")
        return NthWeekday(DAY_OF_WEEK.value(nth["weekday"], text), int(nth["number"]))
    _refuse_signs(text, "#", "one day with one #, such as 3#2")
    return Weekdays(DAY_OF_WEEK.values(text))


def _refuse_signs(text: str, signs: str, wanted: str) -> None:
    if any(sign in text.upper() for sign in signs):
        noun = "day of month" if signs == "LW" else "day of week"
        raise WrongExpression(f"the {noun} {quoted(text)}", wanted)


def _weekday(year: int, month: int, day: int) -> int:
    """The day of the week as AWS counts it: 1 is Sunday."""
    return (monthrange(year, month)[0] + day) % 7 + 1
