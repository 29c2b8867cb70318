"""The code of functions on the disk: whole, or not there; nobody else's to read; removed when nobody refers to it."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from pollers.made_functions import folders
from pollers.made_functions.errors import ArchiveRefused, NotKept
from pollers.made_functions.folders import CodeFolders
from tests.unit.made_functions.packages import APP, package

if TYPE_CHECKING:
    from pathlib import Path


def left(root: Path) -> list[str]:
    """Everything under a folder."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_package_is_unpacked_with_its_rights(tmp_path: Path) -> None:
    """Executables stay executable; nobody else may read anything."""
    program = zipfile.ZipInfo("bin/bootstrap")
    program.external_attr = (stat.S_IFREG | 0o4777) << 16
    zipped = package(("app.py", b"1"), (program, b"#!/bin/sh"), ("empty/", b""))
    CodeFolders(tmp_path / "functions").unpack(zipped, "orders", "r1")
    place = tmp_path / "functions" / "orders" / "r1"
    assert left(place) == ["app.py", "bin", "bin/bootstrap", "empty"]
    assert (place / "bin" / "bootstrap").read_bytes() == b"#!/bin/sh"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (place, *place.rglob("*"))}
    assert modes == {"r1": 0o700, "app.py": 0o600, "bin": 0o700, "bootstrap": 0o700, "empty": 0o700}


@pytest.mark.parametrize(
    "files",
    [
        [("a.py", b"1"), ("a.py", b"2")],
        [("a", b"1"), ("a/b", b"2")],
        [("a/b", b"1"), ("a", b"2")],
        [("a", b"1"), ("a/", b"")],
        [("./a", b"1"), ("a", b"2")],
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_that_meet_are_refused_and_nothing_is_left(tmp_path: Path, files: list[tuple[str, bytes]]) -> None:
    """Twice the same path, a file where a folder is, and on file systems that take no note of it, another case."""
    with pytest.raises(ArchiveRefused, match="meets another"):
        CodeFolders(tmp_path / "functions").unpack(package(*files), "orders", "r1")
    assert left(tmp_path) == ["functions"]


def test_a_file_that_is_longer_than_it_says_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is counted, whatever the archive says."""
    zipped = package(("app.py", b"0" * 1000))
    monkeypatch.setattr(folders, "UNPACKED_LIMIT_BYTES", 999)
    with pytest.raises(ArchiveRefused, match="Unzipped size"):
        CodeFolders(tmp_path / "functions").unpack(zipped, "orders", "r1")
    assert left(tmp_path) == ["functions"]


def test_broken_content_is_refused(tmp_path: Path) -> None:
    """A checksum that does not hold."""
    zipped = bytearray(package(("app.py", b"content"), method=zipfile.ZIP_STORED))
    zipped[zipped.find(b"content")] ^= 1
    with pytest.raises(ArchiveRefused, match="Could not unzip"):
        CodeFolders(tmp_path / "functions").unpack(bytes(zipped), "orders", "r1")
    assert left(tmp_path) == ["functions"]


@pytest.mark.parametrize("call", ["fsync", "fdopen", "mkdir"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """And says so."""

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(NotKept, match="No space left"):
        CodeFolders(tmp_path / "functions").unpack(APP, "orders", "r1")
    monkeypatch.undo()
    assert left(tmp_path) in ([], ["functions"])


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", range(1, 12))
def test_a_kill_at_any_step_leaves_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Whatever the next start finds under the name of a revision is whole; the rest it removes."""
    steps = iter(range(1, 100))

    def counted(name: str) -> None:
        real = getattr(os, name)

        def step(*arguments: object, **options: object) -> object:
            if next(steps) >= at:
                raise Killed
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, step)

    code = CodeFolders(tmp_path / "functions")
    for name in ("mkdir", "open", "fsync", "rename"):
        counted(name)
    monkeypatch.setattr(code, "_drop", lambda folder: None)
    try:
        code.unpack(APP, "orders", "r1")
    except Killed:
        pass
    else:
        assert at > 8
    monkeypatch.undo()
    place = code.place("orders", "r1")
    assert not place.exists() or left(place) == ["app.py"]
    CodeFolders(tmp_path / "functions").keep_only({("orders", "r1")})
    whole = ["functions", "functions/orders", "functions/orders/r1", "functions/orders/r1/app.py"]
    assert left(tmp_path) in ([], ["functions"], whole)


def test_only_what_is_referred_to_is_kept(tmp_path: Path) -> None:
    """Other revisions, unfinished ones and functions that are gone are removed; files of others stay."""
    code = CodeFolders(tmp_path / "functions")
    for name, revision in (("orders", "r1"), ("orders", "r2"), ("gone", "r3"), ("orders", "r4.unfinished")):
        code.unpack(APP, name, revision)
    (tmp_path / "functions" / "README").write_text("mine")
    code.keep_only({("orders", "r2")})
    assert left(tmp_path / "functions") == ["README", "orders", "orders/r2", "orders/r2/app.py"]
    code.remove("orders", "r2")
    code.remove("orders", "r2")
    assert left(tmp_path / "functions") == ["README"]
