"""The queue as rows: operations on a connection inside a transaction, which others may share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pollers.destinations.ended import Condition
from pollers.invocations.deciding import LONGEST_SECONDS, back_off
from pollers.invocations.event import QueuedEvent
from pollers.storage import StoreUnwritable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from pollers.invocations.event import Owed
    from pollers.storage.writer import Operation

_INSERT = (
    "INSERT INTO invocations (function, request_id, accepted_at, due_at, size, payload) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING"
)
_EVENT = "id, function, request_id, accepted_at, size, runs, failures, stumbles, response, function_error"
_DUE = (
    "SELECT id FROM invocations WHERE condition IS NULL AND running = 0 AND function = ? AND due_at <= ? AND accepted_at >= ? "
    "ORDER BY due_at LIMIT ?"
)
# Durable before the function is begun: after a crash the count is not too low.
_BEGIN = f"UPDATE invocations SET running = 1, runs = runs + 1 WHERE id = ? RETURNING {_EVENT}, payload"  # noqa: S608 - constants
_TOO_OLD = (
    f"SELECT {_EVENT} FROM invocations WHERE condition IS NULL AND running = 0 AND function = ? AND accepted_at < ? "  # noqa: S608
    "ORDER BY accepted_at LIMIT ?"
)
_ALL_DUE = (
    f"SELECT {_EVENT} FROM invocations WHERE condition IS NULL AND running = 0 AND function = ? AND due_at <= ? "  # noqa: S608
    "ORDER BY due_at LIMIT ?"
)
_NEXT_DUE = "SELECT min(due_at) FROM invocations WHERE condition IS NULL AND running = 0 AND function = ?"
_LAST_DUE = "SELECT max(due_at) FROM invocations WHERE condition IS NULL AND running = 0 AND function = ?"
# The clock has been set back: nothing waits for longer than this.
_DUE_NOW = "UPDATE invocations SET due_at = ? WHERE condition IS NULL AND running = 0 AND function = ? AND due_at > ?"
_OLDEST = "SELECT min(accepted_at) FROM invocations WHERE condition IS NULL AND function = ?"
_END = (
    "UPDATE invocations SET condition = ?, ended_at = ?, running = 0, runs = ?, response = ?, function_error = ?, size = ? "
    "WHERE id = ?"
)
_OWE = "INSERT INTO invocations_deliveries (invocation, role, target, due_at) VALUES (?, ?, ?, ?)"
_AGAIN = (
    "UPDATE invocations SET due_at = ?, running = 0, runs = ?, failures = ?, stumbles = ?, response = ?, function_error = ?, "
    "size = ? WHERE id = ?"
)
_REPORTS = (
    "SELECT d.id, d.role, d.tries, i.condition, i.ended_at, "
    "i.id, i.function, i.request_id, i.accepted_at, i.size, i.runs, i.failures, i.stumbles, i.response, i.function_error, "
    "i.payload FROM invocations_deliveries d JOIN invocations i ON i.id = d.invocation "
    "WHERE d.target = ? AND d.due_at <= ? ORDER BY d.due_at LIMIT ?"
)
_NEXT_REPORT = "SELECT min(due_at) FROM invocations_deliveries WHERE target = ?"
_LAST_REPORT = "SELECT max(due_at) FROM invocations_deliveries WHERE target = ?"
_REPORTS_NOW = "UPDATE invocations_deliveries SET due_at = ? WHERE target = ? AND due_at > ?"
_NOTHING_OWED = (
    "DELETE FROM invocations WHERE id = ? AND NOT EXISTS (SELECT 1 FROM invocations_deliveries WHERE invocation = ?)"
)


def insert(connection: sqlite3.Connection, event: QueuedEvent, due_at: float) -> bool:
    """Keep an event; False when one of this function and request id is known, which stays as it is."""
    values = (event.function, event.request_id, event.accepted_at, due_at, event.size, event.payload)
    return connection.execute(_INSERT, values).rowcount == 1


@dataclass(slots=True)
class Look:
    """One look at a function's events: those that were ``begun``, some that are over unless they run (``over``), when the next one
    is due, and when the oldest one was accepted. ``cramped``: none was begun, for want of room on the disk.
    """

    begun: list[QueuedEvent] = field(default_factory=list)
    over: list[QueuedEvent] = field(default_factory=list)
    next_due: float | None = None
    oldest: float | None = None
    cramped: bool = False


@dataclass(frozen=True, slots=True)
class Sought:
    """What a look looks for: events that are due at ``now``, at most ``begin`` of them to be begun.

    Events accepted before ``too_old_before`` are over, with ``refused`` all that are due are; at most ``most_over`` at a time.
    ``room`` is asked before any is begun, if it is given.
    """

    function: str
    now: float
    begin: int
    too_old_before: float
    refused: bool = False
    most_over: int = 100
    room: Operation[bool] | None = None


def look(connection: sqlite3.Connection, sought: Sought) -> Look:
    """Begin events that are due, and see what else there is. With ``begin`` 0 it writes only after the clock was set back."""
    function, now, old = sought.function, sought.now, sought.too_old_before
    [last] = connection.execute(_LAST_DUE, (function,)).fetchone()
    if last is not None and last > now + LONGEST_SECONDS:
        connection.execute(_DUE_NOW, (now, function, now + LONGEST_SECONDS))
    found = Look(oldest=connection.execute(_OLDEST, (function,)).fetchone()[0])
    if found.oldest is not None and found.oldest < old:
        found.over = _events(connection.execute(_TOO_OLD, (function, old, sought.most_over)))
    if sought.refused and not found.over:
        found.over = _events(connection.execute(_ALL_DUE, (function, now, sought.most_over)))
    found.cramped = bool(sought.begin) and sought.room is not None and not sought.room(connection)
    if sought.begin and not sought.refused and not found.cramped:
        for (one,) in connection.execute(_DUE, (function, now, old, sought.begin)).fetchall():
            [row] = connection.execute(_BEGIN, (one,)).fetchall()
            found.begun.append(_event(row[:-1], row[-1]))
    found.next_due = connection.execute(_NEXT_DUE, (function,)).fetchone()[0]
    return found


def again(connection: sqlite3.Connection, event: QueuedEvent, due_at: float) -> None:
    """Put an event back as it stands now, due at ``due_at``."""
    values = (event.runs, event.failures, event.stumbles, event.response, event.function_error, event.size)
    connection.execute(_AGAIN, (due_at, *values, event.id))


def end(
    connection: sqlite3.Connection,
    events: Iterable[QueuedEvent],
    condition: Condition,
    reports: Sequence[Owed],
    now: float,
    room: Operation[bool] | None = None,
) -> None:
    """End invocations. What nobody is told of is forgotten at once; else the end and what it owes are one write.

    Raises StoreUnwritable where there is no ``room`` for their answers; then nothing was written.
    """
    if room is not None and not room(connection):
        raise StoreUnwritable("the disk has no room for an answer beside what those need that are queued")
    for event in events:
        if not reports:
            connection.execute("DELETE FROM invocations WHERE id = ?", (event.id,))
            continue
        values = (event.runs, event.response, event.function_error, event.size)
        connection.execute(_END, (condition.value, now, *values, event.id))
        connection.executemany(_OWE, [(event.id, one.role.value, one.target, now) for one in reports])


@dataclass(slots=True)
class Report:
    """A report that is due to a target: ``role`` says what of the end of ``event`` is told. ``tries`` have failed so far."""

    id: int
    role: str
    tries: int
    condition: Condition
    ended_at: float
    event: QueuedEvent


def reports(connection: sqlite3.Connection, target: str, now: float, most: int) -> tuple[list[Report], float | None]:
    """The reports that are due to a target, and when the next of them is due (one of these, if there are any)."""
    [last] = connection.execute(_LAST_REPORT, (target,)).fetchone()
    if last is not None and last > now + LONGEST_SECONDS:
        connection.execute(_REPORTS_NOW, (now, target, now + LONGEST_SECONDS))
    found = [
        Report(one, role, tries, Condition(condition), ended_at, _event(event, payload))
        for one, role, tries, condition, ended_at, *event, payload in connection.execute(_REPORTS, (target, now, most))
    ]
    return found, connection.execute(_NEXT_REPORT, (target,)).fetchone()[0]


def reported(connection: sqlite3.Connection, report: Report) -> bool:
    """A report was delivered or given up; whether its event is forgotten with it, since nothing else is owed."""
    connection.execute("DELETE FROM invocations_deliveries WHERE id = ?", (report.id,))
    return connection.execute(_NOTHING_OWED, (report.event.id, report.event.id)).rowcount == 1


def report_later(connection: sqlite3.Connection, report: Report, due_at: float) -> None:
    """A delivery failed."""
    statement = "UPDATE invocations_deliveries SET tries = tries + 1, due_at = ? WHERE id = ?"
    connection.execute(statement, (due_at, report.id))


def probe(connection: sqlite3.Connection) -> None:
    """Write something, and leave nothing of it."""
    added = connection.execute(
        "INSERT INTO invocations (function, request_id, accepted_at, due_at, size, payload) VALUES ('', '', 0, 0, 0, '')"
    )
    connection.execute("DELETE FROM invocations WHERE id = ?", (added.lastrowid,))


@dataclass(slots=True)
class Kept:
    """What is on the disk.

    ``queued`` has by function the number of events, the sum of their sizes and when the oldest was accepted; ``ended`` has number
    and sizes of those whose end is still to be reported; ``reports`` their number by target. ``interrupted``: were running.
    """

    queued: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    ended: dict[str, tuple[int, int]] = field(default_factory=dict)
    reports: dict[str, int] = field(default_factory=dict)
    interrupted: int = 0


def recover(connection: sqlite3.Connection, now: float) -> Kept:
    """Put back what an earlier process had begun, and count what is there.

    The function may have done its work, and nobody knows. That costs no retry, but it waits: an event that makes the whole
    process die must not do so without end.
    """
    begun = connection.execute(
        "SELECT id, stumbles FROM invocations WHERE condition IS NULL AND running = 1"
    ).fetchall()
    connection.executemany(
        "UPDATE invocations SET running = 0, stumbles = ?, due_at = ? WHERE id = ?",
        [(stumbles + 1, now + back_off(stumbles + 1), one) for one, stumbles in begun],
    )
    # The clock has been set back: nothing waits for longer than this.
    statement = "UPDATE invocations SET due_at = ? WHERE condition IS NULL AND running = 0 AND due_at > ?"
    connection.execute(statement, (now, now + LONGEST_SECONDS))
    connection.execute("UPDATE invocations_deliveries SET due_at = ? WHERE due_at > ?", (now, now + LONGEST_SECONDS))
    kept = count(connection)
    kept.interrupted = len(begun)
    return kept


def count(connection: sqlite3.Connection) -> Kept:
    """What is there."""
    kept = Kept()
    query = "SELECT function, count(*), sum(size), min(accepted_at) FROM invocations WHERE condition IS NULL GROUP BY function"
    for function, events, size, oldest in connection.execute(query):
        kept.queued[function] = (events, size, oldest)
    query = "SELECT function, count(*), sum(size) FROM invocations WHERE condition IS NOT NULL GROUP BY function"
    for function, events, size in connection.execute(query):
        kept.ended[function] = (events, size)
    for target, owed in connection.execute("SELECT target, count(*) FROM invocations_deliveries GROUP BY target"):
        kept.reports[target] = owed
    return kept


def _events(rows: Iterable[tuple[Any, ...]]) -> list[QueuedEvent]:
    return [_event(row) for row in rows]


def _event(row: Sequence[Any], payload: bytes = b"") -> QueuedEvent:
    one, function, request_id, accepted_at, size, runs, failures, stumbles, response, function_error = row
    event = QueuedEvent(one, function, request_id, accepted_at, size, runs, failures, stumbles)
    event.response, event.function_error, event.payload = response, bool(function_error), payload
    return event
