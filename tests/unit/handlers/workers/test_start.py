"""How the start of a worker went, and what is told of it."""

from __future__ import annotations

from handlers.error_documents import timed_out
from handlers.function import FunctionError, InfrastructureError
from handlers.workers.process import Exit
from handlers.workers.start import Start


def test_how_long_it_took_is_told_once() -> None:
    """Lambda's REPORT has it for the first invocation only."""
    start = Start()
    start.succeed()

    seconds = start.unreported_seconds()

    assert seconds is not None
    assert seconds >= 0
    start.succeed()
    assert start.unreported_seconds() is None


def test_nothing_is_told_of_a_start_that_goes_on() -> None:
    """Its worker is not ready."""
    start = Start()

    assert not start.ready
    assert start.unreported_seconds() is None


def test_what_the_runtime_reported_is_why_it_failed() -> None:
    """Whatever became of its process afterwards."""
    start, reported = Start(), timed_out(10, "")
    start.error = reported

    assert start.failure("r-1", Exit(0)) == reported


def test_a_worker_that_could_not_be_started_is_no_failure_of_the_function() -> None:
    """The machine is at fault: the batch keeps its attempts."""
    assert isinstance(Start().failure("r-1", Exit(None, "Permission denied")), InfrastructureError)


def test_a_worker_that_ended_by_itself_is_a_failure_of_the_function() -> None:
    """With Lambda's wording."""
    failed = Start().failure("r-1", Exit(7 << 8))

    assert isinstance(failed, FunctionError)
    assert failed.message == "RequestId: r-1 Error: Runtime exited with error: exit status 7"
