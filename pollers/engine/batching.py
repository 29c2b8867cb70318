"""When a batch is complete: size, window, exact payload (docs/lambda 2.1). A decider, the same for every source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handlers.function import PAYLOAD_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the records of an event, which is the source's own: a JSON object, one member of which is their array.

    ``head`` ends with the array's opening bracket, ``tail`` begins with its closing one. Between records stands a comma, since
    they are JSON.
    """

    head: bytes
    tail: bytes
    size_bytes: int = field(init=False)
    """What an event weighs without any record; it counts towards the payload limit."""

    def __post_init__(self) -> None:
        # Kept, as each message of a queue is compared with what an event has room for.
        object.__setattr__(self, "size_bytes", len(self.head) + len(self.tail))

    def with_members(self, *members: bytes) -> Envelope:
        """This one with further members of the object (``"name":value``) behind the records."""
        return Envelope(self.head, b"%b,%b}" % (self.tail[:-1], b",".join(members)))


RECORDS = Envelope(b'{"Records":[', b"]}")
"""What stands around the records in the events of SQS, Kinesis and DynamoDB Streams."""


def join_event(records: Sequence[bytes], envelope: Envelope) -> bytes:
    """The event of encoded records: one join, nothing encoded again (docs/design, decision 2)."""
    if not records:
        return envelope.head + envelope.tail
    # Head and tail go into the join itself, so that megabytes are copied once and not three times.
    parts = list(records)
    parts[0] = envelope.head + parts[0]
    parts[-1] += envelope.tail
    return b",".join(parts)


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a batch: so many records, so many seconds, or an event of so many bytes with its ``envelope``."""

    size: int
    window_seconds: float = 0.0
    payload_bytes: int = PAYLOAD_LIMIT_BYTES
    envelope: Envelope = RECORDS

    def deliverable(self, record_bytes: int) -> bool:
        """Whether a record of this length fits into an event at all, alone."""
        return self.envelope.size_bytes + record_bytes <= self.payload_bytes

    def leading(self, sizes: Iterable[int]) -> int:
        """How many of the leading records make one batch, by size and payload; 0 when the first alone is too large."""
        count, total = 0, self.envelope.size_bytes - 1
        for record_bytes in sizes:
            total += record_bytes + 1
            if total > self.payload_bytes or count == self.size:
                break
            count += 1
        return count


class Gather:
    """One batch while it is gathered.

    The window opens with :meth:`open`, when the first poll for this batch begins: as soon as the previous invocation has completed
    and there is a permit (docs/lambda 0.1(1)). A window that ran out empty opens again with the first record, so no record
    ever waits for longer than one window. Without a window a batch is ready as soon as it has a record.
    """

    __slots__ = ("_limits", "_opened_at", "_refused", "count", "size_bytes")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._opened_at: float | None = None
        self._refused = False
        self.count = 0
        self.size_bytes = limits.envelope.size_bytes

    def open(self, now: float) -> None:
        """Begin the window, unless it has begun."""
        if self._opened_at is None:
            self._opened_at = now

    def offer(self, record_bytes: int, now: float) -> bool:
        """Take one more record of this length, or refuse it for the next batch, which makes this one full.

        A record that is not :meth:`Limits.deliverable` must not be offered.
        """
        if self.full:
            return False
        size_bytes = self.size_bytes + record_bytes + (1 if self.count else 0)
        if size_bytes > self._limits.payload_bytes:
            self._refused = True
            return False
        if not self.count and (self._opened_at is None or now >= self._opened_at + self._limits.window_seconds):
            self._opened_at = now
        self.size_bytes = size_bytes
        self.count += 1
        return True

    @property
    def full(self) -> bool:
        """Whether it takes no further record: by size, or because one did not fit."""
        return self._refused or self.count >= self._limits.size

    @property
    def due_at(self) -> float | None:
        """When its window ends; None while it has no record."""
        if not self.count or self._opened_at is None:
            return None
        return self._opened_at + self._limits.window_seconds

    def ready(self, now: float) -> bool:
        """Whether it should be invoked now."""
        if self.full:
            return True
        due_at = self.due_at
        return due_at is not None and now >= due_at
