"""Which modules a handler needs: its own ones, followed through the code folder, and those that must come from elsewhere."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from handlers.inspection.modules import Found, Unreadable, find, is_closed
from handlers.inspection.source import imports, moves_path

if TYPE_CHECKING:
    import ast
    from collections.abc import Collection

    from handlers.inspection.source import Import

MODULES_AT_MOST = 500
"""Code of more modules than this has brought its dependencies along: the rest is not read."""


class Place(NamedTuple):
    """Where an import stands."""

    file: str
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (" (inside a function)" if self.lazy else "")


@dataclass(slots=True)
class Survey:
    """What was found on the way."""

    handler: Found | None = None
    tree: ast.Module | None = None
    """The handler's module, where its text can be read."""
    elsewhere: dict[str, Place] = field(default_factory=dict)
    """Top-level modules that are not in the code, each with the first import of it; none where the code changes ``sys.path``."""
    remarks: list[str] = field(default_factory=list)
    """What will not work, as far as can be told."""


def survey(module: str, code: str, standard: Collection[str]) -> Survey:
    """Follow the imports of ``module`` through the folder (or .zip) ``code``. ``standard`` is in every Python.

    Raises Unreadable if the handler's own module cannot be parsed.
    """
    found = find(module, [code])
    if isinstance(found, str):
        return Survey()
    walk = _Walk(code, standard)
    walk.result.handler, walk.result.tree = found, found.tree()
    walk.enter(module)
    walk.run()
    return walk.result


class _Walk:
    def __init__(self, code: str, standard: Collection[str]) -> None:
        self.result = Survey()
        self._roots = [code]
        self._skipped = {*standard}
        self._brought = _brought_along(code)
        self._seen: set[str] = set()
        self._waiting: list[Found] = []
        self._moves_path = False

    def enter(self, dotted: str) -> None:
        """The module and the packages around it, which are loaded before it."""
        parts = dotted.split(".")
        for number in range(len(parts)):
            name = ".".join(parts[: number + 1])
            if name in self._seen:
                continue
            self._seen.add(name)
            found = find(name, self._roots)
            if isinstance(found, Found):
                self._waiting.append(found)

    def run(self) -> None:
        for _ in range(MODULES_AT_MOST):
            if not self._waiting:
                break
            module = self._waiting.pop(0)
            try:
                tree = module.tree()
            except Unreadable as unreadable:
                self.result.remarks.append(f"{unreadable}: it cannot be imported")
                continue
            package = module.name if module.inside is not None else module.name.rpartition(".")[0]
            if tree is None:
                continue
            self._moves_path |= moves_path(tree)
            for needed in imports(tree, package):
                self._follow(needed, module)
        if self._moves_path:
            self.result.elsewhere.clear()

    def _follow(self, needed: Import, module: Found) -> None:
        place = Place(module.file, needed.line, needed.lazy)
        if needed.module.startswith("."):
            self.result.remarks.append(
                f"{place}: the relative import leads out of the code: {module.name} is in no package"
            )
            return
        top = needed.module.partition(".")[0]
        if not top or top in self._brought:
            return
        if isinstance(find(top, self._roots), str):
            if top not in self._skipped:
                self.result.elsewhere.setdefault(top, place)
            return
        found = find(needed.module, self._roots)
        if isinstance(found, Found):
            for name in ("", *needed.names):
                self.enter(f"{needed.module}.{name}".rstrip("."))
        elif is_closed(found.rpartition(".")[0], self._roots):
            self.result.remarks.append(f"{place}: no module {found} in the code")


def _brought_along(code: str) -> set[str]:
    """Top-level names of what pip has installed into the code (``pip install --target``): not the function's own modules."""
    names: set[str] = set()
    for record in _records(code):
        for line in record.splitlines():
            first = PurePosixPath(line.split(",")[0]).parts[:1]
            names.update(part.removesuffix(".py").partition(".")[0] for part in first)
    return names


def _records(code: str) -> list[str]:
    try:
        if os.path.isdir(code):
            folders = [entry.path for entry in os.scandir(code) if entry.name.endswith(".dist-info")]
            return [_text(os.path.join(folder, "RECORD")) for folder in folders]
        with zipfile.ZipFile(code) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
            return [archive.read(name).decode("utf-8", "replace") for name in names]
    except (OSError, zipfile.BadZipFile):
        return []


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""
