"""Lets a package export names of its files without importing the files before a name is used.

A check of the configuration, and every start, so pay only for the ways of running functions that are configured.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazily(package: str, files: Mapping[str, str]) -> Callable[[str], object]:
    """A ``__getattr__`` for ``package``. ``files`` gives, for each of its files, the names that it exports of it."""
    file_of = {name: file for file, names in files.items() for name in names.split()}

    def get(name: str) -> object:
        if name not in file_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Not kept here: who replaces the name in its file, as tests do, would depend on whether somebody had asked before.
        return getattr(import_module(f"{package}.{file_of[name]}"), name)

    return get
