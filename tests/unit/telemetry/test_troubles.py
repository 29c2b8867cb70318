"""What the log says of mappings that cannot go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog

from pollers.telemetry.facts import Doing, Fact, Invoked, Outcome, Polled, Removed, State
from pollers.telemetry.sinks import Facts
from pollers.telemetry.troubles import ERRORS_A_MINUTE, REPEAT_SECONDS, Troubles

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

DENIED = "NoCredentialsError: Unable to locate credentials"


class Told:
    """Troubles at a settable time, and what they logged."""

    def __init__(self, lines: list[MutableMapping[str, Any]]) -> None:
        self.now = 0.0
        self.troubles = Troubles(now=lambda: self.now)
        self._lines = lines

    def at(self, now: float, *facts: Fact, mapping: str = "m") -> list[tuple[str, str]]:
        """Facts at a time; the (level, event) of what they made be logged."""
        self.now = now
        self._lines.clear()
        facts_of = Facts(mapping, [self.troubles])
        for fact in facts:
            facts_of.emit(fact)
        return [(line["log_level"], line["event"]) for line in self._lines]


@pytest.fixture
def told() -> Iterator[Told]:
    with structlog.testing.capture_logs() as lines:
        yield Told(lines)


def failing(task: str = "shard-1") -> Doing:
    return Doing(task, State.BACKING_OFF, DENIED, 0.5)


WAITING = ("warning", "waiting before another try")
AGAIN = ("info", "the source is read again")


def test_a_source_that_cannot_be_read_is_said_at_once_and_then_each_minute(told: Told) -> None:
    """The first failure is logged with its reason; the next line comes after a minute at the earliest."""
    assert told.at(0, failing()) == [WAITING]
    assert told.at(1, failing(), failing("shard-2"), failing("stream")) == []
    assert told.at(REPEAT_SECONDS, failing()) == [WAITING]


def test_the_reason_and_the_wait_are_told() -> None:
    """Which mapping, which task, why, and when it is tried again."""
    with structlog.testing.capture_logs() as lines:
        Troubles(now=lambda: 0.0)("m", failing())
    [line] = lines
    assert (line["mapping"], line["task"], line["why"], line["retry_seconds"]) == ("m", "shard-1", DENIED, 0.5)


def test_the_end_is_said_once_everything_that_failed_reads(told: Told) -> None:
    """Not while another shard still fails; a shard that reads shows that the stream was opened."""
    told.at(0, failing("stream"), failing("shard-1"), failing("shard-2"))
    assert told.at(5, Polled("shard-1", 0)) == []
    assert told.at(6, Polled("shard-2", 0)) == [AGAIN]
    assert told.at(7, Polled("shard-2", 0)) == []


def test_a_try_is_not_taken_for_the_end(told: Told) -> None:
    """In an outage every try begins with a poll; only one that comes back shows that it is over."""
    assert told.at(0, failing("receive")) == [WAITING]
    assert told.at(1, Doing("receive", State.POLLING)) == []
    assert told.at(2, failing("receive"), Doing("receive", State.ENDED), Doing("receive", State.POLLING)) == []
    assert told.at(20, Polled("", 0)) == [AGAIN]


def test_a_shard_that_ended_is_not_waited_for(told: Told) -> None:
    """What failed and is gone does not keep the trouble alive."""
    told.at(0, failing("shard-1"), failing("shard-2"))
    assert told.at(5, Doing("shard-1", State.ENDED)) == []
    assert told.at(6, Polled("shard-2", 3)) == [AGAIN]


def test_a_source_that_comes_and_goes_fills_no_log(told: Told) -> None:
    """Both lines at most once a minute."""
    lines = []
    for second in range(30):
        lines += told.at(second, failing(), Polled("shard-1", 0))
    assert lines == [WAITING, AGAIN]


def test_batches_and_failure_records_that_are_tried_again_are_said_too(told: Told) -> None:
    """Each kind of trouble has its own words and its own minute."""
    retrying = Doing("shard-1/0", State.RETRYING, "a batch of 1, attempt 2: ValueError", 1.0)
    delivering = Doing("shard-1/0", State.DELIVERING, "to arn:aws:sqs:...: AccessDenied", 1.0)
    assert told.at(0, retrying, delivering, retrying, delivering) == [
        ("warning", "a batch failed and is tried again"),
        ("warning", "a failure record could not be delivered and is tried again"),
    ]


def failed(error: str, request: str = "r1", source: str = "") -> Invoked:
    return Invoked(source, ["m1", "m2"], request, Outcome.ERROR, 0.1, ["m1", "m2"], error)


FAILED = ("error", "a batch failed")


def test_a_failed_batch_is_said_with_its_reason() -> None:
    """Also one whose function returned a response that cannot be read: nothing else would log that."""
    with structlog.testing.capture_logs() as lines:
        Troubles(now=lambda: 0.0)("m", failed("the response is not JSON"))
    [line] = lines
    assert (line["mapping"], line["messages"], line["request_id"], line["why"]) == (
        "m",
        2,
        "r1",
        "the response is not JSON",
    )


def test_the_same_failure_is_said_once_a_minute_with_how_many_were_not(told: Told) -> None:
    """Request ids make no difference; another error is logged at once."""
    assert told.at(0, failed("RequestId: r1 Error: timed out"), failed("RequestId: r2 Error: timed out", "r2")) == [
        FAILED
    ]
    assert told.at(1, failed("KeyError: 'id'"), failed("KeyError: 'id'")) == [FAILED]
    with structlog.testing.capture_logs() as lines:
        told.now = REPEAT_SECONDS
        told.troubles("m", failed("RequestId: r3 Error: timed out", "r3"))
    assert [line["batches_not_logged_before"] for line in lines] == [1]


def test_what_is_no_failure_of_a_queues_batch_is_not_said(told: Told) -> None:
    """Partial failures are the function's business; a stream's batch is logged when it is retried."""
    partial = Invoked("", ["m1", "m2"], "r", Outcome.PARTIAL, 0.1, ["m1"])
    assert told.at(0, partial, failed("boom", source="shard-1"), Invoked("", ["m1"], "r", Outcome.SUCCESS, 0.1)) == []


def test_errors_that_are_all_different_fill_no_log(told: Told) -> None:
    """An error that names its message is new each time: some are logged each minute, as long as it lasts."""
    lines = []
    for number in range(1000):
        lines += told.at(number / 10, failed(f"KeyError: {number}"))
    assert lines == [FAILED] * (2 * ERRORS_A_MINUTE)


def test_mappings_do_not_speak_for_each_other(told: Told) -> None:
    """Each has its own minute; one that left the configuration is forgotten."""
    assert told.at(0, failing()) == [WAITING]
    assert told.at(1, failing(), mapping="other") == [WAITING]
    assert told.at(2, Removed(), failing()) == [WAITING]


def test_what_the_supervisor_says_itself_is_not_said_twice(told: Told) -> None:
    """The supervisor logs that a mapping broke down; its recovery is logged here, after the first successful poll."""
    assert told.at(0, Doing("mapping", State.BACKING_OFF, "it broke", 1.0)) == []
    assert told.at(1, Doing("mapping", State.STARTING), Doing("receive", State.POLLING)) == []
    assert told.at(9, Polled("", 0), Polled("", 0)) == [AGAIN]
