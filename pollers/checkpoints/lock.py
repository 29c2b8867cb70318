"""One owner for a file: a lock held by the kernel on a file beside it, which names the owner for whoever is refused."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.checkpoints.errors import StoreBusy, StoreUnwritable

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_NOTE_BYTES = 512


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock. ``pid`` is None when it could not be read; it is only ever shown, never trusted."""

    pid: int | None
    host: str

    def __str__(self) -> str:
        process = "another process" if self.pid is None else f"process {self.pid}"
        elsewhere = self.host not in ("", socket.gethostname())
        return f"{process} on {self.host}" if elsewhere else process


class OwnerLock:
    """The right to write ``path``, while this is entered (``with``).

    The kernel drops the lock with the process, however that ends: kill -9 leaves nothing to clean up, and a reused process
    id means nothing. The lock's file stays, since removing it would let two owners lock two files. Containers of one
    machine see each other's lock; whether machines that share a network file system do depends on that file system.
    """

    def __init__(self, path: Path) -> None:
        self._guarded = path
        self._path = path.with_name(path.name + ".lock")
        self._descriptor: int | None = None

    def __enter__(self) -> OwnerLock:
        descriptor = _open(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_note(descriptor)
        except BlockingIOError:
            owner = _read_note(descriptor)
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

    def __exit__(self, *_: object) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)


def owner_of(path: Path) -> Owner | None:
    """Who holds the lock of ``path`` now, if anybody does."""
    try:
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_note(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreUnwritable(
            f"{path} cannot be written ({error.strerror}); checkpoints need a folder that Headrace may write in "
            "(runtime.checkpoints)"
        ) from error


def _write_note(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)


def _read_note(descriptor: int) -> Owner:
    pid, _, host = os.pread(descriptor, _LONGEST_NOTE_BYTES, 0).decode("utf-8", "replace").strip().partition(" ")
    return Owner(int(pid) if pid.isdecimal() else None, host)
