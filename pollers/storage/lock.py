"""One owner for a file: a lock that the kernel holds on a second file, which names the owner for those who are refused.

The lock's file also holds how often the guarded file has been written. A guarded file with a smaller count is an older copy. The
count is written after each write is durable, without an fsync of its own. So it is never ahead of the disk and is exact after a
kill. After a power loss it may be some seconds old; then only a copy that is older still is noticed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.storage.errors import StoreBusy, StoreUnwritable
from pollers.storage.privacy import make_folder
from pollers.storage.seals import seal

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.storage.kind import StoreKind

NOTE_BYTES = 512
"""Always written whole. It is one sector of a disk, so a crash leaves the old note or the new one, never a part."""
LOCK_MODE = 0o600
LOOKERS_TRIES = 500
LOOKERS_SECONDS = 0.01
_FRESH = "fresh"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock. ``pid`` is None when it could not be read; it is only shown, never relied on."""

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

    The kernel drops the lock when the process ends, whatever ends it: kill -9 leaves nothing to clean up, and a process id that
    is used again does no harm. The lock's file stays: if it were removed, a second owner could create and lock a new one beside
    the first. Containers on one machine see each other's lock. Machines that share a network file system may not.
    """

    def __init__(self, path: Path, kind: StoreKind) -> None:
        self._guarded = path
        self._kind = kind
        self._path = path.with_name(path.name + ".lock")
        self._owner = f"{os.getpid()} {socket.gethostname()}"
        self._descriptor: int | None = None
        self.memory = Memory()

    def __enter__(self) -> OwnerLock:
        descriptor, new = _open(self._path, self._kind)
        try:
            _lock(descriptor)
            self.memory = Memory(fresh=True) if new else _read_note(descriptor)[1]
            _write_note(descriptor, self._owner, self.memory)
        except BlockingIOError:
            owner, _ = _read_note(descriptor)
            os.close(descriptor)
            raise StoreBusy(
                f"{self._guarded} is in use by {owner}: only one process may write it; "
                f"stop that one, or give this one a {self._kind.place} of its own ({self._kind.option})",
                owner.pid,
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreUnwritable(
                f"{self._path} cannot be locked ({error.strerror}); it must lie on a local disk ({self._kind.option})"
            ) from error
        self._descriptor = descriptor
        return self

    def remember(self, commits: int) -> None:
        """The file has been written ``commits`` times, and all of that is durable."""
        self.memory = Memory(commits)
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # the earlier count stays, which is still a lower bound
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

    :func:`owner_of` takes the lock in shared mode for a moment to see whether it has an owner. That is no owner: it is waited for.
    """
    for _ in range(LOOKERS_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Shared mode is refused only beside an owner; then this raises, and the wait is over.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            time.sleep(LOOKERS_SECONDS)
        else:
            return
    raise BlockingIOError


def owner_of(path: Path) -> Owner | None:
    """The owner of the lock of ``path`` now, None when it has none."""
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
    """What the lock of ``path`` remembers. Where the lock has no file yet, the guarded file was never made."""
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


def _open(path: Path, kind: StoreKind) -> tuple[int, bool]:
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
            f"{path} cannot be written ({error.strerror}); it must lie in a folder that Headrace may write in ({kind.option})"
        ) from error


def _write_note(descriptor: int, owner: str, memory: Memory) -> None:
    """The owner, the count, then empty lines up to the full length: an earlier Headrace reads only the first line."""
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
