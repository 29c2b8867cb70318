"""What a kind of source declares: all that the rest of Headrace needs to know of it, in one place.

Nothing here has a default. What a kind does not have it says itself (None), so a declaration that lacks something fails when it
is imported. :mod:`pollers.sources.registry` knows every declaration.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from config.models import Mapping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from pollers.aws.api import Aws, AwsService
    from pollers.aws.findings import Finding
    from pollers.checkpoints.store import CheckpointStore
    from pollers.engine.poller import Poller, Surroundings
    from pollers.filtering import RecordFilter, View
    from pollers.telemetry.facts import Depth
    from pollers.telemetry.payloads import PayloadStart


class Backlog(StrEnum):
    """What tells how far a mapping is from the end of its source. Values are names of the status document's series."""

    DEPTH = "depth"
    """How many messages wait in it."""
    ITERATOR_AGE = "iterator_age"
    """How old the record is that was read last; read from shards, of which each tells its own."""


M = TypeVar("M", bound=Mapping)
"""The model of a kind's mappings."""


DepthSampler: TypeAlias = "Callable[[], Awaitable[Depth]]"
"""How much one source holds now. Raises :class:`pollers.aws.errors.AwsError`, or ValueError for a reply that cannot be read."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a poller is made with.

    ``store`` is there for kinds that keep checkpoints. ``record_filter``: the mapping's patterns, if any.
    ``long_poll_seconds``: how long a receive from an empty queue may wait, which is also how long a stop may have to.
    """

    aws: Aws
    store: CheckpointStore | None
    surroundings: Surroundings
    record_filter: RecordFilter | None
    long_poll_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling(Generic[M]):
    """How the mappings of a kind are polled: for the supervisor."""

    make_poller: Callable[[M, Resources], Awaitable[Poller]]
    """A new poller of a mapping. Every client that it needs is made here, before polling starts."""
    keeps_checkpoints: bool
    """Whether its mappings need a checkpoint store."""
    concurrency_limit: Callable[[M], int | None]
    """How many invocations the mapping itself allows at a time; None: as many as its function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns(Generic[M]):
    """What a mapping's patterns see of a record: for filtering. Both views must show the same members (the same shape)."""

    wire_view: Callable[[M, Collection[str]], View]
    """Of a record as its service sends it; told the paths that a mapping's patterns look at."""
    event_view: View
    """Of an event record as functions get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names(Generic[M]):
    """What a kind and its sources are called: for the status document, the console and traces."""

    source: Callable[[M], str]
    """The source's own name: the queue's, the stream's, the table's."""
    trace_system: str
    """OpenTelemetry's word for the service (``messaging.system``)."""
    form: Callable[[M], str]
    """Which form of the kind a mapping's source has, as the status document names it (``sqs-fifo``)."""
    label: Callable[[M], str]
    """The same for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(Generic[M]):
    """What Lambda's API reports of a mapping beside what all mappings have (docs/lambda 16.3): for the control plane."""

    settings: Callable[[M], dict[str, Any]]
    """The settings of this kind in AWS's spelling: those that are always reported with their values, others only if given."""
    reason: str
    """The ``StateTransitionReason`` of what a client asked for."""
    has_result: bool
    """Whether there is a ``LastProcessingResult``."""
    missing: Callable[[M], str]
    """What is said of a mapping whose source does not exist (docs/lambda 1.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(Generic[M]):
    """What people are shown of a mapping's progress and of its failures: for the status document, the console and the API."""

    backlog: Backlog
    """What tells how far behind its mappings are."""
    depth: Callable[[M, Aws], DepthSampler] | None
    """What asks a mapping's source how much it holds; None where nothing can be asked."""
    first_payload: PayloadStart
    """The start of an encoded event record's payload, without what is around it."""
    reported: Reported[M]
    """What clients of Lambda's API are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind(Generic[M]):
    """One kind of source, grouped by who reads it. Functions that are given a mapping are given one of this kind's model."""

    model: type[M]
    """The model of its mappings, which has the kind's name (``kind``)."""
    services: Callable[[M], tuple[AwsService[Any], ...]]
    """The services of AWS that a mapping's poller calls."""
    polling: Polling[M]
    patterns: Patterns[M] | None
    """None: events of this kind cannot be filtered."""
    names: Names[M]
    shown: Shown[M]
    examine: Callable[[M, float, Aws], AsyncIterator[Finding]]
    """Asks AWS, by calls that change nothing, whether a mapping can do its work; told its function's timeout in seconds.

    What it raises (:class:`pollers.aws.errors.AwsError`) is a finding, too, after those before it.
    """

    @property
    def name(self) -> str:
        """The kind's name."""
        return self.model.kind
