"""Change streams whose server fails, changes or refuses: they are opened again where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)

from pollers.aws.errors import AccessDenied, Refused, Throttled, Unavailable
from pollers.sources.documentdb.errors import failure
from pollers.supervisor.mapping import MappingState
from pollers.telemetry.facts import OPENING_TASK, Doing, State
from tests.faults.change_trial import EACH_SERVER, ChangeTrial, runs
from tests.pollers.function import takes
from tests.worlds import virtual_time
from tests.worlds.call_faults import EveryNth, Failing, NoFaults
from tests.worlds.memory_changes import CURSOR_SECONDS
from tests.worlds.memory_cluster import MONGODB, OLD_DOCUMENTDB, MemoryCluster, Server

if TYPE_CHECKING:
    from collections.abc import Callable

RESUMABLE = (6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436)
"""The codes on which drivers open a change stream again by themselves (docs/lambda 4.12)."""
BUSY = (462, 16500)
CONNECTIONS: tuple[PyMongoError, ...] = (
    NotPrimaryError("not primary", {"code": 10107, "errmsg": "not primary"}),
    NotPrimaryError("node is recovering"),
    AutoReconnect("connection closed"),
    NetworkTimeout("timed out"),
    ConnectionFailure("connection refused"),
    WaitQueueTimeoutError("no connection is free"),
)


def of_code(code: int) -> OperationFailure:
    """What the driver raises for a server's error."""
    return OperationFailure("it failed", code, {"ok": 0, "code": code, "errmsg": "it failed"})


class FailingOver(NoFaults):
    """Every fifth call of an operation fails because another node has become primary, which knows no cursor of the old one."""

    def __init__(self, cluster: MemoryCluster, error: Callable[[], Exception], operation: str, *, lost: bool) -> None:
        self.failed = 0
        self._cluster = cluster
        self._error = error
        self._operation = operation
        self._lost = lost
        self._calls = 0

    async def before(self, operation: str) -> None:
        """Perhaps before anything has happened."""
        await super().before(operation)
        self._calls += operation == self._operation
        if not self._lost:
            self._fail(operation)

    async def after(self, operation: str) -> None:
        """Perhaps instead of the reply."""
        if self._lost:
            self._fail(operation)

    def _fail(self, operation: str) -> None:
        if operation == self._operation and self._calls % 5 == 1:
            self.failed += 1
            self._cluster.fail_over()
            raise self._error()


@pytest.mark.parametrize(
    "raised", [*map(of_code, (*RESUMABLE, *BUSY)), *CONNECTIONS], ids=lambda error: f"{error}"[:60]
)
@runs
async def test_a_failover_loses_and_repeats_nothing(raised: PyMongoError) -> None:
    """Whichever call it meets, before or after the server did what it was asked for."""
    for operation in ("next", "open", "server"):
        for lost in (False, True):
            trial = ChangeTrial(MONGODB, batch_size=2)
            await trial.begin()
            faults = FailingOver(trial.cluster, lambda: failure(raised, "getMore"), operation, lost=lost)
            trial.world.faults = faults
            async with trial.running():
                for number in range(15):
                    trial.put(f"event {number}")
                    await anyio.sleep(0.7)
                await trial.finish()
            assert trial.accepted == [f"event {number}" for number in range(15)]
            assert faults.failed


@EACH_SERVER
@runs
async def test_lost_replies_of_every_call_lose_and_repeat_nothing(server: Server) -> None:
    """The server has gone on behind a reply that was lost: the stream is opened again at the last event that came."""
    for lost in (False, True):
        trial = ChangeTrial(server)
        await trial.begin()
        trial.world.faults = EveryNth(lambda: failure(AutoReconnect("gone"), "getMore"), 2, lost=lost)
        async with trial.running():
            for number in range(30):
                trial.put(f"event {number}")
                await anyio.sleep(0.3)
            await trial.finish()
        assert trial.accepted == [f"event {number}" for number in range(30)]


@runs
async def test_a_stream_that_the_server_has_forgotten_is_opened_again() -> None:
    """When the function has kept the mapping from reading for longer than a server keeps a cursor."""
    trial = ChangeTrial(MONGODB, takes(CURSOR_SECONDS + 60), batch_size=1, timeout_seconds=1_000)
    await trial.begin()
    async with trial.running():
        trial.put(*(f"event {number}" for number in range(3)))
        await trial.finish()
        trial.put("last")
        await trial.finish()
    assert trial.accepted == ["event 0", "event 1", "event 2", "last"]


@runs
async def test_a_cluster_that_is_down_for_a_day_is_waited_for() -> None:
    """It is asked ever more seldom, up to a bound, and what it has then is read."""
    trial = ChangeTrial(OLD_DOCUMENTDB)
    await trial.begin()
    async with trial.running():
        trial.put("first")
        await trial.finish()
        trial.world.faults = Failing(
            failure(ConnectionFailure("refused"), "connect"), "server", "open", "next", "oldest"
        )
        before = trial.openings
        await anyio.sleep(86_400)
        assert trial.openings - before < 86_400 / 10
        trial.put("second")
        trial.world.faults = NoFaults()
        await trial.finish()
    assert trial.accepted == ["first", "second"]


@runs
async def test_throttled_calls_are_tried_again_with_growing_delays() -> None:
    """Nothing is lost or repeated."""
    trial = ChangeTrial(MONGODB)
    await trial.begin()
    trial.world.faults = Failing(Throttled("16500", "request rate is large"), "open", "next", times=6)
    async with trial.running():
        trial.put("event")
        await trial.finish()
    assert trial.accepted == ["event"]


@pytest.mark.parametrize("code", [18, 13])
@runs
async def test_a_user_who_is_refused_for_a_while_makes_the_mapping_wait(code: int) -> None:
    """It says so, tries again slowly, and goes on where it was when the user may read again."""
    trial = ChangeTrial(MONGODB)
    await trial.begin()
    denied = AccessDenied(str(code), "the password has been changed")
    async with trial.supervised() as runtime:
        runner = trial.runner(runtime)
        trial.put("first")
        await trial.finish()
        trial.world.faults = Failing(denied, "server", "open", "next")
        trial.put("second")
        await virtual_time.eventually(lambda: runner.state is MappingState.BACKING_OFF, within=600)
        assert "the password has been changed" in str(runner.problem)
        before = trial.openings
        await anyio.sleep(3_600)
        assert trial.openings - before < 400
        trial.world.faults = NoFaults()
        await trial.finish()
        assert runner.problem is None
    assert trial.accepted == ["first", "second"]


@pytest.mark.parametrize("code", [237, 10334, 11601])
@runs
async def test_a_read_that_is_refused_stops_the_mapping_until_it_is_not(code: int) -> None:
    """Such as a change event larger than a reply: nothing is read over."""
    trial = ChangeTrial(MONGODB)
    await trial.begin()
    refused = failure(of_code(code), "getMore")
    assert isinstance(refused, Refused)
    async with trial.supervised() as runtime:
        trial.world.faults = Failing(refused, "next")
        trial.put("event")
        await virtual_time.eventually(lambda: trial.runner(runtime).state is MappingState.BACKING_OFF, within=600)
        assert str(code) in str(trial.runner(runtime).problem)
        await anyio.sleep(3_600)
        assert trial.accepted == []
        trial.world.faults = NoFaults()
        await trial.finish()


@runs
async def test_while_a_server_is_looked_for_the_reason_of_the_last_failure_stands() -> None:
    """A try takes many seconds, and the wait between two less than one: who asks in between is told why nothing is read."""
    trial = ChangeTrial(MONGODB)

    class Away(NoFaults):
        """Nobody answers, as the driver finds out after some seconds."""

        async def before(self, operation: str) -> None:
            await anyio.sleep(12)
            raise Unavailable("ServerSelectionTimeoutError", "h:1 cannot be reached")

    trial.world.faults = Away()
    async with trial.running():
        await anyio.sleep(20)
        assert [(fact.task, fact.state) for fact in trial.of(Doing)] == [(OPENING_TASK, State.BACKING_OFF)]
        trial.world.faults = NoFaults()
        await trial.until_caught_up()
        assert [fact.state for fact in trial.of(Doing) if fact.task == OPENING_TASK][-1] is State.ENDED
