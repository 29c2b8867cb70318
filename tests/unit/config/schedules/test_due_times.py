"""When schedules are due: bounds, zones, rates, and expressions that never fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schedules import DueTimes, UnknownZone, find_zone, read_expression
from config.schedules.days import TheseDays

FIRST = datetime(2026, 1, 1, 10, 0, 37, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MOST_MONTHS = 230 * 12
"""The months of the years that an expression may have."""


def due(text: str, zone: str = "UTC", start: datetime | None = None, end: datetime | None = None) -> DueTimes:
    """The due times of an expression; a rate's first is FIRST, or its start."""
    return DueTimes(read_expression(text), find_zone(zone), start or FIRST, start, end)


def test_a_rate_counts_from_its_first_time() -> None:
    """Not from the hour: seven minutes stay seven minutes."""
    rate = due("rate(7 minutes)")

    assert rate.after(FIRST - timedelta(days=1)) == FIRST
    assert rate.after(FIRST) == FIRST + timedelta(minutes=7)
    assert rate.after(FIRST + timedelta(minutes=60)) == FIRST + timedelta(minutes=63)
    assert rate.until(FIRST + timedelta(minutes=62)) == FIRST + timedelta(minutes=56)
    assert rate.until(FIRST) == FIRST
    assert rate.until(FIRST - timedelta(seconds=1)) is None


def test_a_day_of_a_rate_has_24_hours() -> None:
    """Also over a change of clocks."""
    rate = due("rate(1 day)", "Europe/Berlin", start=datetime(2026, 3, 28, 11, tzinfo=UTC))

    assert rate.after(datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 11, tzinfo=UTC)


def test_a_rate_longer_than_dates_go_is_due_once() -> None:
    """And then never."""
    rate = due("rate(" + "9" * 240 + " days)")

    assert rate.until(FIRST) == FIRST
    assert rate.after(FIRST) is None


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_any_moment_has_an_answer(moment: datetime) -> None:
    """Also one at the ends of what dates can be."""
    at = moment.replace(tzinfo=UTC)
    for text in ("rate(5 minutes)", "cron(0 12 * * ? *)", "at(2026-01-01T00:00:00)"):
        times = due(text, "Pacific/Apia")
        after, until = times.after(at), times.until(at)
        assert after is None or after > at
        assert until is None or until <= at


def test_bounds_belong_to_the_schedule() -> None:
    """A time exactly at the start or the end is due."""
    start, end = datetime(2026, 1, 3, 12, tzinfo=UTC), datetime(2026, 1, 5, 12, tzinfo=UTC)
    noon = due("cron(0 12 * * ? *)", start=start, end=end)

    assert noon.after(FIRST) == start
    assert noon.after(end - timedelta(seconds=1)) == end
    assert noon.after(end) is None
    assert noon.until(end + timedelta(days=9)) == end
    assert noon.until(start) == start
    assert noon.until(start - timedelta(seconds=1)) is None


def test_at_ignores_bounds() -> None:
    """As on AWS."""
    end = datetime(2026, 1, 5, tzinfo=UTC)
    once = due("at(2026-02-01T12:00:00)", "Europe/Berlin", start=end, end=end)

    assert once.after(FIRST) == datetime(2026, 2, 1, 11, tzinfo=UTC)
    assert once.after(datetime(2026, 2, 1, 11, tzinfo=UTC)) is None
    assert once.until(datetime(2026, 3, 1, tzinfo=UTC)) == datetime(2026, 2, 1, 11, tzinfo=UTC)


def test_a_time_that_clocks_leave_out_is_skipped() -> None:
    """02:30 is not on 29 March 2026 in Berlin: that day has no run."""
    times = due("cron(30 2 * * ? *)", "Europe/Berlin")

    assert times.after(datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    assert due("at(2026-03-29T02:30:00)", "Europe/Berlin").after(FIRST) is None


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    """02:30 is twice on 25 October 2026 in Berlin."""
    times = due("cron(30 2 * * ? *)", "Europe/Berlin")
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

    assert times.after(first - timedelta(minutes=1)) == first
    assert times.after(first) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    assert times.until(second) == first
    # While clocks show the hour for the second time, the first one has passed, all of it.
    within = second - timedelta(minutes=15)
    assert (times.until(within), times.after(within)) == (first, datetime(2026, 10, 26, 1, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("cron(0 0 30 2 ? *)", "UTC"),
        ("cron(0 0 31 4,6,9,11 ? *)", "Europe/Berlin"),
        ("cron(* 2 ? 3 1L *)", "Europe/Berlin"),
        ("cron(15 10 ? * 6L 2002-2005)", "UTC"),
    ],
)
def test_an_expression_that_never_fires_is_found_out_soon(
    text: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more steps than there are months, whatever the expression; nothing loops for ever."""
    steps = []
    counted = TheseDays.of

    def counting(self: TheseDays, year: int, month: int) -> tuple[int, ...]:
        steps.append(1)
        return counted(self, year, month)

    monkeypatch.setattr(TheseDays, "of", counting)
    times = due(text, zone)

    assert times.after(FIRST) is None
    assert text.endswith("2002-2005)") or times.until(FIRST) is None or zone == "Europe/Berlin"
    assert len(steps) <= 2 * MOST_MONTHS


def test_a_zone_is_an_iana_name() -> None:
    """Anything else is refused, paths among them."""
    assert find_zone("Europe/Berlin") == BERLIN
    for name in ("Europe/Berln", "../etc/passwd", "/etc/localtime", "", "Europe"):
        with pytest.raises(UnknownZone):
            find_zone(name)
