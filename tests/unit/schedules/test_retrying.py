"""When a hand-over is tried again, and when it is given up."""

from __future__ import annotations

import pytest

from config.models import ScheduleRetryPolicy
from pollers.schedules.retrying import LONGEST_SECONDS, Failed, GivenUp, after_failure

FULL = Failed("TooManyRequestsException", "no room")


def waits(policy: ScheduleRetryPolicy, chance: float = 1.0) -> tuple[list[float], GivenUp]:
    """All waits until a hand-over that always fails is given up."""
    found: list[float] = []
    while True:
        follows = after_failure(policy, FULL, len(found) + 1, sum(found), chance)
        if isinstance(follows, GivenUp):
            return found, follows
        found.append(follows)


def test_waits_double_and_have_a_longest() -> None:
    """With AWS's defaults there are 185 retries in 24 hours."""
    found, end = waits(ScheduleRetryPolicy())

    assert found[:4] == [1, 2, 4, 8]
    assert max(found) == LONGEST_SECONDS
    assert len(found) in (184, 185)
    assert end.condition in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_chance_makes_waits_differ(chance: float) -> None:
    """Times a random factor from 0.8 to 1.0."""
    assert waits(ScheduleRetryPolicy(), chance)[0][0] == pytest.approx(0.8 + 0.2 * chance)


def test_retries_can_be_exhausted_by_number() -> None:
    """None at all among them."""
    assert waits(ScheduleRetryPolicy(maximum_retry_attempts=3)) == ([1, 2, 4], GivenUp("MaximumRetryAttempts"))
    assert waits(ScheduleRetryPolicy(maximum_retry_attempts=0)) == ([], GivenUp("MaximumRetryAttempts"))


def test_retries_can_be_exhausted_by_age() -> None:
    """It looks ahead: an attempt that would come too late is not waited for."""
    found, end = waits(ScheduleRetryPolicy(maximum_event_age_in_seconds=60))

    assert (sum(found), end) == (31, GivenUp("MaximumEventAgeInSeconds"))


def test_what_would_fail_for_ever_is_given_up_at_once() -> None:
    """Without a condition."""
    gone = Failed("ResourceNotFoundException", "no such function", lasting=True)
    assert after_failure(ScheduleRetryPolicy(), gone, 1, 0, 1) == GivenUp(None)
