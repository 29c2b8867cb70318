"""The copy of a function's folder that it runs from, so that what is loaded later is of one save with what was loaded first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from handlers.copies import NotCopied, copy_folder
from handlers.workers.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.stdlib.get_logger(__name__)


class CodeCopy:
    """Exists from its making to :meth:`remove`. ``folder`` is None where the code cannot be copied: that is logged."""

    def __init__(self, function_name: str, code: Path) -> None:
        self._scratch = Scratch(function_name)
        self.folder: Path | None = self._scratch.path / "code"
        try:
            copy_folder(code, self.folder)
        except NotCopied as problem:
            self.folder = None
            if code.is_dir():
                told = "code is not copied: what is imported late comes from the disk as it is then"
                log.warning(told, function=function_name, problem=str(problem))

    def remove(self) -> None:
        """Remove the folder."""
        self._scratch.remove()
