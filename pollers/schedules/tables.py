"""The tables of the state that schedules are kept in."""

from __future__ import annotations

from pollers.state.tables import Tables

TABLES = Tables(
    "schedules",
    (
        (
            """CREATE TABLE schedules (
                name TEXT PRIMARY KEY,
                rule TEXT NOT NULL,
                enabled INTEGER NOT NULL,
                first_seen INTEGER NOT NULL,
                decided INTEGER NOT NULL,
                seen INTEGER NOT NULL
            ) WITHOUT ROWID""",
            """CREATE TABLE schedules_runs (
                schedule TEXT NOT NULL,
                due INTEGER NOT NULL,
                at INTEGER NOT NULL,
                outcome TEXT NOT NULL,
                PRIMARY KEY (schedule, due)
            ) WITHOUT ROWID""",
        ),
    ),
)
"""A row for each schedule that was ever seen, and one for each of its last due times of which was decided what becomes of them.

All times are whole seconds since the epoch. ``rule`` is what its due times follow from, ``first_seen`` when it was first seen with
that. No due time at or before ``decided`` runs any more. ``seen`` is when a process last had it.
"""
