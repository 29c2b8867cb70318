"""A function's scratch folder: for unpacked code and for what its workers write.

It is locked while its owner lives. If Headrace dies, a worker's keeper removes it. If there was no worker then, the next function
that starts on the machine finds that nobody holds the lock, and removes it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

PREFIX = "headrace-function-"


class Scratch:
    """A folder that exists from its making to :meth:`remove`, in the system's folder for temporary files."""

    def __init__(self, function_name: str) -> None:
        remove_abandoned()
        named = re.sub(r"[^A-Za-z0-9_-]", "_", function_name)[:40]
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{named}-"))
            lock = _locked(self.path)
            if lock is not None:
                self._lock = lock
                return
            # Somebody else took the new folder for an abandoned one and is removing it: another one.

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_abandoned() -> None:
    """Remove the scratch folders whose owners are dead."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """A lock on the folder that ends with this process; None if another one has it, or the folder is none of ours."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
