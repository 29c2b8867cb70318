"""The table of the state that made functions are kept in."""

from __future__ import annotations

from pollers.state.tables import Tables

TABLES = Tables(
    "made_functions",
    (
        (
            """CREATE TABLE made_functions (
                name TEXT PRIMARY KEY,
                document TEXT NOT NULL,
                seal INTEGER NOT NULL
            )""",
        ),
    ),
)
"""A row for each function; ``document`` is :mod:`pollers.made_functions.documents`'s, ``seal`` a checksum over both.

Documents that an earlier Headrace could not read need one more step, if only an empty one: it refuses the file then.
"""
