"""Finding modules in a function's folders as Python's import would, without loading any."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from typing import TYPE_CHECKING, Protocol, cast
from zipimport import ZipImportError, zipimporter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec


class Unreadable(Exception):  # noqa: N818 - said as it is
    """A module's text cannot be read or parsed. The message says where and why."""


class _TextLoader(Protocol):
    def get_source(self, fullname: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A module that is there: its name, the file, and where its submodules are (None if it is no package)."""

    name: str
    file: str
    inside: tuple[str, ...] | None
    spec: ModuleSpec

    def tree(self) -> ast.Module | None:
        """Its syntax tree; None where it has no text (an extension, a folder) or too deep a one. Raises Unreadable."""
        loader = self.spec.loader
        if loader is None or not hasattr(loader, "get_source") or isinstance(loader, ExtensionFileLoader):
            return None
        try:
            text = cast("_TextLoader", loader).get_source(self.name)
            return ast.parse(text) if text is not None else None
        except SyntaxError as error:
            raise Unreadable(f"{self.file}:{error.lineno or 1}: {error.msg}") from error
        except (ImportError, OSError, ValueError) as error:
            raise Unreadable(f"{self.file}: {error}") from error
        except (RecursionError, MemoryError):
            return None


def find(dotted: str, roots: Sequence[str]) -> Found | str:
    """The module of that name below ``roots``; else the name of the first part that is not there."""
    where: Sequence[str] | None = roots
    parts = dotted.split(".")
    found: Found | None = None
    for number in range(len(parts)):
        name = ".".join(parts[: number + 1])
        found = _find_one(name, where) if where is not None else None
        if found is None:
            return name
        where = found.inside
    assert found is not None  # noqa: S101 - a name has one part at least
    return found


def is_closed(package: str, roots: Sequence[str]) -> bool:
    """Whether the package's modules are those in its folder: a namespace may go on elsewhere, a ``__path__`` be changed."""
    found = find(package, roots)
    if isinstance(found, str) or found.spec.loader is None:
        return False
    try:
        tree = found.tree()
    except Unreadable:
        return False
    return tree is not None and "__path__" not in {getattr(node, "id", None) for node in ast.walk(tree)}


def _find_one(name: str, roots: Iterable[str]) -> Found | None:
    portions: list[str] = []
    folder: ModuleSpec | None = None
    for root in roots:
        spec = _spec(name, root)
        if spec is None:
            continue
        if spec.loader is not None:
            inside = tuple(spec.submodule_search_locations) if spec.submodule_search_locations is not None else None
            return Found(name, spec.origin or root, inside, spec)
        portions += spec.submodule_search_locations or ()
        folder = spec
    return Found(name, portions[0], tuple(portions), folder) if folder is not None and portions else None


def _spec(name: str, root: str) -> ModuleSpec | None:
    try:
        if os.path.isdir(root):
            return FileFinder(
                root,
                (ExtensionFileLoader, EXTENSION_SUFFIXES),
                (SourceFileLoader, SOURCE_SUFFIXES),
                (SourcelessFileLoader, BYTECODE_SUFFIXES),
            ).find_spec(name)
        return zipimporter(root).find_spec(name)
    except (ZipImportError, OSError, ValueError):
        return None
