"""Applying a changed configuration to a running Headrace: whole, or not at all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio
import structlog
from anyio import to_thread

from config import ConfigError
from pollers.supervisor.loading import load_changed, load_runnable
from pollers.supervisor.runtime import ReloadRefused, Runtime
from pollers.supervisor.trials import Trials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable
    from pathlib import Path

    from config.faults import Fault, Note
    from config.models import Config
    from config.text.places import Path as ConfigPath
    from pollers.supervisor.loading import Changed

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: to mappings, and which ``functions`` and ``schedules`` were added, removed or changed.

    With ``faults``, nothing: the old configuration runs on.
    """

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    schedules: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def reload_from(runtime: Runtime, path: Path) -> Reloaded:
    """Read the configuration again and apply what changed. Never raises for what is in the files.

    Functions that it changes are tried first: one that does not load is a fault of the configuration.
    """
    try:
        # The files are read when it is this reload's turn: one that began earlier and takes longer would bring back what it read.
        async with runtime.reading:
            loaded = await to_thread.run_sync(load_runnable, path)
            async with _trials(runtime) as trials:
                await _try_out(runtime, trials, loaded.config, [], loaded.fault)
                done = Reloaded(**await runtime.reload(loaded.config, [], trials))
            runtime.where = loaded.where
        log_notes(loaded.notes)
        return done
    except ConfigError as error:
        faults = [str(fault) for fault in error.faults]
    except ReloadRefused as error:
        faults = [str(error)]
    log.error("configuration refused, the old one runs on", faults=faults)
    return Reloaded(faults=faults)


async def renew_from(runtime: Runtime, path: Path, names: Collection[str], told: Told) -> bool:
    """Read the configuration again and apply what changed; begin the functions ``names`` anew, since their code has changed.

    New code is tried beside the old one first. A function whose code is faulty is left as it is, and so is everything while the
    configuration is. Never raises for what is in the files. Returns whether ``names`` need nothing more: not while the
    configuration is faulty. ``told`` hears of each function that is refused, and of each that begins anew, when it does, which is
    after its running invocations.
    """
    try:
        async with runtime.reading:
            changed = await to_thread.run_sync(load_changed, path, runtime.given, names)
            for name, wrong in changed.faults.items():
                runtime.trials.drop(name)  # what waits for its invocations is not the code on the disk any more
                told.refused(name, [str(fault) for fault in wrong])
            if changed.config != runtime.given:
                await _reload_and_renew(runtime, changed, names, told)
            else:
                for name in changed.sound:
                    runtime.renew_soon(name, partial(told.renewed, name), partial(_refuse, name, changed, told))
            runtime.where = changed.where
        log_notes(changed.notes)
        return True
    except ConfigError as error:
        faults = [str(fault) for fault in error.faults]
    except ReloadRefused as error:
        faults = [str(error)]
    log.error("configuration refused, the old one runs on", faults=faults)
    return False


async def _reload_and_renew(runtime: Runtime, changed: Changed, names: Collection[str], told: Told) -> None:
    async with _trials(runtime) as trials:
        failed = await _try_out(runtime, trials, changed.config, changed.sound, changed.fault)
        for name, fault in failed.items():
            told.refused(name, [str(fault)])
        sound = [name for name in changed.sound if name not in failed]
        await runtime.reload(changed.config, sound, trials)
    refused = {*failed, *changed.faults}
    for name in names:
        # Also one that the configuration has changed at the same time: it has its new code now.
        if name in changed.config.functions and name not in refused:
            told.renewed(name)


@asynccontextmanager
async def _trials(runtime: Runtime) -> AsyncIterator[Trials]:
    """Those of one reload; what it does not take is left at its end."""
    trials = Trials(runtime.functions)
    try:
        yield trials
    finally:
        trials.end()


class Told(Protocol):
    """Who is told what became of functions whose code has changed."""

    def renewed(self, name: str) -> None:
        """It has begun anew."""

    def refused(self, name: str, faults: list[str]) -> None:
        """Its code is faulty, and the old one runs on."""


def _refuse(name: str, changed: Changed, told: Told, problem: str) -> None:
    told.refused(name, [str(changed.fault(("functions", name), problem))])


async def _try_out(
    runtime: Runtime,
    trials: Trials,
    config: Config,
    sound: Collection[str],
    fault: Callable[[ConfigPath, str], Fault],
) -> dict[str, Fault]:
    """Try all functions that ``config`` changes, and those whose code has changed (``sound``), of which the faults are returned.

    Raises ConfigError for functions that the configuration changes.
    """
    differing = runtime.renewed_by(config)
    models = {**{name: config.functions[name] for name in sound}, **differing}
    faults: dict[str, Fault] = {}

    async def tried(name: str) -> None:
        problem = await trials.tried(name, models[name])
        if problem is not None:
            faults[name] = fault(("functions", name), problem)

    runtime.trying = config
    try:
        async with anyio.create_task_group() as group:
            for name in models:
                group.start_soon(tried, name)
    finally:
        runtime.trying = None
    if wrong := [faults[name] for name in sorted(faults.keys() & differing.keys())]:
        raise ConfigError(wrong)
    return faults


def log_notes(notes: Iterable[Note]) -> None:
    """Log the notes on a configuration that can be used. Those on functions are warnings: such a function will fail."""
    for note in notes:
        log_line = log.warning if note.path.startswith("functions.") else log.info
        log_line("configuration note", note=str(note))
