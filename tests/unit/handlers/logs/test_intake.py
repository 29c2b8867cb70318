"""What workers write is taken apart a little in each turn of the event loop, and each part belongs to its own invocation."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from config.models import LoggingConfig
from handlers.logs import Report
from handlers.logs.intake import LEAST_BYTES, SLICE_BYTES, WAITING_LIMIT_BYTES, WORK_A_TURN, StreamText
from handlers.logs.lines import LINES_AT_ONCE, Allowance
from handlers.workers.log_reader import RECORDS_A_TURN
from handlers.workers.output import LogRules, WorkerOutput

if TYPE_CHECKING:
    from handlers.logs.lines import LogEvent

PIPE_BYTES = 65_536
OLD_FRAME = b"\xa5\x5a\x00\x01\x00\x00\x00"
FRAME = b"\xa5\x5a\x00\x0f\x00\x00\x00\x01" + (1_764_000_000_000_000).to_bytes(8, "big")


class CountingRules(LogRules):
    """Counts the events that it is asked about, by turn of the event loop."""

    def __init__(self) -> None:
        super().__init__("orders", LoggingConfig(), lambda: 0.0)
        self.turns = [0]

    def admits(self, event: LogEvent) -> bool:
        """As ever."""
        self.turns[-1] += 1
        return super().admits(event)


async def caught_up(output: WorkerOutput, rules: CountingRules) -> None:
    """Turn by turn, until all has been taken apart."""
    while output.behind:
        rules.turns.append(0)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "unit",
    [OLD_FRAME + b"\x00", OLD_FRAME + b"\x01x", FRAME + b"x", b"a\n", b'{"level":1}\n', b"\xff\n"],
    ids=["empty frames", "small old frames", "small frames", "lines", "objects", "garbage"],
)
async def test_the_work_of_a_turn_is_bounded_whatever_a_worker_has_written(unit: bytes) -> None:
    """A full pipe of the smallest things when an invocation ends: so many in each turn, and all of them in the end."""
    rules = CountingRules()
    output = WorkerOutput(rules, lambda: 1)
    stdout, _, _ = output.open(framed=True)
    with capture_logs():
        log = output.begin("r-1")
        os.write(stdout, (unit * PIPE_BYTES)[: PIPE_BYTES // len(unit) * len(unit)])
        output.answered()
        await caught_up(output, rules)
        output.close()
        await output.flush()
    assert max(rules.turns) <= WORK_A_TURN + SLICE_BYTES // len(unit) + 1
    expected = 0 if unit.endswith(b"\x00") else min(LINES_AT_ONCE, PIPE_BYTES // len(unit))
    assert sum(rules.turns) >= expected
    assert len(log.tail.lines()) >= min(expected, 1000)


async def test_the_workers_of_a_function_share_a_turn() -> None:
    """Many that flood at once do little more work in a turn than one; none of them is left out."""
    rules = CountingRules()
    outputs = [WorkerOutput(rules, lambda: 1) for _ in range(10)]
    with capture_logs() as events:
        for number, output in enumerate(outputs):
            stdout, _, _ = output.open(framed=True)
            output.begin(f"r-{number}")
            os.write(stdout, (OLD_FRAME + b"\x01x") * 4_000)
            output.answered()
        for _ in range(10):
            rules.turns.append(0)
            written = len(events)
            await asyncio.sleep(0)
            assert len(events) - written <= RECORDS_A_TURN + len(outputs)
        for output in outputs:
            assert {event["request_id"] for event in events} == {f"r-{number}" for number in range(10)}
            output.close()
            await output.flush()
    least = len(outputs) * (LEAST_BYTES // 8 + 1)
    assert max(rules.turns[:10]) <= WORK_A_TURN + SLICE_BYTES // 8 + 1 + least


async def test_what_waits_for_its_turn_still_belongs_to_its_own_invocation() -> None:
    """The next invocation begins, writes and ends while the first one's pipeful is not yet taken apart."""
    rules = CountingRules()
    output = WorkerOutput(rules, lambda: 1)
    stdout, _, _ = output.open(framed=False)
    with capture_logs() as events:
        first = output.begin("r-1")
        os.write(stdout, b"one\n" * 4000 + b"unfinished")
        output.answered()
        assert output.behind
        second = output.begin("r-2")
        os.write(stdout, b"two\n")
        output.answered()
        os.write(stdout, b"late\n")
        await output.caught_up()
        for log in (first, second):
            output.conclude(log, Report(log.request_id, 1.0, 128, 40), None)
        output.close()
        await output.flush()
    said = [(event["event"], event["request_id"]) for event in events if "stream" in event]
    assert said == [*[("one", "r-1")] * 4000, ("unfinished", "r-1"), ("two", "r-2"), ("late", "r-2")]
    assert second.tail.lines()[1:-2] == ("two",)
    assert first.tail.lines()[-3] == "unfinished"


async def test_a_worker_that_writes_faster_than_is_taken_apart_is_not_read_ahead_of() -> None:
    """While something waits, its pipe is left alone but for the ends of invocations: memory is bounded."""
    output = WorkerOutput(CountingRules(), lambda: 1)
    stdout, _, _ = output.open(framed=False)
    os.set_blocking(stdout, False)
    with capture_logs():
        output.begin("r-1")
        for _ in range(3 * WAITING_LIMIT_BYTES // PIPE_BYTES):  # nothing else runs meanwhile
            os.write(stdout, b"a\n" * (PIPE_BYTES // 2))
            output.answered()
        assert output._intake._waiting_bytes <= WAITING_LIMIT_BYTES
        output.close()
        await output.flush()
    assert output._rules.counts.dropped > WAITING_LIMIT_BYTES // 4


async def test_an_invocation_is_concluded_while_its_worker_writes_on_and_on() -> None:
    """It waits for what was written up to its answer, and has its report; not for what a thread adds in each turn."""
    output = WorkerOutput(CountingRules(), lambda: 1)
    stdout, _, _ = output.open(framed=True)
    stream = StreamText("stdout", Allowance())
    stream.expect_frames()
    turns = 0

    async def write_on() -> None:
        nonlocal turns
        while turns < 2_000:
            turns += 1
            output.put(stream, (OLD_FRAME + b"\x01x") * 1_000)
            await asyncio.sleep(0)

    with capture_logs():
        log = output.begin("r-1")
        os.write(stdout, OLD_FRAME + b"\x01x" + b"a\n" * 4_000)
        output.answered()
        writing = asyncio.create_task(write_on())
        await output.caught_up()
        output.conclude(log, Report("r-1", 1.0, 128, 40), None)
        writing.cancel()
        output.close()
        await output.flush()
    assert 0 < turns < 200
    assert log.tail.lines()[-1].startswith("REPORT RequestId: r-1")
    assert log.tail.lines()[-3] == "a"
