"""What a deployment package holds, judged before anything of it is written: a decider over the zip's directory.

Nothing in it is believed: sizes and numbers are bounded before they cost memory, and a path that could lead elsewhere is refused.
"""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.made_functions.errors import ArchiveRefused, ArchiveTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIPPED_LIMIT_BYTES = 52_428_800
UNPACKED_LIMIT_BYTES = 262_144_000
"""Lambda's quotas (docs/lambda 16.10)."""
FILES_AT_MOST = 50_000
"""Files and folders together. Lambda has no such limit; a bomb of empty files is to fill no disk's table of files."""
DIRECTORY_LIMIT_BYTES = 8 * 1024 * 1024
"""Of the zip's own directory, which is read whole: 160 bytes for each of so many files."""
PATH_LIMIT_BYTES = 1024
NAME_LIMIT_BYTES = 255
"""Of a path, and of each name in it: what file systems take."""
NAMES_AT_MOST = 64
"""In a path: so deep are no packages, and each folder is one more to make."""

NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
EMPTY = "Uploaded file must be a non-empty zip"
TOO_LARGE = f"Zipped size must be smaller than {ZIPPED_LIMIT_BYTES} bytes"
UNPACKED_TOO_LARGE = f"Unzipped size must be smaller than {UNPACKED_LIMIT_BYTES} bytes"
"""AWS's words (docs/lambda 16.10)."""
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)
"""What Python's reader raises for archives that are none, are broken, or are encrypted."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others take as much memory as the archive says."""
_ENCRYPTED = 0x1
_END, _END_64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q")
_END_SIGN, _END_64_SIGN = b"PK\x05\x06", b"PK\x06\x06"
_LOCATOR_BYTES = 20
_COMMENT_BYTES = 65_535


@dataclass(frozen=True, slots=True)
class Member:
    """A file or folder of a package. ``parts`` are the names of its path; ``size`` is what the archive says, in bytes."""

    info: zipfile.ZipInfo
    parts: tuple[str, ...]
    is_folder: bool
    executable: bool
    size: int


@dataclass(frozen=True, slots=True)
class Package:
    """An archive whose members may be written."""

    opened: zipfile.ZipFile
    members: tuple[Member, ...]


def read_package(zipped: bytes) -> Package:
    """The package in these bytes.

    Raises ArchiveTooLarge and ArchiveRefused, in AWS's words where it has some. The contents of its files are not looked at.
    """
    if not zipped:
        raise ArchiveRefused(EMPTY)
    if len(zipped) > ZIPPED_LIMIT_BYTES:
        raise ArchiveTooLarge(TOO_LARGE)
    if _directory_bytes(zipped) > DIRECTORY_LIMIT_BYTES:
        raise ArchiveRefused(f"the zip's directory has more than {DIRECTORY_LIMIT_BYTES} bytes: {_too_many()}")
    try:
        opened = zipfile.ZipFile(io.BytesIO(zipped))
        members = tuple(_member(info) for info in opened.infolist())
    except UNREADABLE:
        raise ArchiveRefused(NOT_A_ZIP) from None
    if not members:
        raise ArchiveRefused(EMPTY)
    _check_sizes(members)
    return Package(opened, members)


def _directory_bytes(zipped: bytes) -> int:
    """How long the zip says that its directory is, by either of the records that readers ask. Found as Python's reader finds it."""
    at = len(zipped) - _END.size
    if at < 0:
        raise ArchiveRefused(NOT_A_ZIP)
    if zipped[at : at + 4] != _END_SIGN or zipped[-2:] != b"\0\0":
        at = zipped.rfind(_END_SIGN, max(0, at - _COMMENT_BYTES))
    if at < 0 or len(zipped) - at < _END.size:
        raise ArchiveRefused(NOT_A_ZIP)
    said: int = _END.unpack_from(zipped, at)[5]
    further = at - _LOCATOR_BYTES - _END_64.size
    if further >= 0 and zipped[further : further + 4] == _END_64_SIGN:
        return max(said if said != 0xFFFFFFFF else 0, int(_END_64.unpack_from(zipped, further)[8]))
    return said


def _check_sizes(members: tuple[Member, ...]) -> None:
    folders: set[tuple[str, ...]] = set()
    for member in members:
        above = member.parts[:-1]
        # Deepest first, up to one that is known: so the set never grows far beyond the limit.
        while above and above not in folders:
            folders.add(above)
            above = above[:-1]
        if len(members) + len(folders) > FILES_AT_MOST:
            raise ArchiveRefused(_too_many())
    if sum(member.size for member in members) > UNPACKED_LIMIT_BYTES:
        raise ArchiveRefused(UNPACKED_TOO_LARGE)


def _too_many() -> str:
    return f"the zip has more than {FILES_AT_MOST} files and folders, which Headrace does not unpack"


def _member(info: zipfile.ZipInfo) -> Member:
    name = info.filename
    for problem in _problems(info):
        raise ArchiveRefused(f"the zip holds {name[:200]!r}, which {problem}; build it anew without that")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if not parts:
        raise ArchiveRefused(f"the zip holds {name[:200]!r}, which has no name; build it anew without that")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise ArchiveRefused(NOT_A_ZIP)
    executable = not info.is_dir() and bool(_mode(info) & 0o111)
    return Member(info, parts, info.is_dir(), executable, info.file_size)


def _problems(info: zipfile.ZipInfo) -> Iterator[str]:
    name, parts = info.filename, info.filename.split("/")
    # Some readers take a backslash for a separator, and some a colon for the end of a drive.
    if name.startswith("/") or "\\" in name or name[1:2] == ":":
        yield "is an absolute path, or one of another system"
    if ".." in parts:
        yield "leads out of its folder"
    if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in name):
        yield "has characters that no name should have"
    elif (
        len(parts) > NAMES_AT_MOST
        or len(name.encode()) > PATH_LIMIT_BYTES
        or any(len(part.encode()) > NAME_LIMIT_BYTES for part in parts)
    ):
        yield "has a longer path than is unpacked"
    kind = stat.S_IFMT(_mode(info))
    if kind == stat.S_IFLNK:
        yield "is a link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield "is neither a file nor a folder"
    elif kind and info.is_dir() != (kind == stat.S_IFDIR):
        yield "is said to be a file and a folder"


def _mode(info: zipfile.ZipInfo) -> int:
    return info.external_attr >> 16


def digest(zipped: bytes) -> str:
    """``CodeSha256`` of a package: of its bytes as they came, in base64."""
    return base64.b64encode(hashlib.sha256(zipped).digest()).decode()
