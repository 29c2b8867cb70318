"""A function's code and layers as folders: a folder is used where it is, a ``.zip`` is unpacked into a scratch folder."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from handlers.errors import FunctionUnusable

UNPACKED_LIMIT_BYTES = 2 * 1024**3
"""What a ``.zip`` may unpack to; Lambda's own limit is 250 MiB."""


def folder_of(code: Path, scratch: Path, what: str) -> Path:
    """The folder that holds ``code``; ``scratch`` is where a ``.zip`` is unpacked.

    Raises:
        FunctionUnusable: if there is no such folder or archive, or the archive is broken or unsafe.
    """
    code = code.absolute()
    if code.is_dir():
        return code
    if code.is_file() and code.suffix.lower() == ".zip":
        scratch.mkdir(parents=True, exist_ok=True)
        _unpack(code, scratch, what)
        return scratch
    found = "a file" if code.exists() else "nothing"
    raise FunctionUnusable(f"{what}: {code} is {found}; expected a folder or a .zip file")


def _unpack(archive: Path, target: Path, what: str) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            if sum(member.file_size for member in members) > UNPACKED_LIMIT_BYTES:
                raise FunctionUnusable(f"{what}: {archive} unpacks to more than {UNPACKED_LIMIT_BYTES} bytes")
            links = [member for member in members if stat.S_ISLNK(member.external_attr >> 16)]
            for member in members:
                if member not in links:
                    _write(opened, member, _inside(target, member.filename, archive, what))
            for member in links:  # last, so that nothing is written through one
                _link(
                    opened.read(member).decode(), _inside(target, member.filename, archive, what), target, archive, what
                )
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError, RuntimeError, NotImplementedError) as error:
        raise FunctionUnusable(f"{what}: {archive} cannot be unpacked: {error}") from error


def _inside(target: Path, name: str, archive: Path, what: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")):
        raise FunctionUnusable(f"{what}: {archive} holds {name!r}, which lies outside of it; build the archive anew")
    return target.joinpath(*parts.parts)


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as source, path.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    mode = (member.external_attr >> 16) & 0o777
    path.chmod((mode or 0o644) | stat.S_IRUSR | stat.S_IWUSR)  # the bootstrap of a provided function is executable


def _link(goal: str, path: Path, target: Path, archive: Path, what: str) -> None:
    resolved = os.path.normpath(path.parent / goal)
    if os.path.isabs(goal) or not Path(resolved).is_relative_to(target):
        raise FunctionUnusable(f"{what}: {archive} holds a link to {goal!r}, which lies outside of it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(goal)
