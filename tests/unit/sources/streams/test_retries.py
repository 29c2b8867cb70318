"""What becomes of failed batches: recorded behaviour by example, and that no record is ever left out."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.streams.records import Records
from pollers.sources.streams.retries import NOT_RUN_SECONDS, Discard, Invoke, Rules, Wait, Work
from pollers.telemetry.facts import DiscardCondition

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0


def records_of(count: int, *, age: float = 0.0) -> Records:
    """Records 1 to ``count``, all of one age."""
    numbers = [str(index) for index in range(1, count + 1)]
    return Records(list(range(count)), numbers, [b"{}"] * count, [NOW - age] * count)


@dataclass(slots=True)
class Driven:
    """A batch driven to its end, with everything that was seen on the way."""

    invoked: list[tuple[str, ...]] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    discards: list[Discard] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    seconds: float = 0.0


def drive(work: Work, function: Callable[[Work, Invoke, float], list[str]], *, limit: int = 10_000) -> Driven:
    """Do what the work says, with ``function`` to answer invocations; it returns what it accepted."""
    driven = Driven()
    for _ in range(limit):
        now = driven.seconds
        match step := work.next(now, NOW + now):
            case None:
                return driven
            case Invoke():
                driven.invoked.append(tuple(step.records.sequence_numbers))
                driven.attempts.append(step.attempt)
                driven.accepted += function(work, step, now)
            case Wait():
                assert step.seconds > 0
                driven.waits.append(step.seconds)
                driven.seconds += step.seconds
            case Discard():
                driven.discards.append(step)
                work.discarded()
    raise AssertionError("never done")


def make(count: int, *, age: float = 0.0, oversized: bool = False, **rules: object) -> Work:
    """Work on ``count`` records under these rules."""
    return Work(records_of(count, age=age), Rules(**rules), random.Random(1), oversized=oversized)  # type: ignore[arg-type]


def raising(*bad: str) -> Callable[[Work, Invoke, float], list[str]]:
    """A function that raises when one of these is in its batch."""

    def function(work: Work, step: Invoke, now: float) -> list[str]:
        if set(bad) & set(step.records.sequence_numbers):
            work.failed(now, "it raised", "request", function_error="Unhandled")
            return []
        return work.succeeded().sequence_numbers

    return function


def reporting(*bad: str) -> Callable[[Work, Invoke, float], list[str]]:
    """A function that reports these as failed."""

    def function(work: Work, step: Invoke, now: float) -> list[str]:
        indices = [index for index, number in enumerate(step.records.sequence_numbers) if number in bad]
        if not indices:
            return work.succeeded().sequence_numbers
        return work.failed_from(indices[0], now, "request").sequence_numbers

    return function


def test_a_reported_record_starts_a_fresh_count_after_progress() -> None:
    """As recorded (3.3): retries 3, records 4 to 6, 6 always reported: invoked 5 times, the failure record says 4 of 1."""
    driven = drive(make(3, maximum_retry_attempts=3), reporting("3"))
    assert driven.invoked == [("1", "2", "3"), ("3",), ("3",), ("3",), ("3",)]
    assert driven.attempts == [1, 1, 2, 3, 4]
    (discard,) = driven.discards
    assert (discard.condition, discard.invoke_count, discard.records.sequence_numbers) == (
        "RetryAttemptsExhausted",
        4,
        ["3"],
    )
    assert discard.function_error is None


@pytest.mark.parametrize(("retries", "invocations"), [(0, 1), (1, 2), (3, 4)])
def test_without_progress_the_count_is_the_retries_and_the_first_attempt(retries: int, invocations: int) -> None:
    """As recorded (3.3): approximateInvokeCount is MaximumRetryAttempts + 1."""
    driven = drive(make(2, maximum_retry_attempts=retries), raising("1"))
    assert len(driven.invoked) == invocations
    assert driven.discards[0].invoke_count == invocations
    assert driven.discards[0].function_error == "Unhandled"
    assert len(driven.discards[0].records) == 2


def test_a_report_of_the_first_record_counts_as_an_attempt_on_the_whole_batch() -> None:
    """No progress, no fresh count: the checkpoint did not move."""
    driven = drive(make(2, maximum_retry_attempts=1), reporting("1"))
    assert driven.invoked == [("1", "2"), ("1", "2")]
    assert driven.discards[0].invoke_count == 2


def test_throttles_and_infrastructure_cost_no_attempt() -> None:
    """Before the function runs nothing is counted (4.3)."""
    times = 20

    def function(work: Work, step: Invoke, now: float) -> list[str]:
        nonlocal times
        times -= 1
        if times:
            assert step.attempt == 1
            work.not_run(now, "rate exceeded", None)
            return []
        return work.succeeded().sequence_numbers

    driven = drive(make(3, maximum_retry_attempts=0), function)
    assert driven.accepted == ["1", "2", "3"]
    assert driven.discards == []
    assert max(driven.waits) <= NOT_RUN_SECONDS[2]


def test_a_throttle_waits_as_long_as_it_asks_for() -> None:
    """retryAfterSeconds is obeyed."""
    work = make(1)
    work.next(0.0, NOW)
    work.not_run(0.0, "rate exceeded", 7.5)
    step = work.next(0.0, NOW)
    assert isinstance(step, Wait)
    assert step.seconds == 7.5


def test_bisecting_isolates_the_bad_record_and_costs_no_attempt() -> None:
    """With no retries at all the others of its batch are still delivered (4.4)."""
    driven = drive(make(10, maximum_retry_attempts=0, bisect=True), raising("7"))
    assert driven.accepted == ["1", "2", "3", "4", "5", "6", "8", "9", "10"]
    (discard,) = driven.discards
    assert (discard.records.sequence_numbers, discard.invoke_count) == (["7"], 1)
    assert driven.waits == []


def test_a_partial_response_bisects_at_the_reported_record() -> None:
    """Only the remainder is invoked again; an error halves it (3.3)."""
    work = make(8, bisect=True)
    work.next(0.0, NOW)
    done = work.failed_from(3, 0.0, "request")
    assert done.sequence_numbers == ["1", "2", "3"]
    step = work.next(100.0, NOW)
    assert isinstance(step, Invoke)
    assert step.records.sequence_numbers == ["4", "5", "6", "7", "8"]
    work.failed(100.0, "it raised", "request", function_error="Unhandled")
    half = work.next(100.0, NOW)
    assert isinstance(half, Invoke)
    assert half.records.sequence_numbers == ["4", "5", "6"]


def test_a_report_of_the_first_record_is_halved_when_bisecting() -> None:
    """Splitting at the first record would split nothing: the good ones behind it must not be given up with it."""
    driven = drive(make(5, maximum_retry_attempts=0, bisect=True), reporting("1"))
    assert [discard.records.sequence_numbers for discard in driven.discards] == [["1"]]
    assert driven.accepted == ["2", "3", "4", "5"]


def test_only_the_expired_part_is_discarded_before_the_first_invocation() -> None:
    """As recorded (4.5): one expired and five fresh records: a failure record of one, five invoked."""
    records = records_of(6)
    records.arrivals[0] = NOW - 61
    driven = drive(Work(records, Rules(maximum_record_age_seconds=60), random.Random(1)), raising())
    (discard,) = driven.discards
    assert (discard.condition, discard.records.sequence_numbers) == (DiscardCondition.RECORD_AGE_EXCEEDED, ["1"])
    assert discard.invoke_count == 0
    assert driven.invoked == [("2", "3", "4", "5", "6")]


def test_records_that_are_too_old_when_read_are_never_invoked() -> None:
    """Also the first delivery is subject to the age (4.5)."""
    driven = drive(make(3, age=100, maximum_record_age_seconds=60), raising())
    assert driven.invoked == []
    assert len(driven.discards[0].records) == 3


def test_retries_end_when_the_record_becomes_too_old_and_not_later() -> None:
    """As recorded (4.3): age 60 s, endless retries, always failing: about eight invocations in a minute."""
    for seed in range(20):
        work = Work(records_of(1), Rules(maximum_record_age_seconds=60), random.Random(seed))
        driven = drive(work, raising("1"))
        assert 7 <= len(driven.invoked) <= 9
        assert driven.discards[0].condition is DiscardCondition.RECORD_AGE_EXCEEDED
        assert driven.discards[0].invoke_count == len(driven.invoked)
        assert 60 <= driven.seconds <= 60.1


def test_endless_retries_end_when_the_source_has_forgotten_the_record() -> None:
    """Expiry at the source ends what nothing else does (4.3): after the retention has passed while the batch was held."""
    driven = drive(make(1, age=1_000_000, retention_seconds=86_400.0), raising("1"))
    assert driven.discards[0].condition is DiscardCondition.EXPIRED
    assert 86_400 <= driven.seconds <= 86_401


def test_records_that_seem_older_than_the_retention_are_delivered_all_the_same() -> None:
    """A machine whose clock is a year ahead must not discard everything that it reads."""
    driven = drive(make(3, age=365 * 86_400, retention_seconds=86_400.0), raising())
    assert driven.accepted == ["1", "2", "3"]
    assert driven.discards == []


def test_the_waits_grow_and_have_a_bound() -> None:
    """A second at first, a minute at most."""
    driven = drive(make(1, maximum_retry_attempts=40), raising("1"))
    assert 0.8 <= driven.waits[0] <= 1.0
    assert driven.waits[5] > driven.waits[1]
    assert max(driven.waits) <= 60.0


def test_an_oversized_record_is_discarded_without_an_invocation() -> None:
    """It fits into no event (4.8)."""
    driven = drive(make(1, oversized=True), raising())
    assert driven.invoked == []
    assert driven.discards[0].condition is DiscardCondition.OVERSIZED


def test_a_batch_that_has_outgrown_the_event_is_halved_and_a_single_record_given_up() -> None:
    """A window's state takes of the payload limit, and may grow between two attempts."""
    work = make(2)
    work.next(0.0, NOW)
    work.too_large()
    step = work.next(0.0, NOW)
    assert isinstance(step, Invoke)
    assert len(step.records) == 1
    work.too_large()
    discard = work.next(0.0, NOW)
    assert isinstance(discard, Discard)
    assert discard.condition is DiscardCondition.OVERSIZED
    work.discarded()
    rest = work.next(0.0, NOW)
    assert isinstance(rest, Invoke)
    assert rest.records.sequence_numbers == ["2"]


def test_a_clock_that_jumps_back_delays_no_retry() -> None:
    """Waits are measured by the monotonic clock."""
    work = make(1, maximum_record_age_seconds=60)
    work.next(0.0, NOW)
    work.failed(0.0, "it raised", "request", function_error="Unhandled")
    step = work.next(0.5, NOW - 3_600)
    assert isinstance(step, Wait)
    assert step.seconds <= 0.5
    assert isinstance(work.next(1.0, NOW - 3_600), Invoke)


def test_the_last_invocation_of_a_window_has_no_records_and_is_retried_as_any_other() -> None:
    """Its attempts are counted, and it can be given up on."""
    work = Work(
        Records(), Rules(maximum_retry_attempts=1, maximum_record_age_seconds=60, bisect=True), random.Random(1)
    )
    assert work.lowest is None

    def function(work: Work, step: Invoke, now: float) -> list[str]:
        work.failed(now, "it raised", "request", function_error="Unhandled")
        return []

    driven = drive(work, function)
    assert driven.invoked == [(), ()]
    assert driven.discards[0].invoke_count == 2


def test_discarding_out_of_turn_is_refused() -> None:
    """Nothing can be counted as discarded that was not decided to be."""
    with pytest.raises(RuntimeError):
        make(1).discarded()


rules = st.builds(
    Rules,
    maximum_retry_attempts=st.sampled_from([None, 0, 1, 3]),
    maximum_record_age_seconds=st.sampled_from([None, 60.0, 600.0]),
    bisect=st.booleans(),
    retention_seconds=st.sampled_from([86_400.0, 172_800.0]),
)


@given(rules, st.integers(1, 25), st.sets(st.integers(1, 25), max_size=5), st.integers(0, 1_000))
def test_every_record_is_accepted_or_discarded_once_and_in_order(
    rules: Rules, count: int, bad: set[int], seed: int
) -> None:
    """Whatever the function does: no record is left out, none comes twice, none overtakes another."""
    poison = {str(number) for number in bad}
    chance = random.Random(seed)
    work = Work(records_of(count), rules, random.Random(2))
    lowest = 0

    def function(work: Work, step: Invoke, now: float) -> list[str]:
        nonlocal lowest
        assert work.lowest is not None
        assert work.lowest >= lowest
        lowest = work.lowest
        numbers = step.records.sequence_numbers
        found = [index for index, number in enumerate(numbers) if number in poison]
        if chance.random() < 0.1:
            work.not_run(now, "throttled", None)
            return []
        if not found and chance.random() < 0.9:
            return work.succeeded().sequence_numbers
        if found and chance.random() < 0.5:
            return work.failed_from(found[0], now, "request").sequence_numbers
        work.failed(now, "it raised", "request", function_error="Unhandled")
        return []

    driven = drive(work, function, limit=100_000)
    discarded = [number for discard in driven.discards for number in discard.records.sequence_numbers]
    assert sorted(driven.accepted + discarded, key=int) == [str(number) for number in range(1, count + 1)]
    assert driven.accepted == sorted(driven.accepted, key=int)
    assert work.remaining == 0
    assert not poison & set(driven.accepted)


@given(st.integers(1, 200), st.sets(st.integers(1, 200), max_size=4))
def test_bisecting_gives_up_exactly_the_bad_records(count: int, bad: set[int]) -> None:
    """Each is found within its depth of invocations, and nothing else is lost."""
    poison = {str(number) for number in bad if number <= count}
    driven = drive(make(count, maximum_retry_attempts=0, bisect=True), raising(*poison))
    assert {number for discard in driven.discards for number in discard.records.sequence_numbers} == poison
    assert len(driven.invoked) <= 1 + 2 * len(poison) * (count.bit_length() + 1)
