"""What happened to one asynchronous event: the recorder's timeline and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.telemetry.async_facts import (
    EventAttempted,
    EventBegun,
    EventEnded,
    EventQueued,
    ReportDelivered,
    ReportFailed,
)
from pollers.telemetry.conclusions import conclusions
from pollers.telemetry.facts import Outcome
from pollers.telemetry.recorder import Recorder

if TYPE_CHECKING:
    from pollers.telemetry.async_facts import AsyncFact
    from pollers.telemetry.recorder import Moment

ONE, OTHER = ("one",), ("other",)
QUEUE, TOPIC = "arn:aws:sqs:us-east-1:000000000000:failed", "arn:aws:sns:us-east-1:000000000000:dead"


@dataclass
class Hand:
    """A clock that a test moves."""

    now: float = 0.0

    def time(self) -> float:
        return self.now


def timeline(*facts: tuple[float, AsyncFact], identifier: str = "one") -> list[Moment]:
    """The moments of an event, each fact at its time."""
    clock = Hand()
    recorder = Recorder(clock)
    for at, fact in facts:
        clock.now = at
        recorder.asynchronous("orders", fact)
    return [moment for step in recorder.searching(identifier) for moment in step]


def told(moments: list[Moment]) -> list[str]:
    """In words."""
    return [f"{moment.mapping} {moment.what}: {moment.detail}" for moment in moments]


RETRIED: list[tuple[float, AsyncFact]] = [
    (0.0, EventQueued(ONE, 1200)),
    (0.0, EventQueued(OTHER, 1)),
    (0.1, EventBegun(ONE, 1, 0.1)),
    (0.6, EventAttempted(ONE, Outcome.ERROR, "ValueError: no", 60.0)),
    (60.7, EventBegun(ONE, 2, 60.7)),
    (61.0, EventAttempted(ONE, Outcome.SUCCESS)),
    (61.0, EventEnded(ONE, "Success", succeeded=True, runs=2, targets=[QUEUE])),
    (61.2, ReportDelivered(ONE, QUEUE)),
]


def test_an_event_is_followed_from_its_queueing_to_its_report() -> None:
    """Each attempt, what it brought, the wait, the end and who was told; nothing of other events."""
    assert told(timeline(*RETRIED)) == [
        "orders queued: 1,200 bytes",
        "orders invoked: attempt 1, 100 ms after it was queued",
        "orders failed: ValueError: no; tried again in 60 s",
        "orders invoked: attempt 2, 61 s after it was queued",
        "orders done: the function returned",
        f"orders ended: Success after 2 runs; to be told: {QUEUE}",
        f"orders told: {QUEUE}",
    ]


def test_why_an_event_was_late_is_concluded() -> None:
    """The attempts, and the longest wait."""
    assert list(conclusions(timeline(*RETRIED), 70.0)) == [
        "ended 61 s after it was queued, with 2 attempts; the longest wait was 60 s, from failed to invoked"
    ]


def test_an_event_that_is_not_over_says_where_it_is() -> None:
    """Also one that an earlier process queued."""
    assert list(conclusions(timeline(*RETRIED[:4]), 30.6)) == ["not over yet: last failed, 30 s ago"]
    assert list(conclusions(timeline((0.0, EventQueued(ONE, 1))), 5.0)) == ["not over yet: last queued, 5.0 s ago"]


def test_reports_that_have_not_arrived_are_told_apart() -> None:
    """One waits, one is lost, one came after all."""
    facts: list[tuple[float, AsyncFact]] = [
        (0.0, EventQueued(ONE, 1)),
        (0.5, EventEnded(ONE, "RetriesExhausted", succeeded=False, runs=1, targets=[QUEUE, TOPIC, "arn:x"])),
        (0.6, ReportFailed(ONE, QUEUE, "NotFound: none", 2.0)),
        (0.7, ReportFailed(ONE, TOPIC, "too large")),
        (0.8, ReportFailed(ONE, "arn:x", "Unavailable: no", 1.0)),
        (1.9, ReportDelivered(ONE, "arn:x")),
    ]
    moments = timeline(*facts)
    assert told(moments)[1].startswith("orders given up: RetriesExhausted after 1 run; to be told: ")
    assert list(conclusions(moments, 3.0)) == [
        f"{QUEUE} has not been told yet: NotFound: none; tried again in 2.0 s",
        f"{TOPIC} was never told: too large",
    ]


def test_a_throttle_is_no_failure_of_the_function() -> None:
    """As an attempt that nobody can tell of."""
    facts: list[tuple[float, AsyncFact]] = [
        (0.0, EventAttempted(ONE, Outcome.THROTTLE, "Rate Exceeded.", 1.0)),
        (1.0, EventAttempted(ONE, Outcome.INFRASTRUCTURE, "no worker", 2.0)),
        (3.0, EventAttempted(ONE, Outcome.ABANDONED, "by a stop", 0.0)),
    ]
    assert [moment.what for moment in timeline(*facts)] == ["throttled", "not run", "cut short"]
