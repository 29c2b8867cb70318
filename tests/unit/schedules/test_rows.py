"""What the state keeps of schedules: first sights, decisions, and no more than it must."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pollers.schedules import TABLES, rows
from pollers.schedules.memory import KEPT_SECONDS, Memory, Outcome, Run
from tests.unit.schedules.fakes import NOW, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.models import Schedule

HOUR = 3600


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A state with the tables alone."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        for step in TABLES.steps:
            for statement in step:
                opened.execute(statement)
        yield opened


def see(connection: sqlite3.Connection, now: int, *schedules: Schedule) -> dict[str, Memory]:
    """A start, or a reload, with these schedules."""
    return rows.see(connection, {one.name: one for one in schedules}, now)


def test_a_first_sight_is_kept(connection: sqlite3.Connection) -> None:
    """Later starts find it."""
    assert see(connection, NOW, schedule())["s"] == Memory(NOW, NOW - 1)
    assert see(connection, NOW + HOUR, schedule())["s"] == Memory(NOW, NOW - 1)


@pytest.mark.parametrize("changed", [schedule(), schedule("rate(6 minutes)")])
def test_a_sight_by_a_clock_that_was_ahead_counts_anew(connection: sqlite3.Connection, changed: Schedule) -> None:
    """Also when it was enabled then. What ran is known all the same; a little ahead is no reason."""
    see(connection, NOW + 10 * HOUR, schedule())
    run = Run(NOW + 11 * HOUR, NOW + 11 * HOUR, Outcome.ACCEPTED)
    assert rows.decide(connection, "s", run)
    assert see(connection, NOW + 10 * HOUR - 60, schedule())["s"].first_seen == NOW + 10 * HOUR

    assert see(connection, NOW, changed)["s"] == Memory(NOW, NOW - 1, {run.due: run})
    assert see(connection, NOW + HOUR, changed)["s"].first_seen == NOW


@pytest.mark.parametrize("changed", [schedule(), schedule("rate(6 minutes)")])
def test_what_a_clock_that_was_ahead_has_let_go_stays_decided(
    connection: sqlite3.Connection, changed: Schedule
) -> None:
    """Nobody knows any more which due times ran."""
    see(connection, NOW, schedule())
    ahead = NOW + 10 * KEPT_SECONDS
    for due in (ahead, ahead + 2 * KEPT_SECONDS):
        assert rows.decide(connection, "s", Run(due, due, Outcome.ACCEPTED))

    assert see(connection, NOW + HOUR, changed)["s"].decided == ahead


@pytest.mark.parametrize(
    "changed",
    [
        schedule("rate(6 minutes)"),
        schedule(schedule_expression_timezone="Europe/Berlin"),
        schedule(event="rule"),
        schedule(start_date="2026-01-01T00:00:00Z"),
    ],
)
def test_another_rule_begins_anew(connection: sqlite3.Connection, changed: Schedule) -> None:
    """What is not about when it is due changes nothing."""
    see(connection, NOW, schedule())

    assert see(connection, NOW + HOUR, schedule(input="5", missed="skip"))["s"].first_seen == NOW
    assert see(connection, NOW + 2 * HOUR, changed)["s"] == Memory(NOW + 2 * HOUR, NOW + 2 * HOUR - 1)


def test_what_was_absent_or_disabled_goes_on_from_now(connection: sqlite3.Connection) -> None:
    """Nothing of that time was missed; the count of a rate goes on."""
    see(connection, NOW, schedule(), schedule(name="t"))
    see(connection, NOW + HOUR, schedule(state="DISABLED"))

    found = see(connection, NOW + 2 * HOUR, schedule(), schedule(name="t"))

    assert found == {"s": Memory(NOW, NOW + 2 * HOUR), "t": Memory(NOW, NOW + 2 * HOUR)}


def test_a_due_time_is_decided_once(connection: sqlite3.Connection) -> None:
    """By whomever; what a new process reads is what was decided."""
    see(connection, NOW, schedule())
    run = Run(NOW, NOW + 1, Outcome.ACCEPTED)

    assert rows.decide(connection, "s", run)
    assert not rows.decide(connection, "s", Run(NOW, NOW + 2, Outcome.FAILED))
    assert not rows.decide(connection, "s", Run(NOW - HOUR, NOW + 2, Outcome.ACCEPTED))
    assert see(connection, NOW + HOUR, schedule())["s"].runs == {NOW: run}


def test_only_the_last_decisions_are_kept(connection: sqlite3.Connection) -> None:
    """In the state as in memory; what is let go is decided for ever."""
    memory = see(connection, NOW, schedule())["s"]
    for number in range(100):
        run = Run(NOW + number * HOUR, NOW, Outcome.ACCEPTED)
        assert rows.decide(connection, "s", run)
        memory.add(run)

    assert see(connection, NOW + 100 * HOUR, schedule())["s"] == memory
    assert len(memory.runs) == KEPT_SECONDS // HOUR + 1
    assert not rows.decide(connection, "s", Run(NOW, NOW, Outcome.ACCEPTED))


def test_a_schedule_that_is_long_gone_is_forgotten(connection: sqlite3.Connection) -> None:
    """After more than a year; one that is still configured never is."""
    see(connection, NOW, schedule(), schedule(name="kept"))
    rows.decide(connection, "s", Run(NOW, NOW, Outcome.ACCEPTED))
    later = NOW + rows.FORGOTTEN_SECONDS + 1

    see(connection, later, schedule(name="kept"))

    assert connection.execute("SELECT name, first_seen FROM schedules").fetchall() == [("kept", NOW)]
    assert connection.execute("SELECT count(*) FROM schedules_runs").fetchall() == [(0,)]
