"""The asynchronous queue: what is accepted runs, again where it fails, and its end is told (docs/lambda 12)."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anyio
import pytest

from handlers.errors import FunctionUnusable
from handlers.function import FunctionError, Payload, Throttle
from pollers.destinations.ended import Condition, Role
from pollers.invocations import QueueFull
from pollers.invocations.reserve import disk_has_room
from pollers.storage import StoreUnwritable
from tests.worlds import virtual_time
from tests.worlds.async_world import FAILED, OK, RUN_SECONDS, Settings, world_of
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from handlers.function import Result

ONE = "11111111-1111-4111-8111-111111111111"


@virtual_time.test
async def test_an_event_that_is_accepted_runs_at_once() -> None:
    """With its own bytes and request id; nothing is left of it."""
    async with world_of() as world, world.life() as queue:
        assert await queue.accept("orders", b'{"order": 1}', request_id=ONE)
        await eventually(lambda: not queue.snapshot().depth)
        [run] = world.runs
        assert (run.function, run.request_id, run.event) == ("orders", ONE, b'{"order": 1}')
        assert run.at < 0.1
        books = queue.snapshot().functions["orders"]
        assert (books.accepted, books.succeeded, books.queued, books.bytes) == (1, 1, 0, 0)
        assert books.balanced


@virtual_time.test
async def test_an_event_that_was_accepted_runs_in_the_next_process() -> None:
    """202 means durable (docs/design, decision 13)."""
    async with world_of() as world:
        async with world.life(serve=False) as queue:
            await queue.accept("orders", b"1", request_id=ONE)
        async with world.life() as queue:
            await eventually(lambda: bool(world.runs))
            await eventually(lambda: not queue.snapshot().depth)
            books = queue.snapshot().functions["orders"]
            assert (books.found, books.accepted, books.succeeded) == (1, 0, 1)


@virtual_time.test
async def test_a_function_error_is_tried_again_after_one_minute_and_then_two() -> None:
    """With the same request id; then the retries are used up."""
    async with world_of(answer=lambda *_: FAILED, settings={"orders": Settings(on_failure="arn:q")}) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.delivered))
            books = queue.snapshot().functions["orders"]
            assert (books.attempts, books.errors, books.failed) == (3, 3, 1)
        assert {run.request_id for run in world.runs} == {ONE}
        waits = [later.at - run.at - RUN_SECONDS for run, later in zip(world.runs, world.runs[1:], strict=False)]
        assert waits == pytest.approx([60, 120], abs=0.5)
        [report] = world.delivered
        assert (report.role, report.target) == (Role.ON_FAILURE, "arn:q")
        assert report.ended.condition is Condition.RETRIES_EXHAUSTED
        assert report.ended.invoke_count == 3
        assert (report.ended.response, report.ended.function_error) == (FAILED.document, True)
        assert report.ended.event.payload == b"1"


@virtual_time.test
async def test_the_last_error_is_kept_for_whoever_looks() -> None:
    """Its type and message, and when; a success leaves it."""
    answers: list[Result] = [FAILED, OK]
    async with world_of(answer=lambda *_: answers.pop(0)) as world, world.life() as queue:
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: not queue.snapshot().depth)
        books = queue.snapshot().functions["orders"]
        assert books.last_error == "ValueError: no"
        assert books.last_error_at is not None
        assert books.succeeded == 1


@virtual_time.test
@pytest.mark.parametrize(("limit", "runs"), [(60, 1), (90, 2), (21_600, 3)])
async def test_the_age_of_an_event_looks_ahead(limit: int, runs: int) -> None:
    """Nobody waits for an attempt that would come too late: as recorded (docs/lambda 12.3)."""
    settings = Settings(maximum_event_age_seconds=limit, on_failure="arn:q")
    async with world_of(answer=lambda *_: FAILED, settings={"orders": settings}) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.delivered))
        assert len(world.runs) == runs
        ended = world.delivered[0].ended
        assert ended.invoke_count == runs
        assert ended.condition is (Condition.RETRIES_EXHAUSTED if runs == 3 else Condition.EVENT_AGE_EXCEEDED)
        assert world.delivered[0].at - world.runs[-1].at < 1.0
        assert ended.response == FAILED.document


@virtual_time.test
async def test_throttles_are_tried_again_without_limit_and_without_count() -> None:
    """With waits that grow from a second to five minutes."""
    answers: list[Result] = [*[Throttle("busy")] * 14, OK]
    async with world_of(answer=lambda *_: answers.pop(0), settings={"orders": Settings(on_success="arn:q")}) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.delivered), within=21_600)
        waits = [later.at - run.at for run, later in zip(world.runs, world.runs[1:], strict=False)]
        assert waits[0] < 3
        assert [round(wait) for wait in waits] == sorted(round(wait) for wait in waits)
        assert 299 < waits[-1] < 320
        assert world.delivered[0].ended.invoke_count == 1
        assert world.delivered[0].ended.condition is Condition.SUCCESS


@virtual_time.test
async def test_a_long_queue_behind_a_throttle_is_probed_and_not_run_through() -> None:
    """One attempt at a time while it goes on, and all of them once it is over."""
    throttled = True

    def answer(*_: str) -> Result:
        return Throttle("busy") if throttled else OK

    async with world_of(answer=answer) as world, world.life() as queue:
        for number in range(200):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        await anyio.sleep(120)
        assert 4 < len(world.runs) < 30
        throttled = False
        await eventually(lambda: not queue.snapshot().depth, within=900)
        assert queue.snapshot().functions["orders"].succeeded == 200


@virtual_time.test
async def test_zero_reserved_concurrency_ends_an_event_without_an_attempt() -> None:
    """It is accepted all the same, and told to destination and dead letters, with count 0 (docs/lambda 12.8)."""
    settings = Settings(on_failure="arn:q", dead_letters="arn:dlq")
    async with world_of(settings={"orders": settings}) as world:
        async with world.life() as queue:
            world.functions["orders"].reserve(0)
            assert await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: len(world.delivered) == 2)
        assert world.runs == []
        assert {report.role for report in world.delivered} == {Role.ON_FAILURE, Role.DEAD_LETTER}
        for report in world.delivered:
            assert report.ended.condition is Condition.ZERO_RESERVED_CONCURRENCY
            assert (report.ended.invoke_count, report.ended.response) == (0, None)
        assert queue.snapshot().functions["orders"].dropped == 1


@virtual_time.test
async def test_reserving_nothing_ends_also_what_waits_for_room() -> None:
    """What runs goes on."""
    async with world_of(functions_of={"orders": 1}, run_seconds=50.0) as world, world.life() as queue:
        for number in range(3):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        await eventually(lambda: bool(world.runs))
        world.functions["orders"].reserve(0)
        await eventually(lambda: queue.snapshot().functions["orders"].dropped == 2, within=5.0)
        await eventually(lambda: queue.snapshot().functions["orders"].succeeded == 1)


@virtual_time.test
async def test_events_share_the_function_with_its_other_callers() -> None:
    """They never run more than its concurrency, and get their share."""
    async with world_of(functions_of={"orders": 4}) as world, world.life() as queue:
        with world.functions["orders"].caller() as other:
            for _ in range(4):
                await other.claim.acquire()
            for number in range(50):
                await queue.accept("orders", b"1", request_id=f"r{number}")
            await anyio.sleep(30)
            assert world.runs == []
            for _ in range(2):
                other.claim.release()
            await eventually(lambda: not queue.snapshot().depth)
        assert world.most["orders"] == 2
        assert len(world.runs) == 50


@virtual_time.test
async def test_events_that_grow_too_old_behind_a_busy_function_are_ended_in_time() -> None:
    """They are not attempted any more, and nobody waits for a permit to say so."""
    settings = Settings(maximum_event_age_seconds=60, on_failure="arn:q")
    async with world_of(settings={"orders": settings}) as world, world.life() as queue:
        with world.functions["orders"].caller() as other:
            await other.claim.acquire()
            await other.claim.acquire()
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.delivered))
        [report] = world.delivered
        assert 60 <= report.at <= 63
        assert (report.ended.condition, report.ended.invoke_count) == (Condition.EVENT_AGE_EXCEEDED, 0)
        assert report.ended.response is None


@virtual_time.test
async def test_events_of_a_function_that_is_gone_wait_and_run_when_it_is_back() -> None:
    """Or grow too old."""
    async with world_of() as world, world.life() as queue:
        world.settings["gone"] = Settings(maximum_event_age_seconds=600)
        await queue.accept("gone", b"1", request_id=ONE)
        await anyio.sleep(100)
        assert world.runs == []
        assert queue.left() == ""
        world.functions._add("gone", world.functions["orders"].model)
        await eventually(lambda: len(world.runs) == 1, within=15.0)
        await eventually(lambda: not queue.snapshot().depth)
        world.settings["never"] = Settings(maximum_event_age_seconds=600)
        await queue.accept("never", b"1", request_id=ONE)
        await eventually(lambda: queue.snapshot().functions["never"].dropped == 1, within=620.0)


@virtual_time.test
async def test_a_request_id_that_is_known_is_not_queued_twice() -> None:
    """What was to be written with it is written all the same, in one step with the event."""
    noted: list[int] = []
    async with world_of(functions_of={}) as world, world.life() as queue:
        assert await queue.accept("orders", b"1", request_id=ONE, also=lambda _: noted.append(1))
        assert not await queue.accept("orders", b"1", request_id=ONE, also=lambda _: noted.append(2))
        assert await queue.accept("audit", b"1", request_id=ONE)
        assert noted == [1, 2]
        snapshot = queue.snapshot()
        assert (snapshot.depth, snapshot.functions["orders"].duplicates) == (2, 1)
        assert world.state.path.exists()


@virtual_time.test
async def test_what_fails_beside_an_event_leaves_the_event_out() -> None:
    """Both are written, or neither."""
    async with world_of(functions_of={}) as world, world.life() as queue:

        def fails(_: object) -> None:
            raise KeyError("the schedule")

        with pytest.raises(KeyError):
            await queue.accept("orders", b"1", request_id=ONE, also=fails)
        assert queue.snapshot().depth == 0
        assert await queue.accept("orders", b"1", request_id=ONE)
        assert world.state.path.exists()


@virtual_time.test
async def test_the_queue_is_bounded_in_bytes() -> None:
    """Beyond them nothing is accepted, until something has gone."""
    async with world_of(limit_bytes=10_000, run_seconds=5.0) as world, world.life() as queue:
        for number in range(3):
            await queue.accept("orders", b"1" * 2_000, request_id=f"r{number}")
        words = r"takes 10000 at most \(runtime.state\): an event of 3000 bytes for function"
        with pytest.raises(QueueFull, match=words):
            await queue.accept("orders", b"1" * 3_000, request_id=ONE)
        snapshot = queue.snapshot()
        assert 0 < snapshot.bytes <= 10_000
        assert snapshot.functions["orders"].refused == 1
        await eventually(lambda: not queue.snapshot().depth)
        assert await queue.accept("orders", b"1" * 2_000, request_id=ONE)
        assert world.runs


@virtual_time.test
async def test_events_do_not_take_the_last_room_of_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running and forgetting those that are queued takes some, too. It is said, and passes by itself."""
    free = 17 * 1024**2
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_blocks=1 << 30, f_frsize=1, f_bavail=free))
    written: list[str] = []
    async with world_of() as world, world.life() as queue:
        assert await queue.accept("orders", b"1", request_id=ONE)
        free = 16 * 1024**2
        with pytest.raises(QueueFull, match="takes no more events: the disk"):
            await queue.accept("orders", b"2", request_id="r2", also=lambda _: written.append("beside it"))
        assert await queue.accept("orders", b"3", request_id="r3", beyond_limit=True)
        assert "no more events" in str(queue.snapshot().cramped)
        assert (queue.snapshot().functions["orders"].refused, written) == (1, [])
        await eventually(lambda: not queue.snapshot().depth)
        free = 17 * 1024**2
        await eventually(lambda: queue.snapshot().cramped is None, within=11.0)
        assert await queue.accept("orders", b"2", request_id="r2")


@virtual_time.test
async def test_answers_that_nobody_takes_leave_the_disk_room_to_work_off_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No function that owes reports is begun, what has a large answer waits, and the events of other functions run."""
    free = 17 * 1024**2
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_blocks=1 << 30, f_frsize=1, f_bavail=free))
    settings = {"orders": Settings(on_success="arn:q")}
    async with world_of(functions_of={"orders": 1, "audit": 1}, settings=settings) as world, world.life() as queue:
        world.answer = lambda function, _: Payload(b"1" * 5_000) if function == "orders" else OK
        world.run_seconds = 30.0
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: bool(world.runs))
        for number in range(3):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        free = 5 * 1024**2
        await eventually(lambda: not world.busy["orders"])
        await anyio.sleep(60)
        assert (len(world.runs), world.delivered, queue.held()) == (1, [], 1)
        free = 7 * 1024**2
        await eventually(lambda: len(world.delivered) == 1, within=31.0)
        calls = world.state.calls
        await queue.accept("audit", b"1", request_id=ONE, beyond_limit=True)
        await eventually(lambda: queue.snapshot().functions["audit"].succeeded == 1)
        assert len(world.runs) == 2
        assert world.state.calls - calls < 150, "the disk is left alone"
        free = 17 * 1024**2
        await eventually(lambda: len(world.delivered) == 4, within=200.0)


def test_room_that_the_file_has_itself_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was long once is filled again, also on a disk that has nothing else."""
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_blocks=400_000, f_frsize=1, f_bavail=0))
    with closing(sqlite3.connect(":memory:")) as connection:
        assert not disk_has_room(connection, Path("/"), 100)
        connection.execute("CREATE TABLE things (thing)")
        connection.execute("INSERT INTO things VALUES (zeroblob(200000))")
        connection.execute("DELETE FROM things")
        assert disk_has_room(connection, Path("/"), 100)
        assert not disk_has_room(connection, Path("/"), 100_000)


@virtual_time.test
async def test_a_full_disk_refuses_events_and_loses_none() -> None:
    """What runs ends, its end is written once there is room, and it is said meanwhile."""
    async with world_of() as world, world.life() as queue:
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: bool(world.runs))
        world.state.problem = StoreUnwritable("state.db could not be written (database or disk is full)")
        with pytest.raises(StoreUnwritable):
            await queue.accept("orders", b"2", request_id="r2")
        calls = world.state.calls
        await anyio.sleep(300)
        assert world.state.calls - calls < 100, "the disk is not left alone"
        assert "disk is full" in str(queue.snapshot().problem)
        assert (queue.snapshot().depth, queue.held(), len(world.runs)) == (1, 1, 1)
        world.state.problem = None
        await eventually(lambda: not queue.snapshot().depth)
        assert queue.snapshot().problem is None
        assert len(world.runs) == 1


@virtual_time.test
async def test_a_stop_begins_nothing_and_waits_for_what_runs() -> None:
    """The rest is there for the next process."""
    async with world_of(run_seconds=10.0) as world:
        async with world.life() as queue:
            for number in range(5):
                await queue.accept("orders", b"1", request_id=f"r{number}")
            await eventually(lambda: len(world.runs) == 2)
            assert (queue.running(), queue.held()) == (2, 2)
        assert len(world.runs) == 2
        books = queue.books()
        assert books.balanced
        assert (books.figures["succeeded"], books.figures["queued"]) == (2, 3)
        async with world.life() as queue:
            await eventually(lambda: not queue.snapshot().depth)
        assert len(world.runs) == 5


@virtual_time.test
async def test_a_hurried_stop_cuts_what_runs_and_counts_no_failure() -> None:
    """It runs again in the next process, at once; the run is counted."""
    settings = Settings(maximum_retry_attempts=0, on_success="arn:q")
    async with world_of(run_seconds=100.0, settings={"orders": settings}) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.runs))
            world.runner.hurry()
        assert world.now < 5
        world.run_seconds = 0.1
        async with world.life() as queue:
            await eventually(lambda: bool(world.delivered), within=5.0)
        assert world.delivered[0].ended.invoke_count == 2
        assert queue.books().balanced


@virtual_time.test
async def test_a_crash_while_the_function_runs_runs_it_again_and_costs_no_retry() -> None:
    """The count is never too low."""
    settings = Settings(maximum_retry_attempts=0, on_success="arn:q")
    async with world_of(run_seconds=100.0, settings={"orders": settings}) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.runs))
            world.crashed = True
        world.run_seconds = 0.1
        async with world.life() as queue:
            await eventually(lambda: bool(world.delivered))
        assert len(world.runs) == 2
        assert world.delivered[0].ended.invoke_count == 2
        assert queue.books().balanced


@virtual_time.test
async def test_a_crash_while_an_end_is_told_repeats_the_report_and_not_the_function() -> None:
    """The end was on the disk before anybody was told."""
    settings = Settings(on_success="arn:q")
    async with world_of(settings={"orders": settings}) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.tried), every=0.01)
            world.crashed = True
        assert world.delivered == []
        async with world.life() as queue:
            await eventually(lambda: bool(world.delivered))
            await eventually(lambda: not queue.snapshot().functions["orders"].reporting)
            assert queue.snapshot().bytes == 0
        assert len(world.runs) == 1


@virtual_time.test
async def test_a_function_that_cannot_be_used_costs_its_events_nothing() -> None:
    """They wait, and are not counted as run."""
    async with world_of(settings={"orders": Settings(on_success="arn:q")}) as world:
        world.unusable = FunctionUnusable("no such module")
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await anyio.sleep(30)
            assert queue.snapshot().depth == 1
            world.unusable = None
            await eventually(lambda: bool(world.delivered))
        assert world.delivered[0].ended.invoke_count == 1


@virtual_time.test
async def test_a_runner_that_breaks_holds_up_nobody_else() -> None:
    """Its event is tried again; other functions' events run."""
    answers: dict[str, list[Result | Exception]] = {"orders": [RuntimeError("the runner died"), OK], "audit": [OK]}
    async with (
        world_of(functions_of={"orders": 1, "audit": 1}, answer=lambda name, _: answers[name].pop(0)) as world,
        world.life() as queue,
    ):
        await queue.accept("orders", b"1", request_id=ONE)
        await queue.accept("audit", b"1", request_id=ONE)
        await eventually(lambda: not queue.snapshot().depth)
        assert queue.snapshot().functions["orders"].not_run == 1
        assert world.runs


@virtual_time.test
async def test_what_the_function_answers_is_reported_byte_for_byte() -> None:
    """Also when it is no JSON."""
    async with world_of(
        answer=lambda *_: Payload(b"\xff text"), settings={"orders": Settings(on_success="arn:q")}
    ) as world:
        async with world.life() as queue:
            await queue.accept("orders", b"1", request_id=ONE)
            await eventually(lambda: bool(world.delivered))
        assert world.delivered[0].ended.response == b"\xff text"
        assert not world.delivered[0].ended.function_error


@virtual_time.test
async def test_a_disk_that_takes_writes_again_is_noticed_without_any_event() -> None:
    """Whoever keeps events away while it is full would else keep them away for ever."""
    async with world_of() as world, world.life() as queue:
        world.state.problem = StoreUnwritable("state.db could not be written (database or disk is full)")
        with pytest.raises(StoreUnwritable):
            await queue.accept("orders", b"1", request_id=ONE)
        await anyio.sleep(60)
        assert queue.snapshot().problem is not None
        world.state.problem = None
        await eventually(lambda: queue.snapshot().problem is None, within=15.0)
        assert queue.books().balanced


@virtual_time.test
async def test_large_answers_that_nobody_takes_do_not_fill_the_disk() -> None:
    """Events of functions that owe reports wait until targets take some; those of others run."""
    answer = Payload(b"x" * 40_000)
    settings = {"orders": Settings(on_success="arn:q"), "audit": Settings()}
    async with (
        world_of(
            answer=lambda *_: answer,
            settings=settings,
            functions_of={"orders": 2, "audit": 1},
            limit_bytes=100_000,
            down={"arn:q"},
        ) as world,
        world.life() as queue,
    ):
        for number in range(50):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        await anyio.sleep(600)
        assert 3 <= len(world.runs) <= 8
        assert queue.snapshot().bytes < 400_000
        assert queue.snapshot().functions["orders"].queued == 50 - len(world.runs)
        world.down.clear()
        await eventually(lambda: not queue.snapshot().bytes, within=3_000)
        assert len(world.delivered) == 50
        assert await queue.accept("audit", b"1", request_id=ONE)
        await eventually(lambda: not queue.snapshot().depth)


@virtual_time.test
async def test_answers_of_failed_attempts_are_kept_only_where_there_is_room() -> None:
    """What an event waits with for its next attempt is bounded too."""
    failed = FunctionError("Large", "no", b'"' + b"x" * 30_000 + b'"')
    async with world_of(answer=lambda *_: failed, limit_bytes=100_000) as world, world.life() as queue:
        for number in range(20):
            await queue.accept("orders", b"1", request_id=f"r{number}")
        await eventually(lambda: len(world.runs) == 20)
        await anyio.sleep(5)
        assert 30_000 < queue.snapshot().bytes <= 100_000
        await eventually(lambda: not queue.snapshot().bytes)
        assert queue.snapshot().functions["orders"].failed == 20


@virtual_time.test
async def test_an_empty_queue_has_no_oldest_event() -> None:
    """Else a queue that is done would seem to stand still."""
    async with world_of() as world, world.life() as queue:
        await queue.accept("orders", b"1", request_id=ONE)
        assert queue.snapshot().oldest_at is not None
        await eventually(lambda: not queue.snapshot().depth)
        assert queue.snapshot().oldest_at is None
        assert world.runs


@virtual_time.test
async def test_an_attempt_whose_worker_is_only_starting_does_not_hold_up_a_stop() -> None:
    """Nothing runs yet (docs/design, decision 16)."""
    async with world_of(run_seconds=5.0) as world, world.life() as queue:
        await queue.accept("orders", b"1", request_id=ONE)
        await eventually(lambda: bool(world.runs))
        world.busy.clear()
        assert (queue.running(), queue.held()) == (0, 1)
        world.busy["orders"] = 1
        assert queue.running() == 1
        await eventually(lambda: not queue.snapshot().depth)


@virtual_time.test
async def test_a_restart_knows_what_nobody_has_taken_yet() -> None:
    """It does not begin to fill the disk once more."""
    settings = {"orders": Settings(on_success="arn:q")}
    answer = Payload(b"x" * 40_000)
    async with world_of(answer=lambda *_: answer, settings=settings, limit_bytes=100_000, down={"arn:q"}) as world:
        for _ in range(4):
            async with world.life() as queue:
                for number in range(5):
                    await queue.accept("orders", b"1", request_id=f"{world.now}-{number}", beyond_limit=True)
                await anyio.sleep(300)
        assert len(world.runs) <= 8
        world.down.clear()
        async with world.life() as queue:
            await eventually(lambda: not queue.snapshot().bytes, within=3_000)
        assert queue.books().balanced
