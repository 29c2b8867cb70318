"""What becomes of an event, decided (docs/lambda 12.2, 12.3, 12.6, 12.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from pollers.destinations.ended import Condition, Role
from pollers.invocations.deciding import (
    LONGEST_SECONDS,
    REPORT_AGE_SECONDS,
    RETRY_SECONDS,
    Again,
    Over,
    after,
    back_off,
    owed,
    report_again,
)
from pollers.invocations.event import Owed, QueuedEvent
from pollers.invocations.gate import Gate
from tests.worlds.async_world import FAILED, OK, Settings

if TYPE_CHECKING:
    from handlers.function import Result

NOW = 1_700_000_000.0
settings = st.builds(
    Settings,
    maximum_retry_attempts=st.integers(0, 2),
    maximum_event_age_seconds=st.integers(60, 21_600),
)
not_run = st.builds(
    lambda kind, seconds: kind("no", seconds),
    st.sampled_from([Throttle, InfrastructureError]),
    st.none() | st.floats(0, 1e6),
)
results = st.one_of(st.just(OK), st.just(FAILED), not_run)


def event(*, age: float = 0.0, failures: int = 0, stumbles: int = 0) -> QueuedEvent:
    """An event that was accepted ``age`` seconds before NOW."""
    return QueuedEvent(1, "orders", "r1", NOW - age, 600, runs=failures + 1, failures=failures, stumbles=stumbles)


@given(settings, st.floats(0, 30_000), st.integers(0, 5), st.integers(0, 40), results)
def test_nothing_waits_for_an_attempt_that_would_come_too_late(
    settings: Settings, age: float, failures: int, stumbles: int, result: Result
) -> None:
    """An event that is tried again is tried in time; one that succeeded is over, however old it is."""
    following = after(event(age=age, failures=failures, stumbles=stumbles), result, settings, NOW)
    if isinstance(following, Again):
        assert 1.0 <= following.wait_seconds <= LONGEST_SECONDS
        assert age + following.wait_seconds <= settings.maximum_event_age_seconds + 1e-6
        assert not isinstance(result, Payload)
    else:
        assert (following.condition is Condition.SUCCESS) == isinstance(result, Payload)
    assert following.ran == isinstance(result, Payload | FunctionError)


@given(st.integers(0, 2))
def test_a_function_fails_once_and_as_often_as_it_is_retried(retries: int) -> None:
    """After one minute, then after two."""
    settings, failures, waits = Settings(maximum_retry_attempts=retries), 0, []
    while isinstance(following := after(event(failures=failures), FAILED, settings, NOW), Again):
        waits.append(following.wait_seconds)
        failures += 1
    assert tuple(waits) == RETRY_SECONDS[:retries]
    assert following == Over(Condition.RETRIES_EXHAUSTED, ran=True)


@given(st.integers(0, 10), not_run)
def test_a_function_that_did_not_run_uses_up_no_retry(failures: int, result: Result) -> None:
    """However often it did not."""
    following = after(event(failures=failures, stumbles=1_000), result, Settings(maximum_retry_attempts=0), NOW)
    assert isinstance(following, Again)
    assert following == Again(LONGEST_SECONDS, ran=False)


def test_fewer_retries_than_there_were_already_are_none() -> None:
    """The settings count that are there now."""
    following = after(event(failures=2), FAILED, Settings(maximum_retry_attempts=1), NOW)
    assert following == Over(Condition.RETRIES_EXHAUSTED, ran=True)


def test_waits_grow_from_a_second_to_five_minutes() -> None:
    """Twice as long each time; longer where the other side asks for it."""
    assert [back_off(number) for number in range(1, 12)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    following = after(event(), Throttle("busy", 40.0), Settings(), NOW)
    assert following == Again(40.0, ran=False)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (Condition.SUCCESS, [Owed(Role.ON_SUCCESS, "s")]),
        (Condition.RETRIES_EXHAUSTED, [Owed(Role.ON_FAILURE, "f"), Owed(Role.DEAD_LETTER, "d")]),
        (Condition.EVENT_AGE_EXCEEDED, [Owed(Role.ON_FAILURE, "f"), Owed(Role.DEAD_LETTER, "d")]),
        (Condition.ZERO_RESERVED_CONCURRENCY, [Owed(Role.ON_FAILURE, "f"), Owed(Role.DEAD_LETTER, "d")]),
    ],
)
def test_who_is_told_of_an_end(condition: Condition, told: list[Owed]) -> None:
    """With an on-failure destination and a dead-letter queue, both; an empty ARN is none."""
    assert owed(condition, Settings(on_success="s", on_failure="f", dead_letters="d")) == told
    assert owed(condition, Settings(on_success="", dead_letters=None)) == []


@given(st.floats(0, 1e6), st.integers(1, 1_000))
def test_a_report_is_tried_for_six_hours(age: float, tries: int) -> None:
    """And not once more."""
    wait = report_again(NOW - age, tries, NOW)
    assert (wait is None) == (age + back_off(tries) > REPORT_AGE_SECONDS + 1e-6) or abs(
        age + back_off(tries) - REPORT_AGE_SECONDS
    ) < 1e-3


def test_a_gate_lets_one_round_through_at_a_time() -> None:
    """What fails together is one failure; what works opens it; a clock that is set back does not hold it closed."""
    gate = Gate()
    waits = []
    now = NOW
    for _ in range(11):
        assert gate.closed_for(now) == 0.0
        for _ in range(5):
            gate.failed(now)
        waits.append(gate.closed_for(now))
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    gate.failed(now, 20.0)
    assert gate.closed_for(now) == 300
    assert gate.closed_for(now - 10_000) == 0.0
    gate.open()
    assert gate.closed_for(now) == 0.0
    gate.failed(now, 20.0)
    assert gate.closed_for(now) == 20.0
