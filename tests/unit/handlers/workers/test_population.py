"""When workers are started, and when not for a while."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.workers.population import (
    CRASHES_FOR_FREE,
    LONGEST_DELAY_SECONDS,
    STARTS_AT_ONCE,
    Population,
    StartGate,
    init_limit_seconds,
    starts,
)

counts = st.integers(0, 20)


def gate() -> StartGate:
    """A gate that has seen nothing yet."""
    return StartGate(random.Random(1))


def population(
    waiting: int, *, starting: int = 0, finishing: int = 0, living: int = 0, concurrency: int = 4
) -> Population:
    """A function's workers."""
    return Population(waiting, starting, finishing, living, concurrency)


@given(counts, counts, counts, counts, st.integers(1, 20))
def test_never_more_workers_than_concurrency_and_none_that_nobody_waits_for(
    waiting: int, starting: int, finishing: int, busy: int, concurrency: int
) -> None:
    """The two bounds hold whatever the numbers."""
    living = starting + finishing + busy
    wanted = starts(Population(waiting, starting, finishing, living, concurrency), gate(), 0.0)
    assert 0 <= wanted <= max(0, concurrency - living)
    assert wanted <= waiting


@pytest.mark.parametrize(
    ("who", "wanted"),
    [
        (population(1), 1),
        (population(6), 4),
        (population(2, starting=2, living=2), 0),
        (population(2, starting=1, living=1), 1),
        (population(1, finishing=1, living=1), 0),
        (population(3, living=4), 0),
        (population(0, living=1), 0),
    ],
)
def test_workers_are_started_for_whoever_waits(who: Population, wanted: int) -> None:
    """One for each invocation that waits, less those that will be free in a moment."""
    assert starts(who, gate(), 0.0) == wanted


def test_many_workers_are_started_a_few_at_a_time() -> None:
    """So that the first ones are ready soon."""
    assert starts(population(100, concurrency=100), gate(), 0.0) == STARTS_AT_ONCE
    assert starts(population(100, starting=6, living=50, concurrency=100), gate(), 0.0) == STARTS_AT_ONCE - 6


def test_after_a_failed_start_none_is_started_for_a_while_and_then_one() -> None:
    """A function that cannot start is tried again by one worker, not by many."""
    held = gate()
    held.start_failed(0.0, 1.0)
    assert starts(population(4), held, 1.0) == 0
    assert held.opens_at <= 2.0
    assert starts(population(4), held, held.opens_at) == 1
    assert starts(population(4, starting=1, living=1), held, held.opens_at) == 0


def test_failures_wait_longer_each_time_up_to_a_limit() -> None:
    """Doubling, with jitter between half and whole."""
    held, now, waits = gate(), 0.0, []
    for _ in range(9):
        held.start_failed(now, now + 0.1)
        waits.append(held.opens_at - now - 0.1)
        now = held.opens_at
    for number, wait in enumerate(waits):
        longest = min(2.0**number, LONGEST_DELAY_SECONDS)
        assert longest / 2 <= wait <= longest + 1e-6
    assert len(set(waits)) == len(waits)


def test_workers_that_were_started_together_fail_once() -> None:
    """A burst of starts against a broken function is one failure."""
    held = gate()
    for _ in range(5):
        held.start_failed(started_at=10.0, now=10.2)
    assert held.opens_at <= 11.2


def test_a_worker_that_becomes_ready_lets_the_others_start_together_again() -> None:
    """Starting works again."""
    held = gate()
    held.start_failed(0.0, 1.0)
    held.ready()
    assert starts(population(4), held, held.opens_at) == 4


def test_a_few_crashes_are_replaced_at_once_and_more_of_them_later() -> None:
    """A poisoned record costs nothing; a function that crashes every time is slowed down."""
    held = gate()
    for _ in range(CRASHES_FOR_FREE):
        held.crashed(1.0)
    assert held.open(1.0)
    held.crashed(1.0)
    assert not held.open(1.0)
    held.succeeded()
    assert held.open(1.0)


def test_a_success_forgets_the_crashes_before() -> None:
    """Crashes count only in a row."""
    held = gate()
    for _ in range(20):
        held.crashed(1.0)
        held.succeeded()
    assert held.open(1.0)


def test_initialisation_may_take_what_lambda_allows() -> None:
    """Ten seconds, or the function's timeout if that is longer."""
    assert init_limit_seconds(3) == 10
    assert init_limit_seconds(60) == 60
