"""Which records of a shard are aggregates of user records, for checkpoints that are shared with the Kinesis Client Library.

Its checkpoint names a user record. One that Headrace gives back must name an aggregate's last one, or the library would deliver all
but the first again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.lowlevel

from pollers.sources.streams.positions import is_after

if TYPE_CHECKING:
    from pollers.aws.api import Wire
    from pollers.sources.streams.source import StreamSource

COUNTED_AT_ONCE = 100
"""Records looked at before the event loop gets its turn: an aggregate of 1 MiB takes a few milliseconds."""


class UserRecords:
    """The aggregates of one shard that no written checkpoint covers. ``wanted`` False: the store does not ask for them."""

    def __init__(self, source: StreamSource, *, wanted: bool) -> None:
        self._source = source
        self._wanted = wanted
        self._last: dict[str, int] = {}

    async def look(self, records: list[Wire]) -> None:
        """Records were read that follow those looked at before."""
        if not self._wanted:
            return
        for start in range(0, len(records), COUNTED_AT_ONCE):
            if start:
                await anyio.lowlevel.checkpoint()
            page = records[start : start + COUNTED_AT_ONCE]
            if counts := self._source.user_records(page):
                numbers = self._source.sequence_numbers(page)
                self._last.update({numbers[index]: max(0, count - 1) for index, count in counts.items()})

    def last_of(self, sequence_number: str | None) -> int | None:
        """The number of the last user record of this record, from 0; None where it is no aggregate."""
        return None if sequence_number is None else self._last.get(sequence_number)

    def written(self, sequence_number: str | None) -> None:
        """A checkpoint at this record has been written: those up to it are not asked for again."""
        while self._last and sequence_number is not None:
            first = next(iter(self._last))
            if is_after(self._source.positions, first, sequence_number) is not False:
                return
            del self._last[first]
