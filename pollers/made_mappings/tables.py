"""The table of the state that made mappings are kept in."""

from __future__ import annotations

from pollers.state.tables import Tables

TABLES = Tables(
    "made_mappings",
    (
        (
            """CREATE TABLE made_mappings (
                uuid TEXT PRIMARY KEY,
                document TEXT NOT NULL,
                seal INTEGER NOT NULL
            )""",
        ),
    ),
)
"""A row for each mapping; ``document`` is :mod:`pollers.made_mappings.documents`'s, ``seal`` a checksum over both.

Documents that an earlier Headrace could not read need one more step, if only an empty one: it refuses the file then.
"""
