"""A worker's output as log lines: all of it read, only so much of it kept; and Lambda's REPORT line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.logs import Report
from handlers.logs.intake import Share
from handlers.logs.lines import LINE_LIMIT_BYTES, LINES_AT_ONCE, Allowance, LogEvent, LogLines
from handlers.logs.tail import TAIL_BYTES, TAIL_LINES, LogTail
from handlers.workers.log_reader import RECORDS_A_TURN, LogQueue


def texts(events: list[LogEvent]) -> list[str]:
    """What the events say."""
    return [event.text for event in events]


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30), max_size=30), st.data())
def test_lines_do_not_depend_on_how_they_are_cut(lines: list[str], data: st.DataObject) -> None:
    """Any cutting of the stream gives the same lines, the last one without its newline included."""
    stream = "\n".join(lines).encode()
    events, reader = list[LogEvent](), LogLines()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        events += reader.feed(stream[:size], 1.0)
        stream = stream[size:]
    events += reader.end(1.0)
    assert texts(events) == [*lines[:-1], *([lines[-1]] if lines and lines[-1] else [])]


def test_bytes_that_are_no_text_are_shown() -> None:
    """Garbage is escaped; nothing is lost and nothing moves a terminal's cursor."""
    assert texts(LogLines().feed(b"\xff\x00ok\x1b[2J\n", 1.0)) == ["\\xff\\x00ok\\x1b[2J"]


def test_a_traceback_of_the_python_client_is_one_line_of_several() -> None:
    """AWS's client joins a traceback with CR and indents it with no-break spaces."""
    line = "[ERROR] ValueError: no\rTraceback (most recent call last):\r\u00a0\u00a0File x\r\n"
    assert texts(LogLines().feed(line.encode(), 1.0)) == [
        "[ERROR] ValueError: no\nTraceback (most recent call last):\n  File x"
    ]


@pytest.mark.parametrize("piece", [1000, 65536, 1024 * 1024])
def test_a_line_of_a_mebibyte_is_cut(piece: int) -> None:
    """A line is kept up to its limit, and says how much is missing."""
    reader, stream, events = LogLines(), b"x" * 1024 * 1024 + b"\n", list[LogEvent]()
    for start in range(0, len(stream), piece):
        events += reader.feed(stream[start : start + piece], 1.0)
    assert texts(events) == ["x" * LINE_LIMIT_BYTES + f"... [{1024 * 1024 - LINE_LIMIT_BYTES} more bytes]"]


def test_a_flood_is_counted_and_not_kept() -> None:
    """Beyond the allowance lines are dropped; how many is said when there is room again."""
    reader = LogLines()
    kept = reader.feed(b"a\n" * 100_000, 1.0) + reader.feed(b"a\n" * 100_000, 1.0)
    assert len(kept) == LINES_AT_ONCE
    later = reader.feed(b"b\n", 2.0)
    assert texts(later) == [f"[{200_000 - LINES_AT_ONCE} lines dropped: more than 1000 a second]", "b"]


def test_a_flood_of_long_lines_is_bounded_in_bytes() -> None:
    """Lines of 64 KiB count as many."""
    reader = LogLines()
    kept = [event for _ in range(500) for event in reader.feed(b"x" * 65_535 + b"\n", 1.0)]
    assert sum(len(event.text) for event in kept) <= (LINES_AT_ONCE + 64) * 1024


async def test_a_flood_holds_nobody_up_and_keeps_its_order() -> None:
    """A few records are written in each turn of the event loop, the rest in the next ones."""
    written: list[str] = []
    queue = LogQueue(lambda event, request_id: written.append(event.text), Share(RECORDS_A_TURN))
    for number in range(1000):
        queue.put([LogEvent(str(number))], None)
    assert len(written) == RECORDS_A_TURN
    await queue.flush()
    assert written == [str(number) for number in range(1000)]


def test_what_was_dropped_is_said_at_the_end_at_the_latest() -> None:
    """A stream that ends in a flood says so."""
    reader = LogLines()
    reader.feed(b"a\n" * (LINES_AT_ONCE + 3), 1.0)
    assert texts(reader.end(1.0)) == ["[3 lines dropped: more than 1000 a second]"]


def test_the_tail_keeps_the_newest_lines() -> None:
    """Bounded by lines and by size, oldest first."""
    many, large = LogTail(), LogTail()
    for number in range(TAIL_LINES + 10):
        many.add(str(number))
    assert many.lines() == tuple(str(number) for number in range(10, TAIL_LINES + 10))
    for _ in range(10):
        large.add("x" * (TAIL_BYTES // 4))
    assert len(large.lines()) == 4


def test_the_streams_of_a_worker_share_what_they_may_bring() -> None:
    """A burst on both at once is bounded like one on either."""
    allowance = Allowance()
    stdout, stderr = LogLines("stdout", allowance), LogLines("stderr", allowance)
    kept = stdout.feed(b"a\n" * LINES_AT_ONCE, 1.0) + stderr.feed(b"b\n" * LINES_AT_ONCE, 1.0)
    assert len(kept) == LINES_AT_ONCE


def test_the_report_has_lambdas_form() -> None:
    """Tabs, two decimals, billed milliseconds rounded up, init duration of a cold start."""
    assert Report("r", 0.0012345, 128, 40, 0.25).line() == (
        "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t"
        "Init Duration: 250.00 ms\t"
    )
    assert Report("r", 3.0, 128, 40, None, "timeout").line() == (
        "REPORT RequestId: r\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 40 MB\tStatus: timeout\t"
    )
