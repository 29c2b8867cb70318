"""One look at everything that is watched: which files there are, and what each of them was like."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from config.files import find_files
from config.text.nodes import Unparsable
from handlers.copies import ENVIRONMENT_MARK
from pollers.watching.ignored import ignored_file, ignored_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Mark: TypeAlias = tuple[int, int, int]
    """When it was changed (nanoseconds), its size and its inode: a file that is written again differs in one of them."""


@dataclass(slots=True)
class Tree:
    """What one look found.

    ``code``: for each function its files; ``roots``: where they were looked for; ``config``: the files of the configuration.
    ``folders`` are all that have to be listened to, with the identity of each, so that one that was made again is another; where
    ``names`` has a folder, only these names in it matter; ``own`` is what Headrace itself writes.
    """

    code: dict[str, dict[str, Mark]] = field(default_factory=dict)
    roots: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    config: dict[str, Mark] = field(default_factory=dict)
    folders: dict[str, tuple[int, int]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()

    def matters(self, path: str) -> bool:
        """Whether a change of ``path``, as the system tells it, is worth another look."""
        if path in self.own:
            return False
        folder, name = os.path.split(path)
        if folder in self.names:
            return name in self.names[folder]
        return not ignored_file(name) and not ignored_folder(name)


def look(roots: Mapping[str, tuple[Path, ...]], config: Path, own: frozenset[str] = frozenset()) -> Tree:
    """Look at the code of every function and at the configuration. ``own`` is left out. Never raises for what is not there."""
    return _Look(own).tree(roots, config)


class _Look:
    def __init__(self, own: frozenset[str]) -> None:
        self._tree = Tree(own=own)
        self._not_code = set(own)

    def tree(self, roots: Mapping[str, tuple[Path, ...]], config: Path) -> Tree:
        self._config(config)
        for name, paths in roots.items():
            self._tree.roots[name] = tuple(paths)
            found = self._tree.code[name] = {}
            for path in paths:
                self._root(os.path.abspath(path), found)
        for folder in self._tree.names.keys() - self._tree.folders.keys():
            self._listen(folder)
        return self._tree

    def _config(self, path: Path) -> None:
        try:
            files = find_files(path)
        except Unparsable:
            files = [path]
        for file in files:
            text = os.path.abspath(file)
            self._not_code.add(text)  # the code folder may be that of the configuration
            self._file(text, self._tree.config)
            self._only(text)
        if path.is_dir():
            folder = os.path.abspath(path)
            self._listen(folder)
            self._tree.names.pop(folder, None)  # a new file counts, too

    def _root(self, root: str, found: dict[str, Mark]) -> None:
        self._only(root)
        if os.path.isdir(root):
            self._folder(root, found, frozenset())
        else:
            self._file(root, found)

    def _folder(self, folder: str, found: dict[str, Mark], above: frozenset[tuple[int, int]]) -> None:
        identity = self._listen(folder)
        self._tree.names.pop(folder, None)
        if identity is None or identity in above:  # a link to a folder that it is in
            return
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return  # it has just gone, or nobody may read it
        for entry in inside:
            if entry.path in self._not_code:
                continue
            if _is_folder(entry):
                if not ignored_folder(entry.name) and not os.path.exists(os.path.join(entry.path, ENVIRONMENT_MARK)):
                    self._folder(entry.path, found, above | {identity})
            elif not ignored_file(entry.name):
                self._file(entry.path, found)
                if entry.is_symlink():
                    self._only(os.path.realpath(entry.path))

    def _file(self, path: str, found: dict[str, Mark]) -> None:
        try:
            status = os.stat(path)
        except OSError:
            return
        if stat.S_ISREG(status.st_mode):
            found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)

    def _only(self, path: str) -> None:
        """Listen to what becomes of one path: where it is, or would be, and of the links on the way to it."""
        child, folder = path, os.path.dirname(path)
        nearest = True
        while folder != child:
            exists = os.path.isdir(folder)
            if (nearest and exists) or os.path.islink(child):
                if folder not in self._tree.folders or folder in self._tree.names:
                    self._tree.names.setdefault(folder, set()).add(os.path.basename(child))
                nearest = False
            child, folder = folder, os.path.dirname(folder)

    def _listen(self, folder: str) -> tuple[int, int] | None:
        try:
            status = os.stat(folder)
        except OSError:
            return None
        if os.access(folder, os.R_OK):  # others can be gone through, but not listened to
            self._tree.folders[folder] = (status.st_dev, status.st_ino)
        return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
