"""What ``headrace check --online`` asks of a stream that is read through shards and iterators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.aws.api import StartAt
from pollers.aws.findings import Finding, Level

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from config.models import StreamMapping
    from pollers.aws.api import StreamApi

_POLLED = ("ACTIVE", "UPDATING", "ENABLED")
_COMING = ("CREATING", "ENABLING")


@dataclass(frozen=True, slots=True)
class StreamWords:
    """How one stream is talked of. ``noun`` names it, ``remedy`` says what to do where it has gone.

    ``untried``: what reading it needs that changes something when it is tried, and what to do about that; None where one
    GetRecords is harmless.
    """

    noun: str
    remedy: str
    untried: tuple[str, str] | None


async def examine_stream(mapping: StreamMapping, api: StreamApi, words: StreamWords) -> AsyncIterator[Finding]:
    """Its status and retention; then listing, an iterator and one read: harmless, and all that polling needs."""
    described = await api.describe(mapping.event_source_arn)
    yield _status(mapping, described.status, words)
    for finding in _retention(mapping, described.retention_seconds):
        yield finding
    if described.status in _POLLED:
        async for finding in _shards(mapping, api, words):
            yield finding


def _status(mapping: StreamMapping, status: str, words: StreamWords) -> Finding:
    what = f"the {words.noun} is {status}"
    if status in _POLLED:
        return Finding(mapping.name, Level.OK, what)
    if status in _COMING:
        return Finding(mapping.name, Level.NOTE, what, "wait: it is polled once it is active")
    return Finding(mapping.name, Level.FAULT, what, words.remedy)


def _retention(mapping: StreamMapping, retention: float | None) -> Iterator[Finding]:
    age = mapping.maximum_record_age_in_seconds
    if retention is None:
        return
    hours = retention / 3600
    if age > retention:
        what = f"maximum_record_age_in_seconds {age} is longer than the stream keeps records ({hours:g} h)"
        yield Finding(mapping.name, Level.NOTE, what, "raise the stream's retention, or lower the age")
    else:
        yield Finding(mapping.name, Level.OK, f"the stream keeps records for {hours:g} h")


async def _shards(mapping: StreamMapping, api: StreamApi, words: StreamWords) -> AsyncIterator[Finding]:
    shards = await api.shards(mapping.event_source_arn)
    still_open = [shard for shard in shards if shard.ended_at is None]
    yield Finding(mapping.name, Level.OK, f"{len(shards)} shards listed, {len(still_open)} open")
    if not still_open:
        return
    if words.untried is not None:
        what, fix = words.untried
        yield Finding(mapping.name, Level.NOTE, what, fix)
        return
    iterator = await api.iterator(mapping.event_source_arn, still_open[0].shard_id, StartAt("LATEST"))
    await api.records(mapping.event_source_arn, iterator, 1)
    yield Finding(mapping.name, Level.OK, "GetShardIterator and GetRecords are permitted")
