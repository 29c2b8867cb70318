"""The driver, pymongo, which is an extra: whether it is there, and which servers it can talk to. It is not imported here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

EXTRA: Final = 'pip install "headrace[documentdb]"'
OLD_SERVERS: Final = 'pip install "pymongo>=4.13,<4.14"'
"""The last release that talks to DocumentDB 4.0."""


def missing() -> str | None:
    """What is said where there is no driver; None where there is one."""
    if find_spec("pymongo") is not None and find_spec("bson") is not None:
        return None
    return f"change streams need the driver pymongo, which is not installed: {EXTRA}"


def driver_version() -> str:
    """The installed release."""
    try:
        return version("pymongo")
    except PackageNotFoundError:
        return "unknown"
