"""The stream while it is read: is it still the same one, and what time is it there."""

from __future__ import annotations

import anyio
import pytest

from pollers.clocks.service import TRUSTED_SAMPLES, ServiceClock
from pollers.errors import SourceUnusable
from pollers.sources.kinesis.source import KinesisSource
from pollers.sources.streams.current_stream import CurrentStream
from tests.worlds import virtual_time
from tests.worlds.memory_streams import MemoryStream
from tests.worlds.virtual_time import VirtualClock


async def current() -> tuple[MemoryStream, CurrentStream]:
    """A stream in memory, as it is read."""
    stream = MemoryStream("kinesis", VirtualClock().time)
    source = KinesisSource(stream.arn, stream)
    return stream, CurrentStream(source, await source.describe(), VirtualClock())


@virtual_time.test
async def test_the_latest_description_counts() -> None:
    """A stream that is disabled, or whose retention is changed, is so from then on."""
    stream, read = await current()
    stream.retention_seconds = 60.0
    assert read.description.retention_seconds is None
    await read.confirm()
    assert read.description.retention_seconds == 60.0


@virtual_time.test
async def test_another_stream_of_the_same_name_is_not_read_on() -> None:
    """Checkpoints are of the one that was deleted."""
    stream, read = await current()
    stream.identity = "second"
    with pytest.raises(SourceUnusable, match="deleted and created again"):
        await read.confirm()


@virtual_time.test
async def test_time_is_the_services_where_it_has_told_it() -> None:
    """This machine's clock may be fast, and serves only until the service has said what time it is."""
    stream, read = await current()
    stream.service_clock = ServiceClock()
    assert read.service_time() == VirtualClock().time()
    for _ in range(TRUSTED_SAMPLES):
        stream.service_clock.read_date("Thu, 01 Jan 2026 00:00:00 GMT", anyio.current_time())
    assert 1_767_225_598 <= read.service_time() <= 1_767_225_601
