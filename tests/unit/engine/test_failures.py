"""Failures that come together: the most serious one decides, and all are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.errors import FunctionUnusable
from pollers.aws.errors import AccessDenied, AwsError, Throttled
from pollers.engine.failures import CollectedFailures, is_ours, taken_apart
from pollers.errors import SourceUnusable

FAULT = KeyError("ours")
SOURCE = SourceUnusable("no such queue")
FUNCTION = FunctionUnusable("no such folder")
DENIED = AccessDenied("AccessDenied", "no")
THROTTLED = Throttled("Slow", "down")
ALL: list[Exception] = [FAULT, SOURCE, FUNCTION, DENIED, THROTTLED]


def groups(errors: st.SearchStrategy[Exception]) -> st.SearchStrategy[Exception]:
    """Errors in groups in groups."""
    return st.recursive(
        errors, lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda found: ExceptionGroup("", found))
    )


def leaves(error: Exception) -> list[Exception]:
    """What is inside, without a stop at the first of a group."""
    if isinstance(error, ExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


@given(groups(st.sampled_from(ALL)))
def test_no_sibling_is_dropped_however_deep_it_lies(raised: Exception) -> None:
    """The cause and its siblings are everything that was raised, in some order, and nothing else."""
    failure = taken_apart(raised)
    assert {id(one) for one in (failure.cause, *failure.siblings)} == {id(one) for one in leaves(raised)}


@given(groups(st.sampled_from(ALL)))
def test_a_fault_of_ours_decides_before_a_source_or_function_and_those_before_a_service(raised: Exception) -> None:
    """Nobody is kept waiting for what a restart does not cure, and a fault of ours hides behind nothing."""
    failure, inside = taken_apart(raised), leaves(raised)
    if FAULT in inside:
        assert failure.cause is FAULT
    elif SOURCE in inside or FUNCTION in inside:
        assert failure.cause in (SOURCE, FUNCTION)
    else:
        assert isinstance(failure.cause, AwsError)
    assert failure.ours == (FAULT in inside)


def test_of_equally_serious_errors_the_first_decides() -> None:
    """It is the likelier cause of the others."""
    assert taken_apart(ExceptionGroup("", [DENIED, FUNCTION, SOURCE])).cause is FUNCTION


def test_the_text_names_the_siblings_each_once_and_not_too_many() -> None:
    """Ten shards that are denied are one piece of news."""
    assert taken_apart(ExceptionGroup("", [SOURCE] * 10)).text == "no such queue"
    assert taken_apart(ExceptionGroup("", [SOURCE, FUNCTION])).text == "no such queue; also: no such folder"
    many = [SourceUnusable(str(number)) for number in range(6)]
    assert taken_apart(ExceptionGroup("", many)).text == "0; also: 1; also: 2; also: 3; and 2 more"
    assert taken_apart(ValueError()).text == "ValueError"


def test_what_fails_while_a_poller_stops_is_raised_together() -> None:
    """The second failure is not swallowed because a first one is known."""
    failures = CollectedFailures()
    failures.raise_found()
    assert failures.add(SOURCE).cause is SOURCE
    assert failures.add(ExceptionGroup("", [THROTTLED, FAULT])).cause is FAULT
    with pytest.raises(ExceptionGroup) as raised:
        failures.raise_found()
    assert raised.value.exceptions == (SOURCE, THROTTLED, FAULT)


def test_a_single_failure_is_raised_as_it_is_and_the_same_one_again_is_no_other() -> None:
    """What is told in the same words is kept once."""
    failures = CollectedFailures()
    failures.add(ExceptionGroup("", [SOURCE]))
    failures.add(SourceUnusable("no such queue"))
    with pytest.raises(SourceUnusable) as raised:
        failures.raise_found()
    assert raised.value is SOURCE


def test_what_an_error_means_is_said_by_the_poller() -> None:
    """A queue's refusal is an unusable source; that decides before it is weighed."""
    failures = CollectedFailures(lambda error: SourceUnusable(f"the queue: {error}") if error is DENIED else error)
    assert str(failures.add(DENIED).cause).startswith("the queue: ")
    with pytest.raises(SourceUnusable):
        failures.raise_found()


def test_what_is_ours_is_whatever_no_source_function_or_service_did() -> None:
    """New errors of ours need no entry anywhere."""
    assert [is_ours(error) for error in ALL] == [True, False, False, False, False]
