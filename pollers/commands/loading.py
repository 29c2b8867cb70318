"""Loading CONFIG for a command: with every check there is, and with faults as the user reads them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from config import ConfigError, Loaded, load
from pollers.commands.first_steps import first_steps, is_first_step

if TYPE_CHECKING:
    import os

EXIT_UNUSABLE = 2
"""The exit code for arguments or a configuration that cannot be used."""


def load_checked(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG with the checks of the other packages. Raises :class:`config.ConfigError` with every fault."""
    from pollers.sources.registry import check_patterns

    return load(path, checks=(check_patterns,))


def load_or_exit(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG, or print every fault on a line of its own to stderr and exit with 2."""
    try:
        return load_checked(path)
    except ConfigError as error:
        exit_unusable(path, error)


def exit_unusable(path: str | os.PathLike[str], error: ConfigError) -> NoReturn:
    """Print every fault on a line of its own to stderr, or what to do first where there is no configuration; exit with 2."""
    for fault in error.faults:
        click.echo(fault, err=True)
    if is_first_step(path):
        click.echo(f"\n{first_steps()}", err=True, nl=False)
    sys.exit(EXIT_UNUSABLE)
