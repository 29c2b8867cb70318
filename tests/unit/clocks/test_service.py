"""The service's clock, read from its replies: never ahead of the real one, whatever this machine's clock shows."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.clocks.service import APART_SECONDS, SAMPLES, ServiceClock

EPOCH = 1_700_000_000


def date(seconds: float) -> str:
    """A ``Date`` header: the second that this time lies in."""
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC), usegmt=True)


def head(told: str, name: str = "Date") -> bytes:
    """A reply's head."""
    return f"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 1\r\n{name}: {told}\r\nContent-Length: 2".encode()


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 30.0)), min_size=2, max_size=30),
    st.floats(-1e9, 1e9),
    st.floats(0.0, 1e6),
)
def test_it_is_never_ahead_of_the_service(
    replies: list[tuple[float, float]], monotonic_offset: float, later: float
) -> None:
    """Whatever the pauses between replies and the time that each was under way."""
    clock, now = ServiceClock(), 0.0
    for pause, under_way in replies:
        now += pause + under_way
        clock.read_head(head(date(EPOCH + now - under_way)), now + monotonic_offset)
    known = clock.at_least(now + later + monotonic_offset)
    assert known is not None
    slowest = max(under_way for _, under_way in replies)
    assert EPOCH + now + later - slowest - 1.01 <= known <= EPOCH + now + later + 0.001


@given(st.integers(0, SAMPLES - 1), st.floats(-1e6, 1e8))
def test_one_wrong_date_never_puts_it_ahead(place: int, wrong: float) -> None:
    """A proxy may have made it up."""
    clock = ServiceClock()
    for now in range(SAMPLES):
        clock.read_date(date(EPOCH + now + (wrong if now == place else 0.0)), float(now))
        assert (clock.at_least(float(now)) or 0.0) <= EPOCH + now


def test_one_date_is_not_enough() -> None:
    """It might be the wrong one."""
    clock = ServiceClock()
    clock.read_date(date(EPOCH), 1.0)
    assert clock.at_least(1.0) is None
    clock.read_date(date(EPOCH), 1.5)
    assert clock.at_least(11.0) == EPOCH + 9.5


def test_a_service_whose_clock_is_set_is_followed() -> None:
    """Back at once, forward as soon as all of what is remembered agrees."""
    clock = ServiceClock()
    for now in range(10):
        clock.read_date(date(EPOCH + now), float(now))
    clock.read_date(date(EPOCH - 3_600), 10.0)
    assert clock.at_least(10.0) == EPOCH - 3_600
    for now in range(11, 20):
        clock.read_date(date(EPOCH + now), float(now))
    assert clock.at_least(20.0) == EPOCH + 20


@pytest.mark.parametrize(
    "told", ["", "yesterday", "Tue, 99 Nov 2023 22:13:20 GMT", "\xff\x00", "Tue, 14 Nov 99999 22:13:20 GMT"]
)
def test_what_is_no_date_says_nothing(told: str) -> None:
    """Nor does a reply without the header."""
    clock = ServiceClock()
    for _ in range(3):
        clock.read_head(f"HTTP/1.1 200 OK\r\nDate: {told}".encode("latin-1"), 1.0)
        clock.read_head(b"HTTP/1.1 200 OK\r\nContent-Length: 2", 1.0)
    assert clock.at_least(1.0) is None


@pytest.mark.parametrize(
    "told", ["Tue, 14 Nov 2023 22:13:20", "Tue, 14 Nov 2023 22:13:20 -0000", "Tue Nov 14 22:13:20 2023"]
)
def test_a_date_without_a_zone_is_utc(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine west of it too, which would take it for a moment hours later."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        clock = ServiceClock()
        for _ in range(2):
            clock.read_head(head(told), 1.0)
        assert clock.at_least(1.0) == EPOCH
    finally:
        monkeypatch.undo()
        time.tzset()


def test_headers_are_known_in_any_case() -> None:
    """As HTTP has them; no other header is taken for it."""
    clock = ServiceClock()
    for name in ("date", "DATE", "X-Date"):
        clock.read_head(head(date(EPOCH), name), 1.0)
    assert clock.at_least(1.0) == EPOCH
    assert len(clock._offsets) == 2


def test_many_replies_cost_little() -> None:
    """Once enough is known, a date is read once a second."""
    clock = ServiceClock()
    for reply in range(100):
        clock.read_head(head(date(EPOCH)), 1.0 + reply / 100)
    assert clock.at_least(1.0) == pytest.approx(EPOCH, abs=0.1)
    clock.read_head(head(date(EPOCH - 100)), 1.04 + APART_SECONDS - 0.01)
    assert clock.at_least(1.0) == pytest.approx(EPOCH, abs=0.1)


def test_records_say_the_least_where_replies_have_no_dates() -> None:
    """A record that has been held for a minute is a minute older than the newest one was when it came."""
    clock = ServiceClock()
    clock.read_arrival(EPOCH, 10.0)
    clock.read_arrival(EPOCH - 500, 11.0)
    assert clock.at_least(70.0) == EPOCH + 60
