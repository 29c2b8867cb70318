"""The beginning of a log, which not every server tells and which moves on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from pollers.aws.errors import Trimmed
from pollers.checkpoints.store import TRIM_HORIZON
from pollers.sources.documentdb.api import Changes, Opened, Opening
from pollers.sources.documentdb.source import SHARD_ID, DocumentDBSource
from tests.unit.sources.documentdb.reading import SERVERS, Reading, events
from tests.worlds import virtual_time
from tests.worlds.memory_changes import MemoryChanges

if TYPE_CHECKING:
    from pollers.sources.documentdb.api import Cursor
    from tests.worlds.memory_cluster import Server


@pytest.mark.parametrize("server", SERVERS)
def test_the_trim_horizon_is_the_beginning_of_the_log(server: Server) -> None:
    """Also where the server does not tell: it is searched for."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading(server)
        reading.cluster.insert({"_id": 1})
        await anyio.sleep(5_000)
        reading.cluster.trim()
        reading.cluster.insert({"_id": 2})
        await anyio.sleep(100)
        reading.cluster.insert({"_id": 3})
        await anyio.sleep(20_000)
        page = await reading.page(await reading.source.iterator(SHARD_ID, TRIM_HORIZON))
        found = [event["documentKey"]["_id"] for event in events(reading.source, page)]
        assert found in ([2, 3], [3])
        assert found == [2, 3] or server.knows_oldest is False
        assert reading.api.cursors == 1

    trial()


@virtual_time.test
async def test_a_log_that_moves_on_at_the_beginning_is_read_from_where_it_begins_then() -> None:
    """Nothing has been read, so nothing is lost that was promised."""
    reading = Reading()
    reading.cluster.insert({"_id": 1})
    await anyio.sleep(10)
    iterator = await reading.source.iterator(SHARD_ID, TRIM_HORIZON)
    reading.cluster.trim()
    with pytest.raises(Trimmed) as trimmed:
        await reading.page(iterator)
    assert await reading.source.history_lost(None, trimmed.value) is None


class StrictLog(MemoryChanges):
    """Of a server that loses all that is older than its retention at once, and looks at its log no sooner than it reads it."""

    kept_seconds = 5.0
    told = True

    async def oldest(self) -> tuple[int, int] | None:
        if not self.told:
            return None
        return int(self._cluster.now() - self.kept_seconds), 7

    async def open(self, opening: Opening) -> Opened:
        self.openings.append(opening)
        return Opened(opening, None, None)

    async def next(self, cursor: Cursor, limit: int, wait_seconds: float) -> Changes:
        if (self.openings[-1].at_operation_time or (0, 0))[0] < self._cluster.now() - self.kept_seconds:
            raise Trimmed("136", "gone")
        return Changes([], None)

    async def close_cursor(self, cursor: Cursor) -> None:
        """Nobody counts them."""


@pytest.mark.parametrize("kept_seconds", [5.0, 0.0])
def test_a_beginning_that_is_lost_whenever_it_is_read_is_gone_past(kept_seconds: float) -> None:
    """But no place is tried that is later than now: what is written meanwhile is to be read."""

    @virtual_time.test
    async def trial() -> None:
        reading = Reading()
        await anyio.sleep(60.5)
        api = StrictLog(reading.cluster)
        api.kept_seconds = kept_seconds
        api.service_clock.read_arrival(reading.cluster.now(), anyio.current_time())
        source, lost = DocumentDBSource(reading.stream, api), 0
        for _ in range(8):
            iterator = await source.iterator(SHARD_ID, TRIM_HORIZON)
            try:
                await source.records(iterator, 10)
            except Trimmed as error:
                lost += await source.history_lost(None, error) is None
        assert 0 < lost < 8 if kept_seconds else lost == 8
        begun = [opening.at_operation_time for opening in api.openings]
        assert begun[0] == (int(reading.cluster.now() - kept_seconds), 7)
        # A second that is gone past to is read from its first operation on.
        assert set(begun) <= {begun[0], *((begun[0][0] + later, 1) for later in range(1, 6))}
        assert all((opening.at_operation_time or (0, 0))[0] <= reading.cluster.now() for opening in api.openings)

    trial()


@virtual_time.test
async def test_a_beginning_that_is_lost_a_few_times_is_not_gone_past() -> None:
    """What the log still has is read, from its first operation on."""
    reading = Reading()
    await anyio.sleep(60.5)
    reading.api.service_clock.read_arrival(reading.cluster.now(), anyio.current_time())
    for _ in range(4):
        assert await reading.source.iterator(SHARD_ID, TRIM_HORIZON)
        assert reading.api.openings[-1].at_operation_time == reading.cluster.oldest()
        assert await reading.source.history_lost(None, Trimmed("136", "gone")) is None
    assert await reading.source.iterator(SHARD_ID, TRIM_HORIZON)
    assert reading.api.openings[-1].at_operation_time == (reading.cluster.oldest()[0] + 1, 1)


@virtual_time.test
async def test_a_beginning_that_could_be_read_is_no_longer_gone_past() -> None:
    """The next one is what the log has then."""
    reading = Reading()
    source = reading.source
    for _ in range(5):
        assert await source.iterator(SHARD_ID, TRIM_HORIZON)
        assert await source.history_lost(None, Trimmed("136", "gone")) is None
    await anyio.sleep(100)
    reading.api.service_clock.read_arrival(reading.cluster.now(), anyio.current_time())
    iterator = await source.iterator(SHARD_ID, TRIM_HORIZON)
    assert reading.api.openings[-1].at_operation_time == (reading.cluster.oldest()[0] + 3, 1)
    await source.records(iterator, 10)
    await source.iterator(SHARD_ID, TRIM_HORIZON)
    assert reading.api.openings[-1].at_operation_time == reading.cluster.oldest()


@virtual_time.test
async def test_a_beginning_that_no_server_tells_is_found_to_the_second() -> None:
    """By streams that are opened and read: some servers look at their log no sooner."""
    reading = Reading()
    await anyio.sleep(10_000.5)
    api = StrictLog(reading.cluster)
    api.told = False
    api.kept_seconds = 3_000.0
    api.service_clock.read_arrival(reading.cluster.now(), anyio.current_time())
    source = DocumentDBSource(reading.stream, api)
    await source.records(await source.iterator(SHARD_ID, TRIM_HORIZON), 10)
    assert api.openings[-1].at_operation_time == (int(reading.cluster.now()) - 2_999, 1)
    assert len(api.openings) < 30
