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
    from collections.abc import Mapping

    from config import Loaded
    from handlers.system import DescriptorLimit
    from pollers.supervisor.ending import Ending
    from pollers.supervisor.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

STANDSTILL_SECONDS = 30.0
"""After this long without a turn of the event loop, the process is taken to stand still."""
WATCHED_POLL_SECONDS = 1
"""How long a receive from an empty queue may wait with ``--watch``."""


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path), default=Path("headrace.yaml"))
@click.option(
    "--until-idle",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop by itself once every source is caught up and has been quiet for SECONDS.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Apply changed code and a changed CONFIG at once, function by function. For developing.",
)
def command(config: Path, until_idle: float | None, watch: bool) -> None:
    """Run every mapping of CONFIG (a file or a folder of files) until SIGTERM or SIGINT."""
    heed_signals_while_starting()
    # Imported only now: these take most of the start.
    from handlers.system import keep_memory_private, raise_descriptor_limit
    from pollers.commands.configuration import load_runnable_or_exit
    from pollers.telemetry.logging import configure_logging
    from pollers.telemetry.output import take_over

    keep_memory_private()
    output = take_over()
    configure_logging(outlet=output.stderr)
    loaded = load_runnable_or_exit(config)
    _log_descriptor_limit(raise_descriptor_limit(), loaded)
    warn_of_unshared(loaded, os.environ)
    anyio.run(partial(_run_and_leave, config, loaded, until_idle, watch=watch), backend_options=backend_options())


def warn_of_unshared(loaded: Loaded, environ: Mapping[str, str], root: Path = Path("/")) -> None:
    """Warn where replicas would not share their checkpoints: they cannot see each other, and their books balance."""
    from pollers.commands.unshared import surroundings, unshared

    found = unshared(loaded, surroundings(environ, root))
    if found is not None:
        log.warning("replicas would not share these checkpoints", problem=found.what, fix=found.fix)


def _log_descriptor_limit(limit: DescriptorLimit, loaded: Loaded) -> None:
    """Warn where the limit may be too low: a mapping has at least one connection, and a worker has five descriptors."""
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
    """End the process now. What Headrace opened is closed; threads that user code left behind are not waited for."""
    from pollers.telemetry import output

    if output.current is not None:
        output.current.flush(last_lines_seconds)
    os._exit(exit_code)


def backend_options() -> dict[str, bool]:
    """uvloop where it is installed, unless HEADRACE_UVLOOP=0."""
    if os.environ.get("HEADRACE_UVLOOP", "1") == "0":
        return {}
    try:
        import uvloop  # noqa: F401 - asked for by name below
    except ImportError:
        return {}
    return {"use_uvloop": True}


async def _run_and_leave(path: Path, loaded: Loaded, until_idle: float | None, *, watch: bool) -> NoReturn:
    """Run, and end the process from within the event loop.

    Closing the loop would wait for threads, and one of them may be waiting for a name server that does not answer. The process also
    ends while signals are still handled: their default action would end it with an exit code of their own.
    """
    from pollers.assembly import assembled
    from pollers.errors import AddressTaken
    from pollers.storage.errors import StoreError
    from pollers.supervisor.ending import LAST_LINES_SECONDS, Ending
    from pollers.supervisor.reloading import log_notes

    log_notes(loaded.notes)
    asyncio.get_running_loop().set_exception_handler(_report_without_traceback)
    ending = None
    # Around everything that is opened, so that signals are handled until all of it is closed.
    async with anyio.create_task_group() as group:
        try:
            async with assembled(
                loaded.config, path=path, long_poll_seconds=_long_poll(until_idle, watch=watch)
            ) as runtime:
                if watch:
                    _watch(runtime, path)
                ending = Ending(_leave, partial(_exit_code, runtime))
                runtime.on_ending = ending.within
                runtime.where = loaded.where
                await group.start(_signals, runtime, ending, path)
                group.start_soon(_dump_stacks_on_standstill)
                exit_code = await runtime.run(until_idle=until_idle)
        except (AddressTaken, StoreError) as unusable:
            log.error("headrace cannot start", error=str(unusable))
            exit_code = 1
        log.info("headrace stopped", exit_code=exit_code)
        _leave(exit_code, LAST_LINES_SECONDS[1] if ending is None else ending.last_lines_seconds)
    raise AssertionError("the process has ended")


def _watch(runtime: Runtime, path: Path) -> None:
    from pollers.watching import Watching

    runtime.services = (*runtime.services, Watching(runtime, path))


def _report_without_traceback(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Without file descriptors asyncio's servers report each connection that they cannot accept, and try again by themselves."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        log.warning("no file descriptors are left; tried again soon", error=str(error))
    else:
        loop.default_exception_handler(context)


def _exit_code(runtime: Runtime) -> int:
    """1 while something is held, or while nobody knows whether something is."""
    return runtime.exit_code if runtime.over or runtime.nothing_held else 1


async def _dump_stacks_on_standstill() -> None:
    """Write every thread's stack to stderr when the event loop stands still, because some code keeps Python's global lock.

    Then no log line, no signal and no health check gets through. This does, because it runs without Python.
    """
    from pollers.telemetry import output

    descriptor = output.unblocking(2)
    try:
        while True:
            # Both calls wait until stacks that are being written are out: they must not be written where nobody reads.
            if output.current is None or output.current.stderr is None or output.current.stderr.stalled:
                faulthandler.cancel_dump_traceback_later()
            else:
                faulthandler.dump_traceback_later(STANDSTILL_SECONDS, file=descriptor)
            await anyio.sleep(STANDSTILL_SECONDS / 4)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _long_poll(until_idle: float | None, *, watch: bool) -> int:
    """A run that ends by itself must not wait for a long poll of 20 seconds: no poll is longer than the quiet time.

    Watched, no poll is longer than a second: an emulator goes on with one whose client has left, and hides from the renewed mapping
    what comes meanwhile.
    """
    from pollers.sources.registry import LONG_POLL_SECONDS

    if watch:
        return WATCHED_POLL_SECONDS
    return LONG_POLL_SECONDS if until_idle is None else max(1, min(LONG_POLL_SECONDS, int(until_idle)))


async def _signals(runtime: Runtime, ending: Ending, path: Path, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Handle signals. A reload waits for running batches and must not delay a stop, so that it has a task of its own."""
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
