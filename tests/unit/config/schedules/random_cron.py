"""Random cron expressions of AWS's dialect, without what the oracle cannot read (docs/lambda 14.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]


def random_cron(random: Random) -> str:
    """Six fields: lists, ranges that wrap, steps, names, and the signs of both fields for days."""
    by_month = [_list(random, 1, 31), "L", f"{random.randint(1, 31)}W", "*"]
    by_week = [
        _list(random, 1, 7, _WEEKDAYS, steps=False),
        f"{random.randint(1, 7)}L",
        f"{random.choice(_WEEKDAYS)}#{random.randint(1, 5)}",
        "*",
    ]
    days = (random.choice(by_month), "?") if random.random() < 0.5 else ("?", random.choice(by_week))
    year = random.choice(["*", "*", "2026-2040", "2027,2030"])
    fields = [_list(random, 0, 59), _list(random, 0, 23), days[0], _list(random, 1, 12, _MONTHS), days[1], year]
    return " ".join(fields)


def _list(random: Random, lowest: int, highest: int, names: list[str] | None = None, *, steps: bool = True) -> str:
    if random.random() < 0.2:
        return "*"
    number = random.choice([1, 1, 1, 2, 3])
    return ",".join(_part(random, lowest, highest, names, steps=steps) for _ in range(number))


def _part(random: Random, lowest: int, highest: int, names: list[str] | None, *, steps: bool) -> str:
    kind = random.random()
    step = f"/{random.randint(1, highest)}" if steps else ""
    if kind < 0.15 and steps:
        return f"*{step}"
    if kind < 0.3 and names:
        return random.choice(names)
    if kind < 0.55:
        return f"{random.randint(lowest, highest)}"
    stepped = step if random.random() < 0.3 else ""
    return f"{random.randint(lowest, highest)}-{random.randint(lowest, highest)}{stepped}"
