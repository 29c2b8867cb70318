"""What happens to events, said once for each batch (never for each record) and folded by whoever needs it.

The ledger, the metrics, the flight recorder and the console are all sinks of this one stream. ``source`` is the shard id, or
``""`` for a queue. ``ids`` are SQS message ids or sequence numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Polled:
    """A poll of the source came back, empty or not. ``behind_seconds`` is how far a stream's reader is behind its tip."""

    source: str
    count: int
    behind_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PollFailed:
    """A poll failed and is tried again in ``retry_seconds``. ``throttled`` when the service asked for less."""

    source: str
    error: str
    retry_seconds: float
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """Events are now held by this process. ``receive_counts`` (SQS) lines up with ``ids``."""

    source: str
    ids: Sequence[str]
    size_bytes: int
    receive_counts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Filtered:
    """No filter matches these events; they are done without an invocation (followed by Deleted or Checkpointed)."""

    source: str
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Invoking:
    """A batch goes to the function. ``attempt`` starts at 1. ``iterator_age_seconds`` is the age of its last record (streams)."""

    source: str
    ids: Sequence[str]
    request_id: str
    size_bytes: int
    attempt: int = 1
    gather_seconds: float = 0.0
    iterator_age_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Invoked:
    """An invocation ended. ``outcome`` is "success", "partial", "error", "throttle", "infrastructure" or "abandoned"."""

    source: str
    ids: Sequence[str]
    request_id: str
    outcome: str
    duration_seconds: float
    failed_ids: Sequence[str] = ()
    error: str | None = None
    first_payload: bytes = b""
    """The start of a failed batch's first record, at most 512 bytes, for the console (shown only when payloads are allowed)."""


@dataclass(frozen=True, slots=True)
class Extended:
    """The visibility of held messages was extended by ``seconds``; ``failed`` counts entries that were refused."""

    ids: Sequence[str]
    seconds: int
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Returned:
    """Events go back to the source, to be seen again after ``delay_seconds`` (None: when their visibility timeout runs out)."""

    source: str
    ids: Sequence[str]
    delay_seconds: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """Messages were deleted from the queue, each confirmed by the service."""

    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class DeleteRetried:
    """Deletes that failed and are tried again."""

    ids: Sequence[str]
    error: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The claim on these messages ran out or their handles are stale: they may be seen again. Never counted as deleted."""

    ids: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The checkpoint of a shard moved past ``count`` records, up to ``sequence_number``."""

    source: str
    count: int
    sequence_number: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """Stream records were given up on ("RetryAttemptsExhausted", "RecordAgeExceeded", "Oversized", "Expired", "Trimmed").

    ``destination`` is the ARN that has the failure record, or None when no destination is configured.
    """

    source: str
    ids: Sequence[str]
    condition: str
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class DestinationFailed:
    """A failure record could not be delivered and is tried again in ``retry_seconds``."""

    destination: str
    error: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class ShardSeen:
    """A shard with its parents, as far as the stream lists them."""

    source: str
    parents: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ShardEnded:
    """Every record of the shard is done."""

    source: str


@dataclass(frozen=True, slots=True)
class Depth:
    """What the queue says that it holds (approximate): ready to be received, received by somebody, delayed."""

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
    BACKING_OFF = "backing off"
    RETRYING = "retrying"
    INVOKING = "invoking"
    DELIVERING = "delivering failure record"
    STOPPING = "stopping"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Doing:
    """What ``task`` ("receive", a shard id, ...) does from now on, said when it changes; the input of "why is it idle".

    ``detail`` completes the sentence: "AccessDenied, next try in 20 s", "parent shard-1", "a batch of 40, attempt 5, ...".
    ``until_seconds`` is how long it will take from now, where that is known. ENDED removes the task.
    """

    task: str
    state: State
    detail: str = ""
    until_seconds: float | None = None


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
    | Discarded
    | DestinationFailed
    | ShardSeen
    | ShardEnded
    | Depth
    | Doing
)

Sink: TypeAlias = Callable[[str, Fact], None]
"""Takes the mapping's name and a fact; it must neither block nor raise."""


@dataclass(slots=True)
class Facts:
    """One mapping's end of the stream: what its poller calls."""

    mapping: str
    sinks: list[Sink] = field(default_factory=list)

    def emit(self, fact: Fact) -> None:
        """Hand ``fact`` to every sink, in order."""
        for sink in self.sinks:
            sink(self.mapping, fact)
