"""Filters and encodes the records of a page, in turns that leave the event loop to others in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.aws.api import Wire

ENCODED_AT_ONCE = 1_000
"""Records encoded before the event loop gets its turn (a few milliseconds)."""
FILTERED_AT_ONCE = 200
"""The same with filters, which may have to parse every record."""


class RecordMatcher(Protocol):
    """As :class:`pollers.filtering.RecordFilter` is: says which wire records are for the function."""

    def matches(self, record: Wire) -> bool:
        """Whether this one is. Never raises."""


async def matching(record_filter: RecordMatcher | None, records: list[Wire]) -> list[bool] | None:
    """Which records are for the function; None: all, since there is no filter."""
    if record_filter is None:
        return None
    choice: list[bool] = []
    for start in range(0, len(records), FILTERED_AT_ONCE):
        if start:
            await anyio.lowlevel.checkpoint()
        choice += map(record_filter.matches, records[start : start + FILTERED_AT_ONCE])
    return choice


async def encoded(encode: Callable[[list[Wire]], list[bytes]], records: list[Wire]) -> list[bytes]:
    """Their event records."""
    if len(records) <= ENCODED_AT_ONCE:
        return encode(records)
    events: list[bytes] = []
    for start in range(0, len(records), ENCODED_AT_ONCE):
        events += encode(records[start : start + ENCODED_AT_ONCE])
        await anyio.lowlevel.checkpoint()
    return events
