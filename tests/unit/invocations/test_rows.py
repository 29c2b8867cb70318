"""The queue's statements: however long the queue is, a look at it reads a few rows."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pollers.invocations import TABLES, rows
from pollers.invocations.event import QueuedEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERBS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ")
STATEMENTS = {name: text for name, text in vars(rows).items() if name.isupper() and str(text)[:7] in _VERBS}


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """The tables, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in TABLES.steps:
            for statement in step:
                connection.execute(statement)
        yield connection


def event(number: int, function: str = "orders") -> QueuedEvent:
    """An event that was accepted at second ``number``."""
    return QueuedEvent(0, function, f"r{number}", float(number), 600, payload=b"1")


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_goes_through_a_table(name: str, connection: sqlite3.Connection) -> None:
    """Each finds its rows by an index, and sorts none."""
    text = STATEMENTS[name]
    plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", (0,) * text.count("?")).fetchall()
    steps = [str(step[-1]) for step in plan]
    assert [step for step in steps if re.search(r"SCAN (?!CONSTANT)|TEMP B-TREE", step)] == []


def test_a_look_begins_what_is_due_first_and_no_more_than_it_may(connection: sqlite3.Connection) -> None:
    """In the order of due times, of one function only; it tells when the next is due and how old the oldest is."""
    for number in (3, 1, 2):
        assert rows.insert(connection, event(number), due_at=float(number))
    rows.insert(connection, event(9), due_at=390.0)
    rows.insert(connection, event(0, "audit"), due_at=0.0)
    found = rows.look(connection, rows.Sought("orders", now=100.0, begin=2, too_old_before=0.0))
    assert [(one.request_id, one.runs, one.payload) for one in found.begun] == [("r1", 1, b"1"), ("r2", 1, b"1")]
    assert (found.next_due, found.oldest, found.over) == (3.0, 1.0, [])
    found = rows.look(connection, rows.Sought("orders", now=100.0, begin=5, too_old_before=0.0))
    assert [one.request_id for one in found.begun] == ["r3"]
    assert found.next_due == 390.0


def test_what_is_too_old_is_never_begun(connection: sqlite3.Connection) -> None:
    """It is found, oldest first, also when it is not due yet; what runs is left alone."""
    for number in range(5):
        rows.insert(connection, event(number), due_at=250.0 if number == 1 else float(number))
    rows.look(connection, rows.Sought("orders", now=0.0, begin=1, too_old_before=0.0))
    found = rows.look(connection, rows.Sought("orders", now=100.0, begin=9, too_old_before=3.0))
    assert [one.request_id for one in found.over] == ["r1", "r2"]
    assert [one.request_id for one in found.begun] == ["r3", "r4"]


def test_a_clock_that_was_set_back_makes_nothing_wait_for_years(connection: sqlite3.Connection) -> None:
    """No wait is longer than five minutes, so a later due time is none."""
    rows.insert(connection, event(1), due_at=1e9)
    rows.insert(connection, event(2), due_at=1_200.0)
    kept = rows.recover(connection, now=1_000.0)
    assert kept.queued == {"orders": (2, 1_200, 1.0)}
    assert rows.look(connection, rows.Sought("orders", now=1_000.0, begin=9, too_old_before=0.0)).next_due == 1_200.0


def test_an_event_that_ends_the_process_each_time_is_begun_after_growing_waits(connection: sqlite3.Connection) -> None:
    """And costs no retry: nobody knows how the attempt ended."""
    rows.insert(connection, event(1), due_at=1.0)
    now, waits = 100.0, []
    for _ in range(4):
        [begun] = rows.look(connection, rows.Sought("orders", now=now, begin=1, too_old_before=0.0)).begun
        assert begun.failures == 0
        assert rows.recover(connection, now).interrupted == 1
        due = rows.look(connection, rows.Sought("orders", now=now, begin=0, too_old_before=0.0)).next_due
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_probe_leaves_nothing(connection: sqlite3.Connection) -> None:
    """But it did write."""
    before = connection.total_changes
    rows.probe(connection)
    assert connection.total_changes > before
    assert connection.execute("SELECT count(*) FROM invocations").fetchone() == (0,)


def test_tables_and_indexes_carry_the_name_of_their_room(connection: sqlite3.Connection) -> None:
    """So that rooms do not meet in the state's file."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")]
    assert names
    assert all(name.startswith(TABLES.room) for name in names)
