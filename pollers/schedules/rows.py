"""Schedules in the state: operations on a connection, inside a transaction that others may share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.schedules.memory import AHEAD_SECONDS, KEPT_SECONDS, Known, Memory, Outcome, Run, rule_of, seen_at

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from config.models import Schedule

FORGOTTEN_SECONDS = 400 * 86_400
"""A schedule that no configuration has had for this long is forgotten."""

_FOUND = "SELECT rule, enabled, first_seen, decided FROM schedules WHERE name = ?"
_RUNS = "SELECT due, at, outcome FROM schedules_runs WHERE schedule = ?"
_LAST = "SELECT max(due) FROM schedules_runs WHERE schedule = ?"
_SEEN = "INSERT OR REPLACE INTO schedules (name, rule, enabled, first_seen, decided, seen) VALUES (?, ?, ?, ?, ?, ?)"
_DECIDED = (
    "SELECT 1 FROM schedules_runs WHERE schedule = ? AND due = ? "
    "UNION ALL SELECT 1 FROM schedules WHERE name = ? AND decided >= ?"
)
_DECIDE = "INSERT INTO schedules_runs (schedule, due, at, outcome) VALUES (?, ?, ?, ?)"
_OLDEST = "SELECT max(due) - ? FROM schedules_runs WHERE schedule = ?"
_LET_GO = "SELECT max(due) FROM schedules_runs WHERE schedule = ? AND due < ?"


def see(connection: sqlite3.Connection, schedules: Mapping[str, Schedule], now: int) -> dict[str, Memory]:
    """Enter which schedules there are, and read what is known of them (:func:`pollers.schedules.memory.seen_at`)."""
    memories = {name: _see(connection, name, schedule, now) for name, schedule in schedules.items()}
    for (name,) in connection.execute("SELECT name FROM schedules WHERE enabled = 1").fetchall():
        if name not in schedules:
            connection.execute("UPDATE schedules SET enabled = 0 WHERE name = ?", (name,))
    _forget(connection, schedules, now)
    return memories


def _see(connection: sqlite3.Connection, name: str, schedule: Schedule, now: int) -> Memory:
    found = connection.execute(_FOUND, (name,)).fetchone()
    rule = rule_of(schedule)
    known = None if found is None else Known(found[0], bool(found[1]), found[2], found[3])
    ahead = known is not None and _seen_ahead(connection, name, known.decided, now)
    first_seen, decided = seen_at(now, known, rule, enabled=schedule.enabled, ahead=ahead)
    connection.execute(_SEEN, (name, rule, schedule.enabled, first_seen, decided, now))
    return Memory(first_seen, decided, _runs(connection, name))


def adopt(connection: sqlite3.Connection, name: str, memory: Memory) -> Memory:
    """Go on from what replicas share of a schedule that this process runs from now on. What it decided itself still counts.

    The times of a first sight here do not: what another had to run since then is due, if it did not.
    """
    connection.execute(
        "UPDATE schedules SET first_seen = ?, decided = ? WHERE name = ?", (memory.first_seen, memory.decided, name)
    )
    for run in memory.runs.values():
        row = (name, run.due, run.at, run.outcome.value)
        connection.execute(f"{_DECIDE} ON CONFLICT DO NOTHING", row)
    return Memory(memory.first_seen, memory.decided, _runs(connection, name))


def _runs(connection: sqlite3.Connection, name: str) -> dict[int, Run]:
    runs = (Run(due, at, Outcome(outcome)) for due, at, outcome in connection.execute(_RUNS, (name,)))
    return {run.due: run for run in runs}


def _seen_ahead(connection: sqlite3.Connection, name: str, decided: int, now: int) -> bool:
    """Whether a clock that was ahead saw the schedule: what lies before that sight was not decided, and counts anew.

    Where due times were let go that far ahead, the last run lies further ahead still.
    """
    if decided <= now + AHEAD_SECONDS:
        return False
    [(last,)] = connection.execute(_LAST, (name,)).fetchall()
    return last is None or last <= decided + KEPT_SECONDS


def _forget(connection: sqlite3.Connection, schedules: Mapping[str, Schedule], now: int) -> None:
    query = "SELECT name FROM schedules WHERE seen < ?"
    for (name,) in connection.execute(query, (now - FORGOTTEN_SECONDS,)).fetchall():
        if name not in schedules:
            connection.execute("DELETE FROM schedules WHERE name = ?", (name,))
            connection.execute("DELETE FROM schedules_runs WHERE schedule = ?", (name,))


def decide(connection: sqlite3.Connection, name: str, run: Run) -> bool:
    """Enter what becomes of a due time; False, and nothing is written, when that was decided before."""
    if connection.execute(_DECIDED, (name, run.due, name, run.due)).fetchone() is not None:
        return False
    connection.execute(_DECIDE, (name, run.due, run.at, run.outcome.value))
    [(oldest,)] = connection.execute(_OLDEST, (KEPT_SECONDS, name)).fetchall()
    [(let_go,)] = connection.execute(_LET_GO, (name, oldest)).fetchall()
    if let_go is not None:
        connection.execute("UPDATE schedules SET decided = max(decided, ?) WHERE name = ?", (let_go, name))
        connection.execute("DELETE FROM schedules_runs WHERE schedule = ? AND due < ?", (name, oldest))
    return True
