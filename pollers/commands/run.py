"""``headrace run``: every mapping, until a signal or until idle."""

from __future__ import annotations

import asyncio
import errno
import faulthandler
import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import anyio
import click
import structlog

from pollers.early_signals import heed_signals_while_starting

if TYPE_CHECKING:
    from config import Loaded
    from handlers.system.descriptor_limit import DescriptorLimit
    from pollers.supervisor.ending import Ending
    from pollers.supervisor.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

STANDSTILL_SECONDS = 30.0
"""After this long without a turn of the event loop the process has come to a standstill."""


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path), default=Path("headrace.yaml"))
@click.option(
    "--until-idle",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop by itself once every source is caught up and has been quiet for SECONDS.",
)
def command(config: Path, until_idle: float | None) -> None:
    """Run every mapping of CONFIG (a file or a folder of files) until SIGTERM or SIGINT."""
    heed_signals_while_starting()
    # Only now, as these take most of the start.
    from handlers.system.descriptor_limit import raise_descriptor_limit
    from handlers.system.memory_privacy import keep_memory_private
    from pollers.commands.configuration import load_runnable_or_exit
    from pollers.telemetry.logging import configure_logging
    from pollers.telemetry.output import take_over

    keep_memory_private()
    output = take_over()
    configure_logging(outlet=output.stderr)
    loaded = load_runnable_or_exit(config)
    _log_descriptor_limit(raise_descriptor_limit(), loaded)
    anyio.run(partial(_run_and_leave, config, loaded, until_idle), backend_options=backend_options())


def _log_descriptor_limit(limit: DescriptorLimit, loaded: Loaded) -> None:
    """A mapping has a connection or more, a worker five descriptors: few limits are too low once they are raised."""
    from config.models import ProcessFunction

    functions = loaded.config.functions.values()
    workers = sum(function.concurrency for function in functions if isinstance(function, ProcessFunction))
    needed = 64 + 2 * len(loaded.config.event_source_mappings) + 6 * workers
    if limit.now < needed:
        log.warning(
            "few file descriptors: mappings and workers may have to wait; raise the hard limit (ulimit -Hn)",
            limit=limit.now,
            needed=needed,
        )
    else:
        log.info("file descriptors", limit=limit.now, before=limit.before)


def _leave(exit_code: int, last_lines_seconds: float) -> NoReturn:
    """End now: everything of ours is closed, and threads that user code left behind in this process are not waited for."""
    from pollers.telemetry import output

    if output.current is not None:
        output.current.flush(last_lines_seconds)
    os._exit(exit_code)


def backend_options() -> dict[str, bool]:
    """uvloop wherever it installs, unless HEADRACE_UVLOOP=0."""
    if os.environ.get("HEADRACE_UVLOOP", "1") == "0":
        return {}
    try:
        import uvloop  # noqa: F401 - asked for by name below
    except ImportError:
        return {}
    return {"use_uvloop": True}


async def _run_and_leave(path: Path, loaded: Loaded, until_idle: float | None) -> NoReturn:
    """Ends from within the event loop: closing it would wait for threads, of which one may ask a name server that does not answer.

    And while signals are still heard: the default would end the process with a status of its own.
    """
    from pollers.assembly import AddressTaken, assembled
    from pollers.checkpoints import CheckpointError
    from pollers.supervisor.ending import LAST_LINES_SECONDS, Ending
    from pollers.supervisor.reloading import log_notes

    log_notes(loaded.notes)
    asyncio.get_running_loop().set_exception_handler(_without_traceback_for_want_of_descriptors)
    ending = None
    # Around everything that is opened, so that signals are heard until all of it is closed.
    async with anyio.create_task_group() as group:
        try:
            async with assembled(loaded.config, path=path, long_poll_seconds=_long_poll(until_idle)) as runtime:
                ending = Ending(_leave, partial(_exit_code, runtime))
                runtime.on_ending = ending.within
                await group.start(_signals, runtime, ending, path)
                group.start_soon(_dump_stacks_on_standstill)
                exit_code = await runtime.run(until_idle=until_idle)
        except (AddressTaken, CheckpointError) as unusable:
            log.error("headrace cannot start", error=str(unusable))
            exit_code = 1
        log.info("headrace stopped", exit_code=exit_code)
        _leave(exit_code, LAST_LINES_SECONDS[1] if ending is None else ending.last_lines_seconds)
    raise AssertionError("the process has ended")


def _without_traceback_for_want_of_descriptors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop's own servers, for workers, say so each time that they cannot accept; they try again by themselves."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        log.warning("no file descriptors are left; tried again soon", error=str(error))
    else:
        loop.default_exception_handler(context)


def _exit_code(runtime: Runtime) -> int:
    """1 as long as something is held, or nobody can say."""
    return runtime.exit_code if runtime.over or runtime.nothing_held else 1


async def _dump_stacks_on_standstill() -> None:
    """Have every thread's stack written to stderr when nothing moves any more: code inside Headrace keeps Python's global lock.

    No log, no signal and no health check gets through then; this does, as it needs no Python.
    """
    from pollers.telemetry import output

    descriptor = output.unblocking(2)
    try:
        while True:
            # Asking again waits for stacks that are being written, so none are where nobody reads.
            if output.current is None or output.current.stderr is None or output.current.stderr.stalled:
                faulthandler.cancel_dump_traceback_later()
            else:
                faulthandler.dump_traceback_later(STANDSTILL_SECONDS, file=descriptor)
            await anyio.sleep(STANDSTILL_SECONDS / 4)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _long_poll(until_idle: float | None) -> int:
    """A run that ends by itself does not end in a long poll of 20 seconds: it waits no longer than it must be quiet."""
    from pollers.sources.registry import LONG_POLL_SECONDS

    return LONG_POLL_SECONDS if until_idle is None else max(1, min(LONG_POLL_SECONDS, int(until_idle)))


async def _signals(runtime: Runtime, ending: Ending, path: Path, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """A reload, which waits for in-flight batches, must not hold up a stop."""
    from pollers.supervisor.reloading import reload_from

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
        async with anyio.create_task_group() as reloads:
            task_status.started()
            async for number in received:
                log.info("signal", signal=signal.Signals(number).name)
                if number == signal.SIGHUP:
                    reloads.start_soon(reload_from, runtime, path)
                else:
                    ending.signalled()
                    runtime.stop()
