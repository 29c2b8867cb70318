"""The code of made functions on the disk: ``FOLDER/NAME/REVISION/``, whole or not there.

A package is unpacked beside its place, written through to the disk, and then renamed. So a kill at any line leaves a folder that is
whole, or one that nobody refers to and the next start removes.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pollers.made_functions.archive import NOT_A_ZIP, UNPACKED_LIMIT_BYTES, UNPACKED_TOO_LARGE, UNREADABLE, read_package
from pollers.made_functions.errors import ArchiveRefused, NotKept
from pollers.storage.privacy import make_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pollers.made_functions.archive import Member, Package

log = structlog.stdlib.get_logger(__name__)

UNFINISHED = ".unfinished"
"""How the name of a folder ends that is being written."""
PIECE_BYTES = 1024 * 1024


class CodeFolders:
    """The folders of all revisions under ``folder``. Its methods wait for the disk: they are called in threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, name: str, revision: str) -> Path:
        """Where a revision's code lies."""
        return self._folder / name / revision

    def unpack(self, zipped: bytes, name: str, revision: str) -> None:
        """Unpack a package into its place, durably.

        Raises ArchiveRefused and NotKept; nothing is left then.
        """
        package = read_package(zipped)
        place = self.place(name, revision)
        aside = place.with_name(f"{revision}{UNFINISHED}")
        try:
            make_folder(self._folder)
            place.parent.mkdir(mode=0o700, exist_ok=True)
            aside.mkdir(mode=0o700)
            _write(package, aside)
            _sync_all(aside)
            aside.rename(place)
            for folder in (place.parent, self._folder, self._folder.parent):
                _sync(folder)
        except BaseException as error:
            self._drop(aside)
            if isinstance(error, OSError):
                raise NotKept(error.strerror or str(error)) from error
            raise

    def remove(self, name: str, revision: str) -> None:
        """Remove a revision that nobody uses. What cannot be removed is left to the next start, and said."""
        self._drop(self.place(name, revision))

    def keep_only(self, revisions: Collection[tuple[str, str]]) -> None:
        """Remove whatever is none of these, by name and revision: what kills have left. Before anything is unpacked."""
        for folder in _folders(self._folder):
            for code in _folders(folder):
                if (folder.name, code.name) not in revisions:
                    log.info("code that no function refers to is removed", folder=str(code))
                    self._drop(code)
            with suppress(OSError):
                folder.rmdir()  # only if nothing is in it

    def _drop(self, folder: Path) -> None:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("code cannot be removed yet", folder=str(folder), error=str(error))
        with suppress(OSError):
            folder.parent.rmdir()  # only if nothing is in it


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


def _write(package: Package, target: Path) -> None:
    """Every member. One that meets another (twice the same, or on this file system the same) is refused."""
    left = UNPACKED_LIMIT_BYTES
    for member in package.members:
        path = target.joinpath(*member.parts)
        try:
            (path if member.is_folder else path.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
            if not member.is_folder:
                left -= _copy(package, member, path, left)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ArchiveRefused(
                f"the zip holds {member.info.filename[:200]!r}, which meets another of its files; build it anew with one of them"
            ) from None
        except UNREADABLE:
            raise ArchiveRefused(NOT_A_ZIP) from None


def _copy(package: Package, member: Member, path: Path, limit_bytes: int) -> int:
    """Write a file, whatever its size is said to be, as long as it has at most so many bytes. Gives their number."""
    # Never through what is there already, and readable for nobody else.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    written = 0
    with (
        package.opened.open(member.info) as source,
        os.fdopen(os.open(path, flags, 0o700 if member.executable else 0o600), "wb") as copy,
    ):
        while piece := source.read(PIECE_BYTES):
            written += len(piece)
            if written > limit_bytes:
                raise ArchiveRefused(UNPACKED_TOO_LARGE)
            copy.write(piece)
    return written


def _sync_all(folder: Path) -> None:
    """After all is written: one by one while writing would wait for the disk's journal each time."""
    for path in _walk(folder):
        _sync(path)


def _walk(folder: Path) -> Iterator[Path]:
    for where, _, files in os.walk(folder):
        yield from (Path(where, file) for file in files)
        yield Path(where)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
