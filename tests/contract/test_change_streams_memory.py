"""What the in-memory cluster shows of change streams and SecantusDB cannot, so that nothing holds the two together.

The facts are from public documents and issues alone: ``docs/lambda`` has them with their sources.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import anyio
import bson
import pytest

from pollers.aws.errors import AwsError, IteratorExpired, Refused, Trimmed, Unavailable
from pollers.sources.documentdb.api import NOW, Opening
from tests.worlds import virtual_time
from tests.worlds.call_faults import Failing
from tests.worlds.memory_changes import CURSOR_SECONDS, MemoryChanges
from tests.worlds.memory_cluster import DOCUMENTDB, MONGODB, OLD_DOCUMENTDB, MemoryCluster, Server
from tests.worlds.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def on(
    server: Server = MONGODB,
) -> Callable[[Callable[[MemoryCluster], Coroutine[None, None, None]]], Callable[[], None]]:
    """Run a test on a cluster of this server, under virtual time."""

    def decorate(test: Callable[[MemoryCluster], Coroutine[None, None, None]]) -> Callable[[], None]:
        @functools.wraps(test)
        def run() -> None:
            async def main() -> None:
                await test(MemoryCluster(VirtualClock().time, server))

            virtual_time.run(main)

        # pytest must not take the cluster for a fixture.
        del run.__wrapped__
        return run

    return decorate


def decoded(events: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - BSON
    """Each event's operation and key."""
    found = [bson.decode(event) for event in events]
    return [(event["operationType"], event.get("documentKey", {}).get("_id")) for event in found]


@on(DOCUMENTDB)
async def test_an_open_stream_that_falls_behind_the_log_is_trimmed(cluster: MemoryCluster) -> None:
    """With DocumentDB's code, 136, at its next call."""
    reader = MemoryChanges(cluster)
    cursor = (await reader.open(NOW)).cursor
    cluster.insert({"_id": 1})
    cluster.trim()
    with pytest.raises(Trimmed) as lost:
        await reader.next(cursor, 10, 1)
    assert lost.value.code == "136"


@on(DOCUMENTDB)
async def test_a_time_before_the_log_begins_is_trimmed(cluster: MemoryCluster) -> None:
    """Nothing is skipped in silence."""
    reader = MemoryChanges(cluster)
    before = cluster.insert({"_id": 1})
    cluster.trim()
    with pytest.raises(Trimmed):
        await reader.open(Opening(at_operation_time=before))


@on(OLD_DOCUMENTDB)
async def test_an_old_server_gives_no_tokens_of_replies(cluster: MemoryCluster) -> None:
    """Those of events alone, the operation time, and the wire version of DocumentDB 4.0."""
    reader = MemoryChanges(cluster)
    opened = await reader.open(NOW)
    assert await reader.oldest() is None
    cluster.insert({"_id": 1})
    changes = await reader.next(opened.cursor, 10, 1)
    assert (opened.token, changes.token, (await reader.server()).wire_version) == (None, None, 7)
    assert opened.operation_time is not None
    again = await reader.open(Opening(resume_after=bson.decode(changes.events[0])["_id"]))
    cluster.insert({"_id": 2})
    assert decoded((await reader.next(again.cursor, 10, 1)).events) == [("insert", 2)]


@on(DOCUMENTDB)
async def test_documentdb_may_not_know_start_after(cluster: MemoryCluster) -> None:
    """Its guide lists the two other options alone."""
    reader = MemoryChanges(cluster)
    token = (await reader.open(NOW)).token
    with pytest.raises(Refused):
        await reader.open(Opening(start_after=token))


@on()
async def test_cursors_are_forgotten(cluster: MemoryCluster) -> None:
    """Those that nobody asks for ten minutes, and all of them when another node becomes primary."""
    reader = MemoryChanges(cluster)
    idle, open_one = (await reader.open(NOW)).cursor, (await reader.open(NOW)).cursor
    await anyio.sleep(CURSOR_SECONDS - 1)
    await reader.next(open_one, 10, 0.1)
    await anyio.sleep(2)
    with pytest.raises(IteratorExpired):
        await reader.next(idle, 10, 0.1)
    await reader.next(open_one, 10, 0.1)
    cluster.fail_over()
    with pytest.raises(IteratorExpired):
        await reader.next(open_one, 10, 0.1)


@on()
async def test_a_reply_that_was_lost_is_not_sent_again(cluster: MemoryCluster) -> None:
    """The server has gone on: who asks the same cursor again misses an event; a new one at the last token has it."""
    reader = MemoryChanges(cluster)
    opened = await reader.open(NOW)
    cluster.insert({"_id": "lost"})
    cluster.faults = Failing(Unavailable("Lost"), "next", times=1, lost=True)
    with pytest.raises(Unavailable):
        await reader.next(opened.cursor, 10, 1)
    cluster.insert({"_id": "next"})
    assert decoded((await reader.next(opened.cursor, 10, 1)).events) == [("insert", "next")]
    again = await reader.open(Opening(resume_after=opened.token))
    assert decoded((await reader.next(again.cursor, 10, 1)).events) == [("insert", "lost"), ("insert", "next")]


@on()
async def test_behind_a_drop_the_invalidate_event_is_still_to_come(cluster: MemoryCluster) -> None:
    """Also for who goes on behind the drop's own token, or that of a reply between the two."""
    reader = MemoryChanges(cluster)
    cursor = (await reader.open(NOW)).cursor
    cluster.drop()
    changes = await reader.next(cursor, 1, 1)
    assert decoded(changes.events) == [("drop", None)]
    for token in (changes.token, bson.decode(changes.events[0])["_id"]):
        again = await reader.open(Opening(resume_after=token))
        ending = await reader.next(again.cursor, 10, 1)
        assert decoded(ending.events) == [("invalidate", None)]
        assert ending.ended


@on()
async def test_the_first_token_behind_an_invalidate_event_may_be_its_own(cluster: MemoryCluster) -> None:
    """While nothing else has happened since: with it, too, resumeAfter is refused."""
    reader = MemoryChanges(cluster)
    cursor = (await reader.open(NOW)).cursor
    cluster.drop()
    invalidate = bson.decode((await reader.next(cursor, 10, 1)).events[-1])["_id"]
    beyond = await reader.open(Opening(start_after=invalidate))
    idle = await reader.next(beyond.cursor, 10, 1)
    assert beyond.token == idle.token == invalidate
    cluster.noop()
    later = await reader.next(beyond.cursor, 10, 1)
    assert later.token != invalidate
    await reader.open(Opening(resume_after=later.token))


@on()
async def test_every_call_can_fail_but_those_that_close(cluster: MemoryCluster) -> None:
    """Closing is best effort."""
    reader = MemoryChanges(cluster)
    cursor = (await reader.open(NOW)).cursor
    cluster.faults = Failing(Unavailable("Gone"), "server", "open", "next", "oldest", "close_cursor")
    for call in (reader.server(), reader.open(NOW), reader.next(cursor, 10, 1), reader.oldest()):
        with pytest.raises(AwsError):
            await call
    await reader.close_cursor(cursor)
    assert reader.cursors == 1
    await reader.aclose()
    assert reader.closed
    assert reader.cursors == 0


@on()
async def test_a_reply_has_sixteen_megabytes_or_one_event(cluster: MemoryCluster) -> None:
    """SecantusDB's are as large as they come."""
    reader = MemoryChanges(cluster)
    cursor = (await reader.open(NOW)).cursor
    for size in (9_000_000, 9_000_000, 6_000_000, 2_000_000):
        cluster.insert({"_id": size + cluster.newest()[1], "v": "x" * size})
    sizes = [len((await reader.next(cursor, 10, 1)).events) for _ in range(3)]
    assert sizes == [1, 2, 1]
