"""How long a shutdown waits, decided without a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.shutdown import (
    ACKNOWLEDGING_SECONDS,
    CLOSING_SECONDS,
    LETTING_GO_SECONDS,
    LOOK_SECONDS,
    QUIET_SECONDS,
    SECOND_SIGNAL_SECONDS,
    WORKERS_SECONDS,
    Countdown,
    Step,
)
from pollers.sqs.receiving import STOPPED_SECONDS


def test_all_steps_together_take_less_than_three_seconds() -> None:
    """The promise, with a little for the process itself; and receives are cut before nothing is waited for any more."""
    assert QUIET_SECONDS + LETTING_GO_SECONDS + WORKERS_SECONDS + CLOSING_SECONDS + 3 * LOOK_SECONDS < 2.8
    assert STOPPED_SECONDS < QUIET_SECONDS


def test_running_invocations_are_waited_for_until_the_grace_period_ends() -> None:
    """And no longer."""
    countdown = Countdown(30, 0)
    assert countdown.look(29.9, running=True, second_signal=False) is Step.WAIT
    assert countdown.look(30, running=True, second_signal=False) is Step.HURRY
    assert countdown.look(30.1, running=True, second_signal=False) is Step.WAIT
    assert countdown.look(33, running=True, second_signal=False) is Step.LEAVE


def test_results_of_invocations_that_ran_on_are_waited_for_longer() -> None:
    """They would run again otherwise."""
    countdown = Countdown(30, 0)
    countdown.look(10, running=True, second_signal=False)
    assert countdown.look(9.9 + ACKNOWLEDGING_SECONDS, running=False, second_signal=False) is Step.WAIT
    assert countdown.look(10 + ACKNOWLEDGING_SECONDS, running=False, second_signal=False) is Step.HURRY


@given(st.floats(0, 100), st.booleans())
def test_a_second_signal_ends_every_wait_at_any_moment(after: float, running: bool) -> None:
    """Also when the pollers have been hurried already."""
    countdown = Countdown(30, 0)
    countdown.look(after, running=running, second_signal=False)
    countdown.look(after, running=running, second_signal=True)
    assert countdown.look(after + SECOND_SIGNAL_SECONDS + 0.01, running=running, second_signal=True) is Step.LEAVE


@pytest.mark.parametrize("grace", [0, 30])
def test_with_nothing_running_the_grace_period_does_not_matter(grace: float) -> None:
    """Hurried and left soon."""
    countdown = Countdown(grace, 0)
    assert countdown.look(QUIET_SECONDS - 0.1, running=False, second_signal=False) is Step.WAIT
    assert countdown.look(QUIET_SECONDS, running=False, second_signal=False) is Step.HURRY
    assert countdown.look(QUIET_SECONDS + LETTING_GO_SECONDS, running=False, second_signal=False) is Step.LEAVE
