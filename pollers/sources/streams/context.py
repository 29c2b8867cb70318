"""What all shards of one mapping share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.engine.batching import Limits
from pollers.sources.streams.retries import Rules

if TYPE_CHECKING:
    from config.models import StreamMapping
    from pollers.engine.poller import Surroundings
    from pollers.sources.streams.current_stream import CurrentStream
    from pollers.sources.streams.discarding import Discarder
    from pollers.sources.streams.intake import RecordMatcher
    from pollers.sources.streams.pacing import ReadAhead
    from pollers.sources.streams.source import StreamSource
    from pollers.sources.streams.task_reports import TaskReports


@dataclass(slots=True)
class StreamContext:
    """One mapping's settings, collaborators and shared bounds. ``record_filter`` None: every record is for the function.

    ``counts_user_records``: the store wants to be told of aggregates. ``window_state_bytes``: how large a window's state may be
    for the store, None for any size.
    """

    mapping: StreamMapping
    stream: CurrentStream
    record_filter: RecordMatcher | None
    discarder: Discarder
    surroundings: Surroundings
    reports: TaskReports
    read_ahead: ReadAhead
    counts_user_records: bool = False
    window_state_bytes: int | None = None

    @property
    def source(self) -> StreamSource:
        """The stream's source."""
        return self.stream.source

    @property
    def lanes(self) -> int:
        """How many lanes a shard has.

        One where a state is carried along (see :mod:`pollers.sources.streams.windows`), and where positions have no order
        (see :mod:`pollers.sources.streams.done_ahead`).
        """
        if self.mapping.window_length_seconds or not self.source.positions.ordered:
            return 1
        return self.mapping.lanes

    @property
    def limits(self) -> Limits:
        """What ends a batch."""
        mapping = self.mapping
        return Limits(mapping.batch_size, mapping.batching_window_seconds, envelope=self.source.envelope)

    @property
    def rules(self) -> Rules:
        """How failures are dealt with."""
        mapping = self.mapping
        attempts, age = mapping.maximum_retry_attempts, mapping.maximum_record_age_in_seconds
        return Rules(
            maximum_retry_attempts=None if attempts < 0 else attempts,
            maximum_record_age_seconds=None if age < 0 else float(age),
            bisect=mapping.bisects,
            retention_seconds=self.stream.description.retention_seconds,
        )
