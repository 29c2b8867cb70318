"""Loading CONFIG for a command: with every check there is, and with faults as the user reads them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from config import ConfigError, Loaded, load

if TYPE_CHECKING:
    import os

EXIT_UNUSABLE = 2
"""The exit code for arguments or a configuration that cannot be used."""


def load_checked(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG with the checks of the other packages. Raises :class:`config.ConfigError` with every fault."""
    from pollers.filtering import check_mapping

    return load(path, checks=(check_mapping,))


def load_or_exit(path: str | os.PathLike[str]) -> Loaded:
    """Load CONFIG, or print every fault on a line of its own to stderr and exit with 2."""
    try:
        return load_checked(path)
    except ConfigError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        sys.exit(EXIT_UNUSABLE)
