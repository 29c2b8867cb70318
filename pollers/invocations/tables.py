"""The tables of the state that the asynchronous queue is kept in."""

from __future__ import annotations

from pollers.state.tables import Tables

TABLES = Tables(
    "invocations",
    (
        (
            """CREATE TABLE invocations (
                id INTEGER PRIMARY KEY,
                function TEXT NOT NULL,
                request_id TEXT NOT NULL,
                accepted_at REAL NOT NULL,
                due_at REAL NOT NULL,
                size INTEGER NOT NULL,
                runs INTEGER NOT NULL DEFAULT 0,
                failures INTEGER NOT NULL DEFAULT 0,
                stumbles INTEGER NOT NULL DEFAULT 0,
                running INTEGER NOT NULL DEFAULT 0,
                condition TEXT,
                ended_at REAL,
                function_error INTEGER NOT NULL DEFAULT 0,
                response BLOB,
                payload BLOB NOT NULL
            )""",
            "CREATE UNIQUE INDEX invocations_known ON invocations (function, request_id)",
            "CREATE INDEX invocations_due ON invocations (function, due_at) WHERE condition IS NULL AND running = 0",
            "CREATE INDEX invocations_age ON invocations (function, accepted_at, size) WHERE condition IS NULL",
            "CREATE INDEX invocations_ended ON invocations (function, size) WHERE condition IS NOT NULL",
            """CREATE TABLE invocations_deliveries (
                id INTEGER PRIMARY KEY,
                invocation INTEGER NOT NULL REFERENCES invocations (id),
                role TEXT NOT NULL,
                target TEXT NOT NULL,
                due_at REAL NOT NULL,
                tries INTEGER NOT NULL DEFAULT 0
            )""",
            "CREATE INDEX invocations_deliveries_due ON invocations_deliveries (target, due_at)",
            "CREATE INDEX invocations_deliveries_of ON invocations_deliveries (invocation)",
        ),
    ),
)
"""A row for each event that was accepted, until its invocation has ended and nobody waits for a report of that any more.

``condition`` and ``ended_at`` are set with the end. ``size`` is what the row is counted with against the bound of the queue.
The payload comes last: reading the other columns of a large event then reads none of its pages.
"""
