"""How long a shutdown waits, decided without a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.sqs.receive_calls import STOPPED_SECONDS
from pollers.supervisor.shutdown import (
    ACKNOWLEDGING_SECONDS,
    END_SECONDS,
    LETTING_GO_SECONDS,
    QUIET_SECONDS,
    SECOND_SIGNAL_SECONDS,
    Countdown,
    Step,
)


def test_all_steps_together_take_less_than_three_seconds() -> None:
    """The promise, with a little for the process itself; and receives are cut before nothing is waited for any more."""
    assert Countdown(30, 0).gone_at(running=False) < 2.8
    assert Countdown(30, 0).gone_at(running=False) == pytest.approx(QUIET_SECONDS + LETTING_GO_SECONDS + END_SECONDS)
    assert STOPPED_SECONDS < QUIET_SECONDS


@given(st.lists(st.floats(0.01, 0.4), max_size=20))
def test_what_is_late_in_one_step_is_taken_from_the_next(delays: list[float]) -> None:
    """With nothing running the end is one moment from the signal on, however late anybody looks."""
    countdown, now = Countdown(30, 0), 0.0
    for delay in delays:
        now += delay
        if countdown.look(now, running=False, second_signal=False) is Step.LEAVE:
            break
        assert countdown.gone_at(running=False) == pytest.approx(2.7)


def test_the_end_moves_when_an_invocation_begins_after_all() -> None:
    """A worker that was still starting at the signal: its batch has the grace period, and then the time for its results."""
    countdown = Countdown(30, 0)
    countdown.look(1, running=True, second_signal=False)
    assert countdown.gone_at(running=True) > 30
    countdown.look(1.1, running=False, second_signal=False)
    assert 1 + ACKNOWLEDGING_SECONDS < countdown.gone_at(running=False) < 1 + ACKNOWLEDGING_SECONDS + 2


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
