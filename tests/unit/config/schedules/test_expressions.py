"""Schedule expressions: what AWS takes and refuses, and which part is named as wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from config.schedules import At, DueTimes, Rate, WrongExpression, read_expression
from config.schedules.cron import Cron

FIRST = datetime(2026, 1, 1, tzinfo=UTC)

TAKEN_BY_AWS = [
    "0 10 * * ? *",
    "15 12 * * ? *",
    "0 18 ? * MON-FRI *",
    "0 8 1 * ? *",
    "0/15 * * * ? *",
    "0/10 * ? * MON-FRI *",
    "0/5 8-17 ? * MON-FRI *",
    "0/30 20-23 ? * MON-FRI *",
    "0/30 0-2 ? * MON-FRI *",
    "0/30 20-2 ? * MON-FRI *",
    "15 10 ? * 6L 2002-2005",
    "30-30 0 * * ? *",
    "0-15/1 * * * ? *",
    "5,35 14 * * ? *",
    "0 9 ? * 2#1 *",
]
"""Recorded, or in AWS's own examples (docs/lambda 14.6)."""

REFUSED_BY_AWS = ["0 1 * * * *", "7 20 * * NOT *", "INVALID", "0 dummy ? * MON-FRI *", "71 8 1 * ? *", ""]


def next_due(text: str, moment: datetime = FIRST) -> datetime | None:
    """The next due time in UTC."""
    return DueTimes(read_expression(text), UTC, FIRST).after(moment)


@pytest.mark.parametrize("text", TAKEN_BY_AWS)
def test_cron_expressions_that_aws_takes_are_taken(text: str) -> None:
    """By schedules and by rules."""
    assert isinstance(read_expression(f"cron({text})"), Cron)
    assert isinstance(read_expression(f"cron({text})", of_rule=True), Cron)


@pytest.mark.parametrize("text", REFUSED_BY_AWS)
def test_cron_expressions_that_aws_refuses_are_refused(text: str) -> None:
    """As recorded."""
    with pytest.raises(WrongExpression):
        read_expression(f"cron({text})")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cron(60 * * * ? *)", "the minute '60', expected 0 to 59"),
        ("cron(*/60 * * * ? *)", "'/60' in the minute '*/60', expected a step from 1 to 59"),
        ("cron(0/0 * * * ? *)", "'/0' in the minute '0/0', expected a step from 1 to 59"),
        ("cron(0 24 * * ? *)", "the hour '24', expected 0 to 23"),
        ("cron(0 1,x * * ? *)", "'x' in the hour '1,x', expected 0 to 23"),
        ("cron(0 1,* * * ? *)", "'*' in the hour '1,*', expected '*' alone: it means every value already"),
        ("cron(0 0 32 * ? *)", "the day of month '32', expected 1 to 31"),
        ("cron(0 0 LW * ? *)", "the day of month 'LW', expected L alone, or a number before W alone, such as 15W"),
        ("cron(0 0 L-3 * ? *)", "the day of month 'L-3', expected L alone, or a number before W alone, such as 15W"),
        (
            "cron(0 0 1,15W * ? *)",
            "the day of month '1,15W', expected L alone, or a number before W alone, such as 15W",
        ),
        ("cron(0 0 1 13 ? *)", "the month '13', expected 1 to 12 or JAN to DEC"),
        ("cron(0 0 ? * 0 *)", "the day of week '0', expected 1 to 7 or SUN to SAT"),
        ("cron(0 0 ? * 3#6 *)", "'#6' in the day of week '3#6', expected # and a number from 1 to 5"),
        ("cron(0 0 ? * 3#1,6#3 *)", "the day of week '3#1,6#3', expected one day with one #, such as 3#2"),
        ("cron(0 0 ? * 2/2 *)", "the day of week '2/2', expected no '/', which a day of week does not have"),
        ("cron(0 0 1 * ? 1969)", "the year '1969', expected 1970 to 2199"),
        ("cron(0 0 1 * ? 2030-2020)", "the year '2030-2020', expected a range that does not go backwards"),
        ("cron(0 0 1)", "3 fields in 'cron(0 0 1)', expected six"),
        (
            "cron(0 0 ? * ? *)",
            "the day of month '?' and the day of week '?', of which both are '?', expected '?' in exactly one",
        ),
        ("cron(0 0 ²  * ? *)", "the day of month '²', expected 1 to 31"),
        ("rate(10 seconds)", "the unit 'seconds' in 'rate(10 seconds)', expected minutes, hours or days"),
        ("rate(0 minutes)", "the value '0' in 'rate(0 minutes)', expected a whole number of at least 1"),
        ("at(2026-02-30T00:00:00)", "'at(2026-02-30T00:00:00)', which is no date"),
        ("every day", "'every day', expected rate(value unit), cron(fields) or at(yyyy-mm-ddThh:mm:ss)"),
    ],
)
def test_the_part_that_is_wrong_is_named(text: str, message: str) -> None:
    """With what would be right there."""
    with pytest.raises(WrongExpression) as raised:
        read_expression(text)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        *("rate(10 seconds)", "rate(10 years)", "rate(1 minutes)", "rate(10 minute)", "rate()", "rate(10)"),
        *("rate(10 minutess)", "rate(foo minutes)", "rate(0 minutes)", "rate(-10 minutes)", "rate(10 MINUTES)"),
        *("rate( 10 minutes )", " rate(10 minutes)", "at(2030-01-01T00:00:00)"),
    ],
)
def test_rates_that_aws_refuses_of_a_rule_are_refused(text: str) -> None:
    """As recorded; a rule has no at either."""
    with pytest.raises(WrongExpression):
        read_expression(text, of_rule=True)


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(1 days)", timedelta(days=1)),
        ("rate(7 minutes)", timedelta(minutes=7)),
        ("rate(36 hours)", timedelta(hours=36)),
        ("rate(" + "9" * 200 + " days)", timedelta.max),
    ],
)
def test_a_rate_is_an_interval(text: str, interval: timedelta) -> None:
    """Schedules take the plural for 1 as well; no number is too large to be read."""
    assert read_expression(text) == Rate(interval)


@pytest.mark.parametrize("text", ["at(2021-12-31T23:59:59Z)", "at(2021-12-31)", "at(2021-12-31 23:59:59)", "at()"])
def test_times_that_aws_refuses_are_refused(text: str) -> None:
    """There is no zone in them, and no date alone."""
    with pytest.raises(WrongExpression):
        read_expression(text)


def test_a_time_in_the_past_is_read() -> None:
    """AWS takes it as well."""
    assert read_expression("at(2022-12-31T23:59:59)") == At(datetime(2022, 12, 31, 23, 59, 59))


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("cron(0 0 ? * 1 *)", datetime(2026, 1, 4)),
        ("cron(0 0 ? * 7 *)", datetime(2026, 1, 3)),
        ("cron(0 0 ? * L *)", datetime(2026, 1, 3)),
        ("cron(0 0 ? * FRI-MON *)", datetime(2026, 1, 2)),
        ("cron(0 0 ? * 3#2 *)", datetime(2026, 1, 13)),
        ("cron(0 0 ? * 6L *)", datetime(2026, 1, 30)),
        ("cron(0 0 L 2 ? *)", datetime(2026, 2, 28)),
        ("cron(0 0 3W * ? *)", datetime(2026, 1, 2)),
        ("cron(0 0 1W 8 ? *)", datetime(2026, 8, 3)),
        ("cron(0 0 31W 5 ? *)", datetime(2026, 5, 29)),
        ("cron(0 0 31W 2,4,7 ? *)", datetime(2026, 7, 31)),
        ("cron(0 20-2 * * ? *)", datetime(2026, 1, 1, 1)),
        ("cron(0 0 29 2 ? *)", datetime(2028, 2, 29)),
        ("cron(0 0 1 jan ? 2027)", datetime(2027, 1, 1)),
        ("cron(00 08 02 01 ? *)", datetime(2026, 1, 2, 8)),
        ("cron(0 0 1 1 ? 2028/2)", datetime(2028, 1, 1)),
    ],
)
def test_the_signs_of_the_dialect_mean_what_aws_says(text: str, due: datetime) -> None:
    """1 is Sunday; L, W and # are about days; ranges wrap."""
    assert next_due(text) == due.replace(tzinfo=UTC)
