"""Embedded metrics on standard output: whole lines, in a thread, and never in anybody's way."""

from __future__ import annotations

import threading

from pollers.telemetry.metric_lines import BYTES_WAITING, LINES_WAITING, MetricLines


def test_lines_are_written_in_order_as_they_are() -> None:
    """Each ends with a newline, and none is lost at the end."""
    written: list[bytes] = []
    lines = MetricLines(written.append)
    for number in range(100):
        lines.put(f'{{"n":{number}}}')
    lines.close()
    assert written == [f'{{"n":{number}}}\n'.encode() for number in range(100)]
    assert lines.dropped == 0


def test_a_reader_that_reads_nothing_holds_nobody_up() -> None:
    """What does not fit is dropped and counted, by number and by size; the end is not waited for."""
    stuck = threading.Event()

    def write(_: bytes) -> None:
        stuck.wait()

    lines = MetricLines(write)
    lines.put("x")
    for _ in range(2 * LINES_WAITING):
        lines.put("x")
    assert LINES_WAITING - 1 <= lines.dropped <= LINES_WAITING + 1
    dropped = lines.dropped
    lines.put("x" * (BYTES_WAITING + 1))
    assert lines.dropped == dropped + 1
    lines.close()
    stuck.set()


def test_a_reader_that_is_gone_is_no_fault() -> None:
    """A closed standard output ends the lines, and nothing else."""

    def write(_: bytes) -> None:
        raise BrokenPipeError

    lines = MetricLines(write)
    lines.put("x")
    lines._thread.join(10)
    lines.put("y")
    lines.close()
    assert lines.dropped == 2
