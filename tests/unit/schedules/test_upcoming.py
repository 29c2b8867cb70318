"""What ``headrace check`` says of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime

from pollers.schedules.upcoming import described, next_runs
from tests.unit.schedules.fakes import DEAD, schedule

NOW = datetime(2026, 10, 24, 12, 0, 0, 500_000, tzinfo=UTC)


def test_the_next_runs_are_in_the_zone_and_in_utc() -> None:
    """Over a change of clocks."""
    nightly = schedule("cron(0 4 * * ? *)", schedule_expression_timezone="Europe/Berlin")

    assert list(described(nightly, NOW)) == [
        "cron(0 4 * * ? *) in Europe/Berlin -> orders",
        "  next: Sun 2026-10-25 04:00:00 +0100, 2026-10-25T03:00:00Z",
        "  next: Mon 2026-10-26 04:00:00 +0100, 2026-10-26T03:00:00Z",
        "  next: Tue 2026-10-27 04:00:00 +0100, 2026-10-27T03:00:00Z",
    ]


def test_a_rate_counts_from_its_first_sight() -> None:
    """Which may have been long ago: the check does not look at the state."""
    assert list(described(schedule("rate(5 minutes)"), NOW)) == [
        "rate(5 minutes) -> orders",
        "  next: 2026-10-24T12:00:00Z (at its first sight, then counted from there)",
        "  next: 2026-10-24T12:05:00Z",
        "  next: 2026-10-24T12:10:00Z",
    ]
    rule = schedule("rate(5 minutes)", event="rule")
    assert next_runs(rule, NOW)[0] == datetime(2026, 10, 24, 12, 5, tzinfo=UTC)


def test_what_differs_from_the_defaults_is_said() -> None:
    """And a schedule that is over has no next run."""
    over = schedule(
        "at(2026-01-01T00:00:00)",
        state="DISABLED",
        missed="skip",
        dead_letter_config={"arn": DEAD},
        flexible_time_window={"mode": "FLEXIBLE", "maximum_window_in_minutes": 15},
    )

    assert list(described(over, NOW)) == [
        f"at(2026-01-01T00:00:00) -> orders, within 15 min, missed runs are skipped, dead letters to {DEAD}, disabled",
        "  next: never",
    ]
