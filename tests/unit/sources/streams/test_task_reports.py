"""What a poller's tasks are reported to do."""

from __future__ import annotations

from pollers.sources.streams.task_reports import TaskReports
from pollers.telemetry.facts import Doing, Fact, State
from pollers.telemetry.sinks import Facts


def reports() -> tuple[TaskReports, list[Fact]]:
    """Reports, and the facts that they make."""
    told: list[Fact] = []
    return TaskReports(Facts("m", [lambda _, fact: told.append(fact)])), told


def test_what_was_reported_last_is_not_repeated() -> None:
    """Only a change is a fact."""
    one, told = reports()
    one.doing("shard", State.POLLING)
    one.doing("shard", State.POLLING)
    one.doing("shard", State.POLLING, "more")
    assert told == [Doing("shard", State.POLLING, "", None), Doing("shard", State.POLLING, "more", None)]


def test_a_wait_with_an_end_of_its_own_is_reported_each_time() -> None:
    """Its end is another one."""
    one, told = reports()
    one.doing("shard", State.BACKING_OFF, "throttled", 1.0)
    one.doing("shard", State.BACKING_OFF, "throttled", 2.0)
    assert len(told) == 2


def test_a_task_that_never_did_anything_does_not_end() -> None:
    """And one that did ends once."""
    one, told = reports()
    one.doing("shard", State.ENDED)
    one.doing("other", State.POLLING)
    one.end_all()
    one.end_all()
    assert told == [Doing("other", State.POLLING, "", None), Doing("other", State.ENDED, "", None)]
