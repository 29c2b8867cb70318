"""Applying a changed configuration to a running Headrace: whole, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog
from anyio import to_thread

from config import ConfigError
from pollers.supervisor.loading import load_changed, load_runnable
from pollers.supervisor.runtime import ReloadRefused, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from config.faults import Note

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
    """Read the configuration again and apply what changed. Never raises for what is in the files."""
    try:
        # The files are read when it is this reload's turn: one that began earlier and takes longer would bring back what it read.
        async with runtime.reading:
            loaded = await to_thread.run_sync(load_runnable, path)
            done = Reloaded(**await runtime.reload(loaded.config))
            runtime.where = loaded.where
        log_notes(loaded.notes)
        return done
    except ConfigError as error:
        faults = [str(fault) for fault in error.faults]
    except ReloadRefused as error:
        faults = [str(error)]
    log.error("configuration refused, the old one runs on", faults=faults)
    return Reloaded(faults=faults)


async def renew_from(runtime: Runtime, path: Path, names: Collection[str], renewed: Callable[[str], None]) -> list[str]:
    """Read the configuration again and apply what changed; begin the functions ``names`` anew, since their code has changed.

    A function whose new code is faulty is left as it is, and so is everything while the configuration is. Never raises for what is
    in the files. Returns those whose code needs nothing more; ``renewed`` is told of each that begins anew, when it does, which is
    after its running invocations.
    """
    try:
        async with runtime.reading:
            changed = await to_thread.run_sync(load_changed, path, runtime.given, names)
            runtime.refused = set(changed.faults)
            for name, wrong in changed.faults.items():
                log.error("code refused, the old one runs on", function=name, faults=[str(fault) for fault in wrong])
            if changed.config != runtime.given:
                await runtime.reload(changed.config, changed.sound)
                for name in changed.sound:
                    renewed(name)
            else:
                for name in changed.sound:
                    runtime.renew_soon(name, partial(renewed, name))
            runtime.where = changed.where
        log_notes(changed.notes)
        return sorted({*names} - changed.faults.keys())
    except ConfigError as error:
        faults = [str(fault) for fault in error.faults]
    except ReloadRefused as error:
        faults = [str(error)]
    log.error("configuration refused, the old one runs on", faults=faults)
    return []


def log_notes(notes: Iterable[Note]) -> None:
    """Log the notes on a configuration that can be used. Those on functions are warnings: such a function will fail."""
    for note in notes:
        log_line = log.warning if note.path.startswith("functions.") else log.info
        log_line("configuration note", note=str(note))
