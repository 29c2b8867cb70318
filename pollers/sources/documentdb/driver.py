"""The driver, pymongo, which is an extra: whether it is there, and which servers it can talk to. It is not imported here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from config.sources.documentdb import DRIVER

OLD_SERVERS: Final = 'pip install "pymongo>=4.13,<4.14"'
"""The last release that talks to DocumentDB 4.0."""


def missing() -> str | None:
    """What is said where there is no driver; None where there is one."""
    return DRIVER.missing()


def driver_version() -> str:
    """The installed release."""
    try:
        return version("pymongo")
    except PackageNotFoundError:
        return "unknown"
