"""Standard output and error: whole lines, in order, by a thread, and never in anybody's way."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

import anyio
import pytest
import structlog

from handlers.logs.origin import LOGGERS, context_of
from pollers.telemetry.metric_lines import on_stdout
from pollers.telemetry.output import BYTES_WAITING, LINES_WAITING, Outlet, _Raw, unblocking, writer_to
from tests.run_logging import as_run_logs
from tests.worlds import virtual_time
from tests.worlds.sqs_world import World
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.telemetry.facts import Fact

pytestmark = pytest.mark.timeout(300)
ENOUGH_SECONDS = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def waits_for(event: threading.Event) -> Callable[[bytes], None]:
    def write(_: bytes) -> None:
        event.wait()

    return write


def test_lines_are_written_in_order_as_they_are() -> None:
    """None is lost when they are flushed."""
    written: list[bytes] = []
    outlet = Outlet(written.append)
    lines = [f'{{"n":{number}}}\n'.encode() for number in range(1_000)]
    for line in lines:
        outlet.put(line)
    assert outlet.flush(ENOUGH_SECONDS)
    assert b"".join(written) == b"".join(lines)
    assert outlet.dropped == 0


def test_a_reader_that_reads_nothing_holds_nobody_up() -> None:
    """What does not fit is dropped and counted, by number and by size; the end is waited for within its bound."""
    stuck = threading.Event()
    outlet = Outlet(waits_for(stuck))
    for _ in range(3 * LINES_WAITING):
        outlet.put(b"x\n")
    assert outlet.dropped >= LINES_WAITING
    dropped = outlet.dropped
    outlet.put(b"x" * (BYTES_WAITING + 1))
    assert outlet.dropped == dropped + 1
    assert not outlet.flush(0.01)
    until(lambda: outlet.stalled)
    stuck.set()
    assert outlet.flush(ENOUGH_SECONDS)
    assert not outlet.stalled


def test_what_was_dropped_is_said_once_lines_flow_again() -> None:
    """By number, and only once."""
    stuck, said = threading.Event(), list[int]()
    outlet = Outlet(waits_for(stuck), said.append)
    for _ in range(LINES_WAITING + 7):
        outlet.put(b"x\n")
    dropped = outlet.dropped
    assert dropped >= 7
    assert not said
    stuck.set()
    until(lambda: bool(said))
    outlet.put(b"x\n")
    assert outlet.flush(ENOUGH_SECONDS)
    assert said == [dropped]


def test_a_reader_that_is_gone_is_no_fault() -> None:
    """Nothing is written any more, all lines are counted as dropped, and no caller waits."""
    calls = list[bytes]()

    def write(data: bytes) -> None:
        calls.append(data)
        raise BrokenPipeError(errno.EPIPE, "nobody reads")

    outlet = Outlet(write)
    outlet.put(b"x\n")
    until(lambda: outlet.dropped == 1)
    outlet.put(b"y\ny\n")
    assert outlet.flush(ENOUGH_SECONDS)
    assert outlet.dropped == 3
    assert len(calls) == 1


def test_a_disk_that_was_full_gets_whole_lines_again() -> None:
    """The line that was torn is counted; the next one begins on a line of its own."""
    written = bytearray()
    full = True

    def write(data: bytes) -> None:
        if full:
            written.extend(data[:3])
            raise OSError(errno.ENOSPC, "no space left on device")
        written.extend(data)

    outlet = Outlet(write)
    outlet.put(b"first line\n")
    until(lambda: outlet.dropped == 1)
    full = False
    outlet.put(b"second line\n")
    assert outlet.flush(ENOUGH_SECONDS)
    assert bytes(written) == b"fir\nsecond line\n"


def test_a_pipe_that_others_made_non_blocking_is_written_whole() -> None:
    """Somebody who shares the stream may have done so; that is no reason to lose lines."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    outlet = Outlet(writer_to(writable))
    line = b"x" * 1_000 + b"\n"
    for _ in range(300):
        outlet.put(line)
    read = 0
    while read < 300 * len(line):
        read += len(os.read(readable, 65_536))
    assert outlet.flush(ENOUGH_SECONDS)
    assert outlet.dropped == 0
    os.close(readable)
    os.close(writable)


def test_stacks_are_written_where_nobody_reads_without_waiting() -> None:
    """The descriptor for them drops what a full pipe does not take, and leaves the pipe's own as it is."""
    readable, writable = os.pipe()
    descriptor = unblocking(writable)
    assert descriptor != writable
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x" * 4_096)
    assert os.get_blocking(writable)
    for one in (readable, writable, descriptor):
        os.close(one)


def test_metric_lines_end_with_one_newline(capfd: pytest.CaptureFixture[str]) -> None:
    """As they were written, one a line."""
    with on_stdout() as put:
        put('{"a":1}')
        put("two\nlines")
    assert capfd.readouterr().out == '{"a":1}\ntwo lines\n'


@virtual_time.test
async def test_a_poller_polls_on_while_nobody_reads_its_log() -> None:
    """A pipe that is full to the brim, more lines than may wait: every message is handled and the stop is in order."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4_096)
    outlet = Outlet(writer_to(writable))
    log = structlog.stdlib.get_logger("stalled")

    def loud(mapping: str, fact: Fact) -> None:
        for _ in range(2_000):
            log.info("fact", mapping=mapping, fact=type(fact).__name__)

    world = World.of()
    world.sinks.append(loud)
    for number in range(20):
        world.queue.put(str(number))
    with as_run_logs(outlet=outlet):
        async with world.polling():
            await eventually(lambda: not world.queue.messages)
            await anyio.sleep(60)
    assert len(world.handled) == 20
    assert outlet.dropped > 0
    os.close(readable)  # ends the thread's write
    until(lambda: outlet.flush(1))
    os.close(writable)


def test_a_record_that_cannot_be_shown_does_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    """Logging says so itself, as ever, and goes on."""
    written: list[bytes] = []
    outlet = Outlet(written.append)
    with as_run_logs(outlet=outlet):
        logging.getLogger("x").warning("%d", "no number")
        logging.getLogger("x").warning("next")
    assert outlet.flush(ENOUGH_SECONDS)
    assert b"next" in b"".join(written)
    assert "TypeError" in capsys.readouterr().err


def said(outlet: Outlet, name: str, text: str) -> None:
    """A record of that logger, as ``headrace run`` hands it on."""
    with as_run_logs(outlet=outlet):
        structlog.stdlib.get_logger(name).info(text)


def flood(outlet: Outlet) -> None:
    """More than fits of what functions say: in processes, in this one, printed, and metrics, each alone enough."""
    with as_run_logs(outlet=outlet):
        log = structlog.stdlib.get_logger(f"{LOGGERS}.loud")
        for _ in range(LINES_WAITING + 1):
            log.info("x")
        in_process = structlog.stdlib.get_logger("in_process")
        context_of("loud", "r-1", 0).run(lambda: [in_process.info("y") for _ in range(LINES_WAITING)])
    printing = _Raw(outlet, 2)
    for _ in range(LINES_WAITING):
        printing.write(b"z\n")


def test_functions_leave_room_for_what_headrace_says_itself() -> None:
    """A slow reader and a function that floods: what Headrace says still waits for its turn, and is written."""
    stuck, written = threading.Event(), list[bytes]()

    def write(data: bytes) -> None:
        stuck.wait()
        written.append(data)

    outlet = Outlet(write)
    flood(outlet)
    dropped = outlet.dropped
    assert dropped > 2 * LINES_WAITING
    for _ in range(LINES_WAITING // 5):
        outlet.put(b"of ours\n")
    said(outlet, "pollers.supervisor.runtime", "ledger")
    assert outlet.dropped == dropped
    stuck.set()
    assert outlet.flush(ENOUGH_SECONDS)
    assert b"".join(written).count(b"of ours\n") == LINES_WAITING // 5
    assert b"ledger" in written[-1]


def test_large_lines_of_functions_leave_room_too() -> None:
    """By their size."""
    stuck = threading.Event()
    outlet = Outlet(waits_for(stuck))
    line = b"x" * (64 * 1024 - 1) + b"\n"
    for _ in range(BYTES_WAITING // len(line)):
        outlet.put(line, ours=False)
    dropped = outlet.dropped
    assert dropped
    for _ in range(BYTES_WAITING // len(line) // 4 - 2):
        outlet.put(line)
    assert outlet.dropped == dropped
    stuck.set()
    assert outlet.flush(ENOUGH_SECONDS)


def test_the_last_lines_are_headraces_own() -> None:
    """A reader that is too slow for all lines of functions still gets the ledger at the end: functions' lines
    are dropped and counted.
    """
    written, stuck = list[bytes](), threading.Event()

    def write(data: bytes) -> None:
        stuck.wait()
        written.append(data)

    outlet = Outlet(write)
    line = b"x" * (64 * 1024 - 1) + b"\n"
    for _ in range(150):
        outlet.put(line, ours=False)
    outlet.put(b"the ledger\n")
    assert not outlet.flush(0.02)
    stuck.set()
    until(lambda: written[-1:] == [b"the ledger\n"])
    assert len(written) <= 2
    assert outlet.dropped == 151 - len(written)
