"""Loading CONFIG for a command: what cannot be used is printed as the user reads it, and the command exits with 2."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from config import ConfigError
from pollers.commands.first_steps import first_steps, is_first_step

if TYPE_CHECKING:
    from config import Config, Loaded

EXIT_UNUSABLE = 2
"""The exit code for arguments or a configuration that cannot be used."""


def load_or_exit(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG, or print every fault on a line of its own to stderr and exit with 2."""
    from pollers.supervisor.loading import load_checked

    try:
        return load_checked(path)
    except ConfigError as error:
        _exit_unusable(path, error)


def load_runnable_or_exit(path: str | os.PathLike[str]) -> Loaded:
    """The same with the environment and the functions looked at as well."""
    from pollers.supervisor.loading import load_runnable

    exit_for_environment()
    try:
        return load_runnable(path)
    except ConfigError as error:
        _exit_unusable(path, error)


def stream_mappings(config: Config) -> list[str]:
    """The names of the mappings that have checkpoints."""
    from pollers.sources.registry import keeps_checkpoints

    return [name for name, one in config.event_source_mappings.items() if keeps_checkpoints(one)]


def exit_for_environment() -> None:
    """Exit with 2 for variables that no call can be made with, each named on a line of its own; their values are not shown."""
    from pollers.aws.wire.sendable import environment_faults

    faults = list(environment_faults(os.environ))
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(EXIT_UNUSABLE)


def _exit_unusable(path: str | os.PathLike[str], error: ConfigError) -> NoReturn:
    """Print every fault on a line of its own to stderr, or what to do first where there is no configuration; exit with 2."""
    for fault in error.faults:
        click.echo(fault, err=True)
    if is_first_step(path):
        click.echo(f"\n{first_steps()}", err=True, nl=False)
    sys.exit(EXIT_UNUSABLE)
