"""One field of a cron expression: from text to the values that it means (docs/lambda 14.6). A decider."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.schedules.wrong import WrongExpression
from config.text.nodes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Field:
    """What a field may hold: whole numbers from ``lowest`` to ``highest``, and ``names`` for some of them.

    ``steps`` is whether ``/`` is one of its signs, and ``wraps`` whether a range may go over the end: hours ``20-2`` are 20 to 23
    and 0 to 2.
    """

    noun: str
    lowest: int
    highest: int
    names: Mapping[str, int] = field(default_factory=dict)
    steps: bool = True
    wraps: bool = True

    @property
    def wanted(self) -> str:
        """What is expected, in a fault's words."""
        names = list(self.names)
        return f"{self.lowest} to {self.highest}" + (f" or {names[0]} to {names[-1]}" if names else "")

    @property
    def size(self) -> int:
        """How many values there are."""
        return self.highest - self.lowest + 1

    def values(self, text: str) -> tuple[int, ...]:
        """The values that a list of ``*``, values, ranges and steps means, in order. Raises WrongExpression."""
        parts = text.split(",")
        if "*" in parts and len(parts) > 1:
            raise self.wrong(text, "*", "'*' alone: it means every value already")
        return tuple(sorted({value for part in parts for value in self._part(part, text)}))

    def value(self, text: str, whole: str) -> int:
        """One value, as a number or by name, of the field ``whole``. Raises WrongExpression."""
        named = self.names.get(text.upper())
        if named is not None:
            return named
        number = int(text) if _NUMBER.fullmatch(text) else None
        if number is None or not self.lowest <= number <= self.highest:
            raise self.wrong(whole, text, self.wanted)
        return number

    def wrong(self, whole: str, part: str, wanted: str) -> WrongExpression:
        """What to say of a ``part`` of the field ``whole``."""
        inside = (
            f"{quoted(part)} in the {self.noun} {quoted(whole)}"
            if part != whole
            else f"the {self.noun} {quoted(whole)}"
        )
        return WrongExpression(inside, wanted)

    def _part(self, part: str, whole: str) -> Iterator[int]:
        span, slash, step = part.partition("/")
        if slash and not self.steps:
            raise self.wrong(whole, part, f"no '/', which a {self.noun} does not have")
        first, last = self._span(span, whole, stepped=bool(slash))
        for offset in range(0, (last - first) % self.size + 1, self._step(step, whole) if slash else 1):
            yield self.lowest + (first - self.lowest + offset) % self.size

    def _span(self, span: str, whole: str, *, stepped: bool) -> tuple[int, int]:
        """The first and the last value of ``*``, of a range, or of one value, which goes to the end when a step follows."""
        if span == "*":
            return self.lowest, self.highest
        start, dash, end = span.partition("-")
        first = self.value(start, whole)
        if not dash:
            return first, self.highest if stepped else first
        last = self.value(end, whole)
        if last < first and not self.wraps:
            raise self.wrong(whole, span, "a range that does not go backwards")
        return first, last

    def _step(self, text: str, whole: str) -> int:
        """How far apart values are: less than the field is long, or no value but the first would be met."""
        most = min(self.highest, self.size)
        if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
            raise self.wrong(whole, f"/{text}", f"a step from 1 to {most}")
        return int(text)


_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT"

MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY_OF_MONTH = Field("day of month", 1, 31)
MONTH = Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS.split(), 1)})
DAY_OF_WEEK = Field(
    "day of week", 1, 7, {name: number for number, name in enumerate(_WEEKDAYS.split(), 1)}, steps=False
)
"""1 is Sunday, other than in most dialects."""
YEAR = Field("year", 1970, 2199, wraps=False)
