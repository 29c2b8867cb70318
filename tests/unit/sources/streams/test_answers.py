"""What a function's answer says of a stream batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.streams.answers import Judgement

NUMBERS = ["10", "20", "30"]


def judgement(*, reports_failures: bool = True, windowed: bool = False) -> Judgement:
    """The judgement of a batch of three."""
    return Judgement(NUMBERS, NUMBERS, reports_failures=reports_failures, windowed=windowed)


def test_a_mapping_that_reports_no_failures_takes_any_answer() -> None:
    """Whatever the function returns."""
    assert judgement(reports_failures=False).of(b'{"batchItemFailures":[{"itemIdentifier":"20"}]}').success


@given(st.sets(st.sampled_from(NUMBERS), min_size=1))
def test_from_the_lowest_failed_record_on_all_have_failed(failed: set[str]) -> None:
    """A checkpoint cannot leave one out, so what the function did with later ones does not count."""
    one = judgement()
    items = ",".join(f'{{"itemIdentifier":"{number}"}}' for number in failed)
    verdict = one.of(f'{{"batchItemFailures":[{items}]}}'.encode())
    assert one.lowest_failed == min(NUMBERS.index(number) for number in failed)
    assert verdict.failed == set(NUMBERS[one.lowest_failed :])
    assert verdict.problem is None


def test_a_function_may_call_records_by_something_else_than_their_positions() -> None:
    """What it says counts by its names, and what has failed is told by positions."""
    one = Judgement(["10@1", "20@2"], ["10", "20"], reports_failures=True, windowed=False)
    assert one.of(b'{"batchItemFailures":[{"itemIdentifier":"20"}]}').failed == {"20@2"}
    assert one.lowest_failed == 1
    wrong = one.of(b'{"batchItemFailures":[{"itemIdentifier":"20@2"}]}')
    assert wrong.failed == {"10@1", "20@2"}
    assert wrong.problem is not None


def test_an_answer_that_cannot_be_understood_fails_the_whole_batch() -> None:
    """What it meant is unknown."""
    verdict = judgement().of(b"[1")
    assert verdict.failed == set(NUMBERS)
    assert verdict.problem is not None


def test_a_window_needs_its_new_state() -> None:
    """An answer without one fails the batch, also the one without records that closes the window."""
    assert judgement(windowed=True).of(b"null").problem is not None
    last = Judgement([], [], reports_failures=True, windowed=True)
    assert not last.of(b"{}").success


def test_a_window_hands_its_state_on_and_may_report_failures_or_not() -> None:
    """It need not name failures; where it does, they count."""
    one = judgement(windowed=True)
    assert one.of(b'{"state":{"n":1}}').success
    assert one.state == b'{"n":1}'
    other = judgement(windowed=True)
    assert other.of(b'{"state":{"n":2},"batchItemFailures":[{"itemIdentifier":"30"}]}').failed == {"30"}
    assert (other.state, other.lowest_failed) == (b'{"n":2}', 2)
