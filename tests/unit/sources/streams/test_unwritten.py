"""How far a shard's work may run ahead of what is written."""

from __future__ import annotations

import anyio
from hypothesis import given
from hypothesis import strategies as st

from pollers.engine.stop import Stop
from pollers.sources.streams.task_reports import TaskReports
from pollers.sources.streams.unwritten import BATCHES_AHEAD, REPORT_AFTER_SECONDS, Unwritten, WriteGate
from pollers.telemetry.facts import Doing, Fact, State
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time


def test_one_finished_batch_may_be_unwritten_when_another_begins() -> None:
    """The next batch runs while the write is on its way; the one after it waits."""
    unwritten = Unwritten()
    assert unwritten.may_begin(0.0)
    unwritten.finish(1.0)
    assert unwritten.any
    assert unwritten.may_begin(1.0)
    unwritten.finish(2.0)
    assert not unwritten.may_begin(1_000.0)
    unwritten.write(1, 3.0)
    assert unwritten.may_begin(3.0)
    unwritten.write(2, 4.0)
    assert not unwritten.any


def test_a_store_that_writes_now_and_then_gives_a_grace_but_not_for_ever() -> None:
    """Batches go on between two writes, and wait when the write fails to come."""
    unwritten = Unwritten(grace_seconds=2.0)
    for second in range(3):
        unwritten.finish(10.0 + second / 10)
    assert unwritten.may_begin(11.9)
    assert not unwritten.may_begin(12.0)
    unwritten.write(2, 12.5)
    unwritten.finish(12.6)
    assert unwritten.may_begin(14.4)
    assert not unwritten.may_begin(14.5)


@given(st.data(), st.integers(1, 6))
def test_what_has_begun_and_is_not_written_is_never_more_than_a_batch_a_lane_and_one(
    data: st.DataObject, lanes: int
) -> None:
    """Under any order of beginnings, ends and writes: that is all that a crash can repeat."""
    unwritten, running, on_its_way = Unwritten(), 0, None
    for _ in range(data.draw(st.integers(1, 80))):
        match data.draw(st.sampled_from(["begin", "end", "write", "written"])):
            case "begin" if running < lanes and unwritten.may_begin(0.0):
                running += 1
            case "end" if running:
                running -= 1
                unwritten.finish(0.0)
            case "write" if on_its_way is None:
                on_its_way = unwritten.finished
            case "written" if on_its_way is not None:
                unwritten.write(on_its_way, 0.0)
                on_its_way = None
            case _:
                continue
        assert running + unwritten.finished - unwritten.written <= lanes + BATCHES_AHEAD


def gate(unwritten: Unwritten, stop: Stop) -> tuple[WriteGate, list[Fact]]:
    """A gate, and what is reported at it."""
    told: list[Fact] = []
    reports = TaskReports(Facts("m", [lambda _, fact: told.append(fact)]))
    return WriteGate(unwritten, stop, reports, lambda: "the disk is full"), told


@virtual_time.test
async def test_lanes_wait_at_the_gate_until_a_write_is_made() -> None:
    """All that wait go on at once, and long waits are reported with their reason and their end."""
    unwritten = Unwritten()
    at, told = gate(unwritten, Stop())
    assert await at.passed("shard/0")
    for _ in range(BATCHES_AHEAD + 1):
        unwritten.finish(at.now())
    passed: list[bool] = []

    async def lane(task: str) -> None:
        passed.append(await at.passed(task))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lane, "shard/0")
        tasks.start_soon(lane, "shard/1")
        await anyio.sleep(REPORT_AFTER_SECONDS * 3)
        assert passed == []
        unwritten.write(BATCHES_AHEAD + 1, at.now())
        at.look_again()
    assert passed == [True, True]
    assert [(fact.state, fact.detail) for fact in told if isinstance(fact, Doing)] == [
        (State.WAITING_FOR_WRITE, "the disk is full"),
        (State.WAITING_FOR_WRITE, "the disk is full"),
        (State.ENDED, ""),
        (State.ENDED, ""),
    ]


@virtual_time.test
async def test_a_stop_ends_the_wait_at_the_gate() -> None:
    """No further batch begins."""
    unwritten, stop = Unwritten(), Stop()
    at, _ = gate(unwritten, stop)
    for _ in range(BATCHES_AHEAD + 1):
        unwritten.finish(at.now())
    async with anyio.create_task_group() as tasks:

        async def stop_soon() -> None:
            await anyio.sleep(0.1)
            stop.request()
            at.look_again()

        tasks.start_soon(stop_soon)
        assert not await at.passed("shard/0")
