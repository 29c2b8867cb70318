"""One owner for a file: a lock held by the kernel on a file beside it, which names the owner for whoever is refused.

The lock's file also remembers how often the file has been written: what has fewer writes than that is not what was there. The
count is noted after each write is durable and without an fsync of its own. So it is never ahead of what the disk has, a kill leaves
it exact, and after a power loss it may be some seconds old, which only makes it notice less.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.checkpoints.errors import StoreBusy, StoreUnwritable
from pollers.checkpoints.privacy import make_folder
from pollers.checkpoints.seals import seal

if TYPE_CHECKING:
    from pathlib import Path

NOTE_BYTES = 512
"""Written whole each time: one sector, so that there is no moment without it."""
LOCK_MODE = 0o600
LOOKERS_TRIES = 500
LOOKERS_SECONDS = 0.01
_FRESH = "fresh"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock. ``pid`` is None when it could not be read; it is only ever shown, never trusted."""

    pid: int | None
    host: str

    def __str__(self) -> str:
        process = "another process" if self.pid is None else f"process {self.pid}"
        elsewhere = self.host not in ("", socket.gethostname())
        return f"{process} on {self.host}" if elsewhere else process


@dataclass(frozen=True, slots=True)
class Memory:
    """How often the file beside the lock has been written, None where that is not known; ``fresh``: it has not been made yet."""

    commits: int | None = None
    fresh: bool = False

    def __str__(self) -> str:
        if self.commits is None:
            return _FRESH if self.fresh else ""
        return f"{self.commits} {seal('lock', self.commits)}"


class OwnerLock:
    """The right to write ``path``, while this is entered (``with``).

    The kernel drops the lock with the process, however that ends: kill -9 leaves nothing to clean up, and a reused process
    id means nothing. The lock's file stays, since removing it would let two owners lock two files. Containers of one
    machine see each other's lock; whether machines that share a network file system do depends on that file system.
    """

    def __init__(self, path: Path) -> None:
        self._guarded = path
        self._path = path.with_name(path.name + ".lock")
        self._owner = f"{os.getpid()} {socket.gethostname()}"
        self._descriptor: int | None = None
        self.memory = Memory()

    def __enter__(self) -> OwnerLock:
        descriptor, new = _open(self._path)
        try:
            _lock(descriptor)
            self.memory = Memory(fresh=True) if new else _read_note(descriptor)[1]
            _write_note(descriptor, self._owner, self.memory)
        except BlockingIOError:
            owner, _ = _read_note(descriptor)
            os.close(descriptor)
            raise StoreBusy(
                f"{self._guarded} is in use by {owner}: only one process may write it; "
                "stop that one, or give this one a file of its own (runtime.checkpoints)",
                owner.pid,
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreUnwritable(
                f"{self._path} cannot be locked ({error.strerror}); put the checkpoints on a local disk"
            ) from error
        self._descriptor = descriptor
        return self

    def remember(self, commits: int) -> None:
        """The file has been written so often, all of it durable."""
        self.memory = Memory(commits)
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # it then remembers an earlier count, which is true as well
                _write_note(self._descriptor, self._owner, self.memory)

    def __exit__(self, *_: object) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                _write_note(descriptor, "", self.memory)
                os.fsync(descriptor)
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Take the lock. Raises BlockingIOError when it has an owner.

    Those who look whether it has one share it for a moment (:func:`owner_of`), which is no reason to refuse: they are waited for.
    """
    for _ in range(LOOKERS_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            time.sleep(LOOKERS_SECONDS)
        else:
            return
    raise BlockingIOError


def owner_of(path: Path) -> Owner | None:
    """Who holds the lock of ``path`` now, if anybody does."""
    descriptor = _open_to_read(path)
    if descriptor is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_note(descriptor)[0]
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def memory_of(path: Path) -> Memory:
    """What the lock of ``path`` remembers. Without a lock's file, that nothing was made yet."""
    descriptor = _open_to_read(path)
    if descriptor is None:
        return Memory(fresh=True)
    try:
        return _read_note(descriptor)[1]
    finally:
        os.close(descriptor)


def _open_to_read(path: Path) -> int | None:
    try:
        return os.open(path.with_name(path.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _open(path: Path) -> tuple[int, bool]:
    """The lock's file, and whether it is new."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        make_folder(path.parent)
        try:
            return os.open(path, flags | os.O_EXCL, LOCK_MODE), True
        except FileExistsError:
            return os.open(path, flags, LOCK_MODE), False
    except OSError as error:
        raise StoreUnwritable(
            f"{path} cannot be written ({error.strerror}); checkpoints need a folder that Headrace may write in "
            "(runtime.checkpoints)"
        ) from error


def _write_note(descriptor: int, owner: str, memory: Memory) -> None:
    """Three lines, filled up with empty ones: an earlier Headrace reads the first."""
    os.pwrite(descriptor, f"{owner}\n{memory}\n".encode().ljust(NOTE_BYTES, b"\n"), 0)


def _read_note(descriptor: int) -> tuple[Owner, Memory]:
    lines = os.pread(descriptor, NOTE_BYTES, 0).decode("utf-8", "replace").split("\n")
    pid, _, host = lines[0].strip().partition(" ")
    return Owner(int(pid) if pid.isdecimal() else None, host), _memory(lines[1] if len(lines) > 1 else "")


def _memory(line: str) -> Memory:
    commits, _, sealed = line.partition(" ")
    if commits.isdecimal() and sealed == str(seal("lock", int(commits))):
        return Memory(int(commits))
    return Memory(fresh=line == _FRESH)
