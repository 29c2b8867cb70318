"""Facts: what happens to events. One fact is emitted for each batch, never for each record.

The ledger, the metrics, the recorder and the console are all sinks of this one stream. ``source`` is the shard id, or ``""`` for a
queue. ``ids`` are SQS message ids or sequence numbers. Facts are values and are never changed. They are not frozen only because
a frozen dataclass takes five times as long to make, and several are made for every batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Polled:
    """A poll of the source came back, empty or not. ``behind_seconds`` is how far a stream's reader is behind its tip."""

    source: str
    count: int
    behind_seconds: float | None = None


@dataclass(slots=True)
class PollFailed:
    """A poll failed and is tried again in ``retry_seconds``. ``throttled`` when the service asked for less."""

    source: str
    error: str
    retry_seconds: float
    throttled: bool = False


@dataclass(slots=True)
class Received:
    """Events are now held by this process. ``receive_counts`` (SQS) lines up with ``ids``."""

    source: str
    ids: Sequence[str]
    size_bytes: int
    receive_counts: Sequence[int] = ()


@dataclass(slots=True)
class Filtered:
    """No filter matches these events, so the function does not get them. Deleted or Checkpointed follows."""

    source: str
    ids: Sequence[str]


@dataclass(slots=True)
class Invoking:
    """A batch goes to the function. ``attempt`` starts at 1. ``iterator_age_seconds`` is the age of its last record (streams).

    ``trace_headers`` are the different trace contexts of its messages; filled only where ``Facts.traced`` asks for them.
    """

    source: str
    ids: Sequence[str]
    request_id: str
    size_bytes: int
    attempt: int = 1
    gather_seconds: float = 0.0
    iterator_age_seconds: float | None = None
    trace_headers: Sequence[str] = ()


class Outcome(StrEnum):
    """How an invocation ended. The texts are those of metrics, traces and the console."""

    SUCCESS = "success"
    """The function accepted the whole batch."""
    PARTIAL = "partial"
    """It ran and reported some events of the batch as failed."""
    ERROR = "error"
    """It ran and failed, or its response could not be read."""
    THROTTLE = "throttle"
    """It did not run: it is at its limit."""
    INFRASTRUCTURE = "infrastructure"
    """It did not run, or that is not known, and the reason is not the function itself."""
    ABANDONED = "abandoned"
    """The invocation was cut short by a stop, or by a crash of ours."""


NOT_RUN = (Outcome.THROTTLE, Outcome.INFRASTRUCTURE)
"""The function did not run, so it is invoked with the same batch again."""


@dataclass(slots=True)
class Invoked:
    """An invocation ended."""

    source: str
    ids: Sequence[str]
    request_id: str
    outcome: Outcome
    duration_seconds: float
    failed_ids: Sequence[str] = ()
    error: str | None = None
    first_payload: bytes = b""
    """The start of the payload of a failed batch's first record, at most 512 bytes (shown only when payloads are allowed)."""


@dataclass(slots=True)
class Extended:
    """The visibility of held messages was extended by ``seconds``; ``failed`` counts entries that were refused."""

    ids: Sequence[str]
    seconds: int
    failed: int = 0


@dataclass(slots=True)
class Returned:
    """Events go back to the source and can be received again after ``delay_seconds`` (None: when their visibility timeout ends)."""

    source: str
    ids: Sequence[str]
    delay_seconds: float | None
    reason: str


@dataclass(slots=True)
class Deleted:
    """Messages were deleted from the queue, each confirmed by the service."""

    ids: Sequence[str]


@dataclass(slots=True)
class DeleteRetried:
    """Deletes that failed and are tried again."""

    ids: Sequence[str]
    error: str


@dataclass(slots=True)
class Expired:
    """The visibility timeout of these messages ended, or their handles are stale: they may be received again.
    Not counted as deleted.
    """

    ids: Sequence[str]
    reason: str


@dataclass(slots=True)
class Checkpointed:
    """The checkpoint of a shard moved past ``count`` records, up to ``sequence_number``."""

    source: str
    count: int
    sequence_number: str


@dataclass(slots=True)
class WriteRefused:
    """The checkpoint store did not write; ``error`` says why. Empty: it writes again."""

    error: str


class DiscardCondition(StrEnum):
    """Why stream records were discarded. The first two are Lambda's own texts (docs/lambda 4.10)."""

    RETRY_ATTEMPTS_EXHAUSTED = "RetryAttemptsExhausted"
    RECORD_AGE_EXCEEDED = "RecordAgeExceeded"
    OVERSIZED = "Oversized"
    """A record whose event alone exceeds 6 MiB (docs/lambda 4.8). AWS publishes no text for it; this one is ours."""
    EXPIRED = "Expired"
    """The records have left the stream's retention while they were being retried: the source no longer has them."""
    TRIMMED = "Trimmed"
    """The records have left the stream's retention before they were read."""


@dataclass(slots=True)
class Discarded:
    """Stream records were discarded.

    ``destination`` is the ARN that has the failure record, or None when no destination is configured.
    """

    source: str
    ids: Sequence[str]
    condition: DiscardCondition
    destination: str | None = None


@dataclass(slots=True)
class DestinationFailed:
    """A failure record could not be delivered and is tried again in ``retry_seconds``."""

    destination: str
    error: str
    retry_seconds: float


@dataclass(slots=True)
class ShardSeen:
    """A shard with its parents, as far as the stream lists them. ``ended``: its checkpoint says that every record of it is done."""

    source: str
    parents: Sequence[str] = ()
    ended: bool = False


@dataclass(slots=True)
class Listed:
    """The stream's shards were listed: ``shards`` of them."""

    shards: int


@dataclass(slots=True)
class ShardEnded:
    """Every record of the shard is done."""

    source: str


@dataclass(slots=True)
class EndDoubted:
    """Replies say that the shard has ended, and nothing confirms it: it is read on. ``why`` is "" when they no longer say so."""

    source: str
    why: str


@dataclass(slots=True)
class EndRevoked:
    """A checkpoint says that the shard has ended, while the stream lists it as open: it is read again from its last record."""

    source: str


@dataclass(slots=True)
class Depth:
    """How many messages the queue reports (approximate): ready to be received, received but not deleted, delayed."""

    visible: int
    in_flight: int
    delayed: int


class State(StrEnum):
    """What a task of a mapping is doing."""

    STARTING = "starting"
    POLLING = "polling"
    WAITING_FOR_PERMIT = "waiting for a permit"
    WAITING_FOR_PARENT = "waiting for parent"
    WAITING_FOR_ROOM = "waiting for room"
    WAITING_FOR_WRITE = "waiting for a checkpoint to be written"
    WAITING_FOR_LEASE = "waiting for the lease of its shard to be renewed"
    READ_ELSEWHERE = "read by another replica"
    BACKING_OFF = "backing off"
    RETRYING = "retrying"
    INVOKING = "invoking"
    DELIVERING = "delivering failure record"
    STOPPING = "stopping"
    ENDED = "ended"


MAPPING_TASK = "mapping"
"""The task of :class:`Doing` that is the mapping as a whole: starting, or waiting after it broke down."""
RECEIVE_TASK = "receive"
"""The task that receives from a queue, whose polls name no source. A stream has one task for each shard, with the shard's id."""
OPENING_TASK = "stream"
"""The task that opens a stream and lists its shards: it ends with an answer, and while it lists after each wait, too."""


@dataclass(slots=True)
class Doing:
    """What ``task`` (:data:`RECEIVE_TASK`, a shard id, ...) does from now on, emitted when that changes: the input of the
    sentence that says why a mapping is idle.

    ``detail`` completes the sentence: "AccessDenied, next try in 20 s", "parent shard-1", "a batch of 40, attempt 5, ...".
    ``until_seconds`` is how long it will take from now, where that is known. ENDED removes the task.
    """

    task: str
    state: State
    detail: str = ""
    until_seconds: float | None = None


@dataclass(slots=True)
class Removed:
    """The mapping was removed from the configuration: no more facts follow, and its counts may be dropped."""


Fact: TypeAlias = (
    Polled
    | PollFailed
    | Received
    | Filtered
    | Invoking
    | Invoked
    | Extended
    | Returned
    | Deleted
    | DeleteRetried
    | Expired
    | Checkpointed
    | WriteRefused
    | Discarded
    | DestinationFailed
    | ShardSeen
    | Listed
    | ShardEnded
    | EndDoubted
    | EndRevoked
    | Depth
    | Doing
    | Removed
)
