"""Loading CONFIG to run it: functions that cannot work are faults like any other, found before anything is received."""

from __future__ import annotations

import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from config import ConfigError
from config.faults import Fault, Note
from config.models import ProcessFunction
from handlers.environment.profile import read_profile
from handlers.environment.world import source_regions, world
from handlers.inspection.functions import inspect
from pollers.aws.wire.sendable import environment_faults
from pollers.commands.loading import EXIT_UNUSABLE, exit_unusable, load_checked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config import Loaded
    from handlers.environment.aws_variables import Profile

INSPECTED_AT_A_TIME = 4
"""Most of the time goes into waiting for interpreters."""


def load_runnable(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG with every check that needs no AWS, those of its functions included.

    Raises :class:`config.ConfigError` with every fault.
    """
    loaded = load_checked(path)
    faults, notes = inspected(loaded, loaded.config.functions)
    if faults:
        raise ConfigError(faults)
    return replace(loaded, notes=sorted({*loaded.notes, *notes}))


def load_runnable_or_exit(path: str | os.PathLike[str]) -> Loaded:
    """The same, or print every fault on a line of its own to stderr and exit with 2."""
    exit_for_environment()
    try:
        return load_runnable(path)
    except ConfigError as error:
        exit_unusable(path, error)


def exit_for_environment() -> None:
    """Exit with 2 for variables that no call can be made with, each named on a line of its own; their values are not told."""
    faults = list(environment_faults(os.environ))
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(EXIT_UNUSABLE)


def inspected(loaded: Loaded, names: Iterable[str]) -> tuple[list[Fault], list[Note]]:
    """What is wrong with these functions, and what may be, at their places in the files."""
    profile = read_profile()
    with warnings.catch_warnings(), ThreadPoolExecutor(INSPECTED_AT_A_TIME) as pool:
        warnings.simplefilter("ignore")  # of the code that is parsed: an invalid escape, say, is its own affair
        found = list(pool.map(lambda name: _inspect(loaded, name, profile), names))
    faults = [remark for remarks in found for remark in remarks if isinstance(remark, Fault)]
    return faults, [remark for remarks in found for remark in remarks if isinstance(remark, Note)]


def _inspect(loaded: Loaded, name: str, profile: Profile) -> list[Fault | Note]:
    config = loaded.config
    model = config.functions[name]
    where = world(config.aws, profile=profile, sources=source_regions(config, name))
    found: list[Fault | Note] = []
    for remark in inspect(name, model, where):
        say = loaded.fault if remark.fatal else loaded.note
        found.append(say(("functions", name, *remark.path), remark.message))
    if where.doubt is not None and isinstance(model, ProcessFunction) and "AWS_REGION" not in model.environment:
        found.append(loaded.note(("functions", name), where.doubt))
    return found
