"""Deployment packages: what may be unpacked, and where what must not be is stopped."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.made_functions import archive
from pollers.made_functions.archive import NOT_A_ZIP, read_package
from pollers.made_functions.errors import ArchiveRefused, ArchiveTooLarge
from tests.unit.made_functions.packages import package

if TYPE_CHECKING:
    from collections.abc import Callable


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    """An entry of this kind and these rights."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def test_files_folders_and_executables_are_known() -> None:
    """By their paths, whatever dots and slashes are in them."""
    zipped = package(
        ("./app.py", b"1"),
        (entry("bootstrap", stat.S_IFREG | 0o755), b"#!"),
        ("lib/", b""),
        ("lib//x.so", b"22"),
    )
    found = [(one.parts, one.is_folder, one.executable, one.size) for one in read_package(zipped).members]
    assert found == [
        (("app.py",), False, False, 1),
        (("bootstrap",), False, True, 2),
        (("lib",), True, False, 0),
        (("lib", "x.so"), False, False, 2),
    ]


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("/etc/passwd", "absolute"),
        ("../up.py", "leads out"),
        ("a/../../up.py", "leads out"),
        ("a\\..\\up.py", "another system"),
        ("C:/x.py", "another system"),
        ("a\nb", "characters"),
        ("x" * 256, "longer path"),
        ("a/" * 65 + "x", "longer path"),
        ("y/" * 600, "longer path"),
        (".", "no name"),
    ],
)
def test_paths_that_could_lead_elsewhere_are_refused(name: str, because: str) -> None:
    """With the path and the reason."""
    with pytest.raises(ArchiveRefused, match=because):
        read_package(package((name, b"x")))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_what_is_no_file_is_refused(kind: int) -> None:
    """Links above all: a later file could be written through one."""
    with pytest.raises(ArchiveRefused, match="which is"):
        read_package(package((entry("x", kind | 0o777), b"/etc/passwd")))


def test_what_is_no_zip_is_refused_in_awss_words() -> None:
    """Text, nothing, half an archive, an archive without files."""
    whole = package(("app.py", b"pass" * 100))
    for zipped in (b"hello", b"PK", whole[: len(whole) // 2], whole[:-5], b"\0" * 100):
        with pytest.raises(ArchiveRefused, match="Could not unzip uploaded file"):
            read_package(zipped)
    for zipped in (b"", package()):
        with pytest.raises(ArchiveRefused, match="non-empty zip"):
            read_package(zipped)


def test_methods_that_take_what_memory_they_like_are_refused() -> None:
    """Lambda's packages are deflated or stored."""
    with pytest.raises(ArchiveRefused, match="Could not unzip"):
        read_package(package(("app.py", b"x"), method=zipfile.ZIP_LZMA))


def test_sizes_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zipped, unpacked and in number; folders that no entry names count too."""
    zipped = package(("a/b/c/app.py", b"0" * 1000))
    for name, limit, text in [
        ("ZIPPED_LIMIT_BYTES", len(zipped) - 1, "Zipped size must be smaller than"),
        ("UNPACKED_LIMIT_BYTES", 999, "Unzipped size must be smaller than"),
        ("FILES_AT_MOST", 3, "more than 3 files and folders"),
        ("DIRECTORY_LIMIT_BYTES", 40, "directory has more than 40 bytes"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(archive, name, limit)
            with pytest.raises(ArchiveRefused, match=text) as refused:
                read_package(zipped)
            assert isinstance(refused.value, ArchiveTooLarge) == (name == "ZIPPED_LIMIT_BYTES")
    assert len(read_package(zipped).members) == 1


def test_a_directory_that_claims_to_be_huge_is_not_read() -> None:
    """By the record that readers of large archives ask, too, whatever the ordinary one says."""
    zipped = bytearray(package(("app.py", b"x")))
    struct.pack_into("<L", zipped, len(zipped) - 10, 100_000_000)
    with pytest.raises(ArchiveRefused, match="directory has more"):
        read_package(bytes(zipped))
    end = package(("app.py", b"x"))[-22:]
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 100_000_000, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    with pytest.raises(ArchiveRefused, match="directory has more"):
        read_package(b"\0" * 100 + large + locator + end)


def _cut(zipped: bytes, at: int, with_: bytes) -> bytes:
    return zipped[:at] + with_ + zipped[at + len(with_) :]


@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_no_broken_archive_raises_anything_else(at: int, with_: bytes) -> None:
    """Whichever bytes of a good one are replaced, it is read or refused."""
    whole = package(("app.py", b"pass" * 10), ("lib/x.py", b"1"))
    try:
        found = read_package(_cut(whole, at % len(whole), with_))
    except ArchiveRefused:
        return
    for member in found.members:
        assert ".." not in member.parts


def test_the_limit_of_the_directory_holds_the_most_files() -> None:
    """An archive with as many files as may be, with paths of a usual length, is not refused for its directory."""
    assert archive.FILES_AT_MOST * (46 + 100) < archive.DIRECTORY_LIMIT_BYTES


def test_a_zip_with_a_comment_is_read() -> None:
    """Its end is found behind the comment."""
    kept = io.BytesIO(package(("app.py", b"x")))
    with zipfile.ZipFile(kept, "a") as opened:
        opened.comment = b"built by hand"
    assert len(read_package(kept.getvalue()).members) == 1


def refused(read: Callable[[], object]) -> str:
    """Why."""
    with pytest.raises(ArchiveRefused) as found:
        read()
    return str(found.value)


def test_an_encrypted_file_is_refused() -> None:
    """Nobody has its password."""
    zipped = bytearray(package(("app.py", b"x")))
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        zipped[zipped.find(sign) + offset] |= 1
    assert refused(lambda: read_package(bytes(zipped))) == NOT_A_ZIP
