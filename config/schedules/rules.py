"""What is wrong with a schedule although each option by itself is right, and what its reader should know. Deciders."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, TypeAlias

from config.faults import Finding
from config.options.spelling import suggestion
from config.schedules.expressions import At, Rate, read_expression
from config.schedules.model import Schedule
from config.schedules.wrong import WrongExpression
from config.schedules.zones import UnknownZone, find_zone, instant_of, known_zones
from config.text.json_text import parse_json
from config.text.nodes import Unparsable, quoted, shortened
from config.text.targets import Target, target_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from config.options.outcome import Reading

    Rule: TypeAlias = Callable[[Reading, datetime], Iterator[Finding]]

_GROUP = re.compile(r"[0-9a-zA-Z-_.]+")
INPUT_BYTES = 256 * 1024
RULE_INPUT_CHARACTERS = 8192


def expression(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """The expression is in AWS's language; what is wrong is said with AWS's own text (docs/lambda 14.4)."""
    text = reading.values.get("schedule_expression")
    if text is None:
        return
    try:
        read_expression(text, of_rule=_of_rule(reading))
    except WrongExpression as wrong:
        rule, scheduler = (
            "Parameter ScheduleExpression is not valid.",
            f"Invalid Schedule Expression {shortened(text)}.",
        )
        yield Finding(("schedule_expression",), f"found {wrong} (AWS: {rule if _of_rule(reading) else scheduler})")


def zone(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """The zone is one that this machine knows."""
    name = reading.values.get("schedule_expression_timezone")
    if name is None:
        return
    try:
        find_zone(name)
    except UnknownZone:
        known = known_zones()
        wanted = "an IANA time zone, such as Europe/Berlin"
        if not known:
            wanted = "UTC: this machine has no time zone database (install the package tzdata)"
        yield Finding(
            ("schedule_expression_timezone",), f"found {quoted(name)}{suggestion(name, known)}, expected {wanted}"
        )


def window(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """A flexible window has a length, and no other has one."""
    found = reading.values.get("flexible_time_window")
    if found is None:
        return
    if found.mode == "FLEXIBLE" and found.maximum_window_in_minutes is None:
        yield Finding(
            ("flexible_time_window", "mode"),
            "found FLEXIBLE without maximum_window_in_minutes, expected both",
        )
    elif found.mode == "OFF" and found.maximum_window_in_minutes is not None:
        yield Finding(
            ("flexible_time_window", "maximum_window_in_minutes"),
            f"found {found.maximum_window_in_minutes} with mode OFF, expected mode FLEXIBLE",
        )


def bounds(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """The end is not before the start."""
    start, end = reading.values.get("start_date"), reading.values.get("end_date")
    if start is not None and end is not None and end < start:
        yield Finding(
            ("end_date",),
            f"found {end.isoformat()}, which is before start_date {start.isoformat()}, expected a later time",
        )


def group(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """A group's name can stand in an ARN."""
    name = reading.values.get("group_name")
    if name is not None and not _GROUP.fullmatch(name):
        yield Finding(("group_name",), f"found {quoted(name)}, expected letters, digits, '.', '_' and '-'")


def of_a_rule(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """What only EventBridge Scheduler has, a rule has not (docs/lambda 14.1)."""
    if not _of_rule(reading):
        return
    given = reading.values
    wrong = {
        "schedule_expression_timezone": given.get("schedule_expression_timezone", "UTC") != "UTC",
        "start_date": given.get("start_date") is not None,
        "end_date": given.get("end_date") is not None,
        "flexible_time_window": getattr(given.get("flexible_time_window"), "mode", "OFF") != "OFF",
        "group_name": given.get("group_name", "default") != "default",
    }
    for option in (option for option, found in wrong.items() if found):
        yield Finding(
            (option,), "found it with event: rule, expected it with event: scheduler only: rules have no such setting"
        )
    text = given.get("input")
    if text is not None and len(text) > RULE_INPUT_CHARACTERS:
        message = f"found {len(text)} characters with event: rule, expected at most {RULE_INPUT_CHARACTERS}"
        yield Finding(("input",), message)


def given_input(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """The input is JSON, as the event of a function must be (docs/lambda 14.3)."""
    text = reading.values.get("input")
    if text is None:
        return
    try:
        sound = parse_json(text, "") is not None
        problem = "" if sound else "an empty text"
    except Unparsable as error:
        problem = str(error).removeprefix("found ")
    if problem:
        yield Finding(
            ("input",), f"found text that is no JSON ({problem}), expected JSON text, or a mapping or list in its place"
        )
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > INPUT_BYTES:
        yield Finding(("input",), f"found {size} bytes, expected at most {INPUT_BYTES}")


def dead_letters(reading: Reading, _now: datetime) -> Iterator[Finding]:
    """Dead letters go to a standard queue."""
    found = reading.values.get("dead_letter_config")
    problem = (
        target_problem(found.arn, (Target.QUEUE,), "dead-letter queues") if found is not None and found.arn else None
    )
    if problem:
        yield Finding(("dead_letter_config", "arn"), problem)


def never(reading: Reading, now: datetime) -> Iterator[Finding]:
    """A note on a schedule that will not be due; AWS takes it as well (docs/lambda 14.5)."""
    if reading.faulty or "schedule_expression" not in reading.values:
        return
    try:
        schedule = Schedule.model_construct(name="", **reading.values)
        if schedule.due_times(now).after(now.astimezone(UTC)) is None and not _at_once(schedule, now):
            said = _left_out(schedule) or f"not due at any time after {now:%Y-%m-%dT%H:%M:%SZ}"
            yield Finding(("schedule_expression",), said, is_note=True)
    except (WrongExpression, UnknownZone):
        return


def _left_out(schedule: Schedule) -> str | None:
    """What to say of an ``at`` that clocks leave out in spring."""
    expression, name = schedule.expression, schedule.schedule_expression_timezone
    if not isinstance(expression, At) or instant_of(expression.local, find_zone(name)) is not None:
        return None
    return f"never due: clocks in {name} leave out {expression.local:%Y-%m-%dT%H:%M:%S}, since they are set forward over it"


def _at_once(schedule: Schedule, now: datetime) -> bool:
    """A rate without a start is due when it is first seen."""
    if not isinstance(schedule.expression, Rate) or not schedule.counts_from_first_sight:
        return False
    return schedule.due_times(now).until(now.astimezone(UTC)) is not None


def _of_rule(reading: Reading) -> bool:
    return bool(reading.values.get("event") == "rule")


RULES: tuple[Rule, ...] = (expression, zone, window, bounds, group, of_a_rule, given_input, dead_letters, never)
