"""The copies that one function runs from, so that what is loaded later is of one save with what was loaded first."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import structlog

from handlers.copies.copying import NotCopied, copy_folder
from handlers.copies.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = structlog.stdlib.get_logger(__name__)


class Copies:
    """Each copy is made once and is there until the last of those who share them has left and removed them.

    They belong to whoever hosts the function, and not to what runs it for the time being: a function that breaks down and is
    entered again runs what it ran before, and not what has been saved meanwhile. After a kill of Headrace the next function that
    starts on the machine removes them (:mod:`handlers.copies.scratch`).
    """

    def __init__(self) -> None:
        self._scratch: Scratch | None = None
        self._folders: dict[str, Path] = {}
        self._made = 0
        self._sharing = 1
        self.names: dict[str, str] = {}
        """Each copy's folder, with the user's own that it is of."""

    def shared(self) -> Copies:
        """The same, for one more who will leave them."""
        self._sharing += 1
        return self

    def of(self, function_name: str, path: Path, folder_of: Callable[[Path, Path], Path]) -> Path:
        """The folder to run in place of ``path``, a folder or an archive. Blocks, the first time.

        ``folder_of`` is given the path, and where an archive is unpacked to: it returns the folder, or raises. A folder that
        cannot be copied is the one that is run itself: that is logged.
        """
        key = str(path)
        if key not in self._folders:
            self._folders[key] = self._run_from(function_name, path, folder_of)
        return self._folders[key]

    def leave(self) -> bool:
        """Whether there is something to :meth:`remove`, now that nobody shares them any more. To be called once by each."""
        self._sharing -= 1
        return self._sharing == 0 and self._scratch is not None

    def remove(self) -> None:
        """Remove all of them. Blocks."""
        if self._scratch is not None:
            self._scratch.remove()

    def _run_from(self, function_name: str, path: Path, folder_of: Callable[[Path, Path], Path]) -> Path:
        if self._scratch is None:
            self._scratch = Scratch(function_name)
        self._made += 1
        target = self._scratch.path / f"code-{self._made}"
        folder = folder_of(path, target)
        if folder == target:
            return folder
        try:
            copy_folder(folder, target)
        except NotCopied as problem:
            shutil.rmtree(target, ignore_errors=True)
            if folder.is_dir():
                told = "code is not copied: what starts or is imported later comes from the disk as it is then"
                log.warning(told, function=function_name, problem=str(problem))
            return folder
        self.names[str(target)] = str(folder)
        return target
