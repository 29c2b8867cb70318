"""Every kind of source: the one place that a new kind is entered in. Readers ask :func:`kind_of` a mapping."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from config.faults import Finding
from pollers.engine.kind import Resources, SourceKind
from pollers.filtering import PatternError, check_filters, compile_filters
from pollers.sources.documentdb.kind import DOCUMENTDB
from pollers.sources.dynamodb.kind import DYNAMODB
from pollers.sources.kinesis.kind import KINESIS
from pollers.sources.sqs.kind import SQS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from config.models import Mapping
    from pollers.aws.api import Aws
    from pollers.checkpoints.store import CheckpointStore
    from pollers.engine.poller import Poller, Surroundings
    from pollers.filtering import RecordFilter
    from pollers.telemetry.tracing import Traced

AnyKind: TypeAlias = SourceKind[Any]
"""A kind whose model the reader does not know."""

LONG_POLL_SECONDS = 20
"""What SQS allows at most: the cheapest way to wait."""

_KINDS: dict[str, AnyKind] = {kind.name: kind for kind in (SQS, KINESIS, DYNAMODB, DOCUMENTDB)}


def kinds() -> tuple[AnyKind, ...]:
    """Every kind, in the order in which the documents name them."""
    return tuple(_KINDS.values())


def kind_of(mapping: Mapping) -> AnyKind:
    """The kind of a mapping's source. Raises KeyError for a model that no declaration serves."""
    return _KINDS[mapping.kind]


@contextmanager
def registered(kind: AnyKind) -> Iterator[None]:
    """``kind`` is known too, for as long as this lasts: for the kinds that tests make up."""
    if kind.name in _KINDS:
        raise ValueError(f"there is a kind {kind.name} already")
    _KINDS[kind.name] = kind
    try:
        yield
    finally:
        del _KINDS[kind.name]


def check_patterns(mapping: Mapping) -> Iterable[Finding]:
    """Every fault of the mapping's patterns, and notes on them."""
    patterns = kind_of(mapping).patterns
    if patterns is None:
        return [Finding(("filter_criteria",), _no_filters(mapping))] if mapping.filter_criteria.filters else []
    return check_filters(mapping.filter_criteria, patterns.event_view.shape)


def compile_patterns(mapping: Mapping) -> RecordFilter | None:
    """The filter over the mapping's wire records; None when it has no patterns.

    Raises :class:`pollers.filtering.PatternError` for what :func:`check_patterns` calls a fault.
    """
    patterns = kind_of(mapping).patterns
    if patterns is None:
        if mapping.filter_criteria.filters:
            raise PatternError((), _no_filters(mapping))
        return None
    return compile_filters(mapping.filter_criteria, partial(patterns.wire_view, mapping))


def _no_filters(mapping: Mapping) -> str:
    return f"found filters, expected none: events of {kind_of(mapping).names.label(mapping)} cannot be filtered"


def traced(mapping: Mapping) -> Traced:
    """The mapping as its spans name it."""
    from pollers.telemetry.tracing import Traced

    kind, region = kind_of(mapping), mapping.arn.region
    return Traced(mapping.name, mapping.function_name, kind.names.trace_system, kind.names.source(mapping), region)


def concurrency_limit(mapping: Mapping) -> int | None:
    """How many invocations the mapping itself allows at a time; None: as many as its function."""
    return kind_of(mapping).polling.concurrency_limit(mapping)


def keeps_checkpoints(mapping: Mapping) -> bool:
    """Whether the mapping needs a checkpoint store."""
    return kind_of(mapping).polling.keeps_checkpoints


async def make_poller(
    mapping: Mapping,
    aws: Aws,
    store: CheckpointStore | None,
    surroundings: Surroundings,
    *,
    long_poll_seconds: int = LONG_POLL_SECONDS,
) -> Poller:
    """A new poller for ``mapping``. Every client that it needs is made here, before polling starts.

    ``long_poll_seconds``: how long a receive from an empty queue may wait, which is also how long a stop may have to.
    """
    resources = Resources(aws, store, surroundings, compile_patterns(mapping), long_poll_seconds)
    return await kind_of(mapping).polling.make_poller(mapping, resources)
