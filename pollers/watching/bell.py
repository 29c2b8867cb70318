"""The system's word that something in some folders has changed (inotify, FSEvents, kqueue), by the library watchfiles."""

from __future__ import annotations

import errno
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from pollers.errors import WatchingUnusable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

QUIET_MS = 100
"""A burst of changes, such as of a checkout, is over after so long without another one."""
BURST_MS = 3_000
"""What never pauses is looked at after so long all the same."""
_FULL = {
    errno.ENOSPC: "fs.inotify.max_user_watches",
    errno.EMFILE: "fs.inotify.max_user_instances",
    errno.ENFILE: "fs.file-max",
}
_POLL_DELAY_MS = 300


class Bell:
    """Hangs in some folders from its making on: what changes before :meth:`rung` is called is not lost."""

    def __init__(self, notify: RustNotify) -> None:
        self._notify = notify
        self._limiter = CapacityLimiter(1)

    async def rung(self, matters: Callable[[str], bool], patience_ms: int) -> None:
        """Return once something that ``matters`` has changed and it is quiet again, or after ``patience_ms``."""
        while True:
            left = threading.Event()
            try:
                found = await to_thread.run_sync(
                    self._notify.watch,
                    BURST_MS,
                    QUIET_MS,
                    patience_ms,
                    left,
                    limiter=self._limiter,
                    abandon_on_cancel=True,
                )
            finally:
                left.set()  # the thread looks at it at every step
            if isinstance(found, str) or any(matters(path) for _, path in found):
                return


@asynccontextmanager
async def hung(folders: Collection[str]) -> AsyncIterator[Bell]:
    """A bell in all ``folders``, not below them. Raises WatchingUnusable, which says what the system lacks.

    Raises FileNotFoundError when one of them has gone meanwhile.
    """
    notify = await to_thread.run_sync(_notify, sorted(folders))
    try:
        yield Bell(notify)
    finally:
        notify.close()


def _notify(folders: list[str]) -> RustNotify:
    try:
        # Not by recursion: the library's own goes into .git, node_modules and virtual environments, which are most of all folders.
        return RustNotify(folders, False, False, _POLL_DELAY_MS, False, False)
    except FileNotFoundError:
        raise
    except (OSError, WatchfilesRustInternalError) as error:
        raise WatchingUnusable(problem(error, len(folders))) from error


def problem(error: Exception, folders: int) -> str:
    """Why the system does not tell of changes, and what to do about it."""
    number = next(
        (n for n in _FULL if getattr(error, "errno", None) == n or f"os error {n}" in str(error).lower()), None
    )
    if number is None and "limit reached" in str(error).lower():
        number = errno.ENOSPC
    if number is None:
        return f"the {folders} folders of code and configuration cannot be watched: {error}"
    setting = _FULL[number]
    return (
        f"the {folders} folders of code and configuration cannot be watched: the system's limit {setting} is reached "
        f"(raise it: sysctl {setting}=524288, as root)"
    )
