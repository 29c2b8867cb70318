"""Change streams of which nothing comes for long, while the log goes on: the checkpoint goes with it."""

from __future__ import annotations

import anyio
import pytest

from tests.faults.change_trial import EACH_SERVER, ChangeTrial, runs
from tests.pollers.function import takes
from tests.worlds.memory_cluster import DOCUMENTDB, MONGODB, OLD_DOCUMENTDB, Server

RETENTION_SECONDS = 600.0
SERVERS = pytest.mark.parametrize("server", [MONGODB, DOCUMENTDB], ids=lambda server: server.product)


async def quiet(trial: ChangeTrial, seconds: float) -> None:
    """Nothing of the collection for so long; other things happen, and the log keeps the last ten minutes."""
    for _ in range(int(seconds // 20)):
        await anyio.sleep(20)
        trial.cluster.insert({"_id": trial.cluster.end()}, "others")
        trial.cluster.trim(keep_seconds=RETENTION_SECONDS)


@SERVERS
@pytest.mark.parametrize("crash", [False, True])
@runs
async def test_an_idle_mapping_outlives_its_last_event(server: Server, crash: bool) -> None:
    """After six retentions without an event a restart finds its place in the log."""
    trial = ChangeTrial(server)
    await trial.begin()
    async with trial.crashing() if crash else trial.running():
        trial.put("first")
        await trial.finish()
        await quiet(trial, 6 * RETENTION_SECONDS)
    trial.put("while it was down")
    async with trial.running():
        await trial.finish()
    assert trial.accepted == ["first", "while it was down"]


@SERVERS
@runs
async def test_an_idle_mapping_that_has_never_had_an_event_does_too(server: Server) -> None:
    """Its pin of LATEST is followed by what it has passed."""
    trial = ChangeTrial(server)
    async with trial.crashing():
        await quiet(trial, 6 * RETENTION_SECONDS)
    trial.put("first")
    async with trial.running():
        await trial.finish()
    assert trial.accepted == ["first"]


@SERVERS
@runs
async def test_the_place_of_an_idle_stream_is_written_seldom(server: Server) -> None:
    """At most every thirty seconds: each may be a write that costs money."""
    trial = ChangeTrial(server)
    await trial.begin()
    async with trial.running():
        before = len(trial.world.saved)
        await quiet(trial, 3_600)
        assert 60 <= len(trial.world.saved) - before <= 122


@SERVERS
@runs
async def test_the_place_of_an_idle_stream_does_not_pass_what_is_not_done(server: Server) -> None:
    """An event that is with the function comes again after a crash, however long it took."""
    trial = ChangeTrial(server, takes(800), batch_size=1, timeout_seconds=900)
    await trial.begin()
    async with trial.crashing():
        trial.put("slow")
        await trial.until_invoked()
        await quiet(trial, 400)
    trial.function.behaviour = takes(0.1)
    async with trial.running():
        await trial.finish()
    assert trial.invoked == [["slow"], ["slow"]]


@EACH_SERVER
@runs
async def test_an_open_stream_outlives_any_idle_time(server: Server) -> None:
    """Also on a server without tokens of replies, where only a restart would need an older place."""
    trial = ChangeTrial(server)
    await trial.begin()
    async with trial.running():
        await quiet(trial, 6 * RETENTION_SECONDS)
        trial.put("event")
        await trial.finish()


@runs
async def test_without_tokens_of_replies_an_idle_restart_tells_that_its_place_is_gone() -> None:
    """DocumentDB 4.0, and 5.0 until March 2025: what the guide advises is to write something now and then."""
    trial = ChangeTrial(OLD_DOCUMENTDB)
    await trial.begin()
    async with trial.running():
        await quiet(trial, 6 * RETENTION_SECONDS)
    assert "has lost events" in str(await trial.failure())
