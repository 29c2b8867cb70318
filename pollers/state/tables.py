"""What a room keeps in the state: its declaration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one room, and how they came to be.

    ``steps``: for each version the SQL statements that lead to it, the first from nothing. A released step is never changed; a
    change of the tables is one more step, which finds the rows of users. Tables and indexes are named after the room
    (``invocations``, ``invocations_due``), so that rooms do not meet.
    """

    room: str
    steps: tuple[tuple[str, ...], ...]

    @property
    def version(self) -> int:
        """The present version, which is also the number of steps."""
        return len(self.steps)
