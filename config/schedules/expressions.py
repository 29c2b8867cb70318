"""Schedule expressions, ``rate``, ``cron`` and ``at``: from text to something that can be evaluated. A decider."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from config.schedules.cron import Cron, read_cron
from config.schedules.wrong import WrongExpression
from config.text.nodes import quoted

_KIND = re.compile(r"(rate|cron|at)\((.*)\)", re.DOTALL)
_RATE = re.compile(r"(?P<value>[0-9]+) (?P<unit>[a-z]+)")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Rate:
    """``rate(value unit)``: an interval. A day is always 24 hours."""

    interval: timedelta


@dataclass(frozen=True, slots=True)
class At:
    """``at(yyyy-mm-ddThh:mm:ss)``: one local time, without a zone."""

    local: datetime


Expression: TypeAlias = Rate | Cron | At


def read_expression(text: str, *, of_rule: bool = False) -> Expression:
    """A schedule expression of EventBridge Scheduler, or ``of_rule`` of an EventBridge rule, which has no ``at`` and wants the
    singular for 1 and only for 1 (docs/lambda 14.4 to 14.6).

    Raises WrongExpression, which says what part is wrong.
    """
    kinds = (
        "rate(value unit) or cron(fields)" if of_rule else "rate(value unit), cron(fields) or at(yyyy-mm-ddThh:mm:ss)"
    )
    found = _KIND.fullmatch(text)
    if found is None:
        raise WrongExpression(quoted(text), kinds)
    kind, inner = found.groups()
    if kind == "cron":
        return read_cron(inner)
    if kind == "rate":
        return _read_rate(inner, of_rule=of_rule)
    if of_rule:
        raise WrongExpression(f"at, which rules do not have, in {quoted(text)}", kinds)
    return _read_at(inner)


def _read_rate(text: str, *, of_rule: bool) -> Rate:
    whole = f"rate({text})"
    wanted = "rate(value unit), such as rate(5 minutes)"
    found = _RATE.fullmatch(text)
    if found is None:
        raise WrongExpression(quoted(whole), wanted)
    unit, digits = found["unit"], found["value"].lstrip("0")
    if not digits:
        raise WrongExpression(f"the value {quoted(found['value'])} in {quoted(whole)}", "a whole number of at least 1")
    seconds = _SECONDS.get(unit.removesuffix("s"))
    if seconds is None:
        raise WrongExpression(f"the unit {quoted(unit)} in {quoted(whole)}", "minutes, hours or days")
    if of_rule and unit.endswith("s") == (digits == "1"):
        right = unit.removesuffix("s") if digits == "1" else f"{unit}s"
        raise WrongExpression(
            f"the unit {quoted(unit)} in {quoted(whole)}", f"{right}: rules have the singular for 1 only"
        )
    return Rate(_interval(digits, seconds))


def _interval(digits: str, seconds: int) -> timedelta:
    """The interval; one that is longer than dates go is as good as any other that never ends."""
    try:
        return timedelta(seconds=int(digits[:30]) * seconds)
    except OverflowError:
        return timedelta.max


def _read_at(text: str) -> At:
    wanted = "at(yyyy-mm-ddThh:mm:ss), in the zone of schedule_expression_timezone"
    if not _AT.fullmatch(text):
        raise WrongExpression(quoted(f"at({text})"), wanted)
    try:
        return At(datetime.fromisoformat(text))
    except ValueError as error:
        raise WrongExpression(f"{quoted(f'at({text})')}, which is no date ({error})", wanted) from error
