"""A function's code as a folder, wherever it comes from."""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from handlers.errors import FunctionUnusable
from handlers.workers.code_folder import folder_of

if TYPE_CHECKING:
    from pathlib import Path


def archive(path: Path, members: dict[str, str], *, modes: dict[str, int] | None = None) -> Path:
    """A .zip with these members; ``modes`` are their Unix modes."""
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            opened.writestr(entry, content)
    return path


def test_a_folder_is_used_where_it_is(tmp_path: Path) -> None:
    """Nothing is copied."""
    assert folder_of(tmp_path, tmp_path / "scratch", "code") == tmp_path
    assert not (tmp_path / "scratch").exists()


def test_an_archive_is_unpacked_with_its_executables_and_links(tmp_path: Path) -> None:
    """A bootstrap stays executable, and a link that stays inside is a link."""
    modes = {"bootstrap": stat.S_IFREG | 0o755, "lib/current": stat.S_IFLNK | 0o777}
    code = archive(
        tmp_path / "code.zip", {"bootstrap": "#!/bin/sh", "lib/a.py": "A", "lib/current": "a.py"}, modes=modes
    )
    folder = folder_of(code, tmp_path / "scratch", "code")
    assert (folder / "bootstrap").stat().st_mode & stat.S_IXUSR
    assert (folder / "lib" / "current").is_symlink()
    assert (folder / "lib" / "current").read_text() == "A"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_an_archive_cannot_write_outside(tmp_path: Path, name: str) -> None:
    """A member that names a place outside refuses the archive."""
    code = archive(tmp_path / "code.zip", {name: "x"})
    with pytest.raises(FunctionUnusable, match="outside"):
        folder_of(code, tmp_path / "scratch" / "inner", "function f: code")
    assert not (tmp_path / "scratch" / "evil").exists()


@pytest.mark.parametrize("goal", ["/etc/passwd", "../../outside"])
def test_an_archive_cannot_link_outside(tmp_path: Path, goal: str) -> None:
    """Nor can a link lead there, and nothing is written through one."""
    modes = {"lib": stat.S_IFLNK | 0o777}
    code = archive(tmp_path / "code.zip", {"lib": goal}, modes=modes)
    with pytest.raises(FunctionUnusable, match="outside"):
        folder_of(code, tmp_path / "scratch", "code")


def test_a_broken_archive_is_said_to_be_one(tmp_path: Path) -> None:
    """The message names the archive."""
    broken = tmp_path / "code.zip"
    broken.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(FunctionUnusable, match=r"code\.zip cannot be unpacked"):
        folder_of(broken, tmp_path / "scratch", "code")


def test_code_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    """What was found, where, and what would be right."""
    with pytest.raises(FunctionUnusable, match=r"function f: code: .*missing is nothing; expected a folder or a \.zip"):
        folder_of(tmp_path / "missing", tmp_path / "scratch", "function f: code")
    (tmp_path / "app.py").touch()
    with pytest.raises(FunctionUnusable, match=r"app\.py is a file; expected a folder"):
        folder_of(tmp_path / "app.py", tmp_path / "scratch", "function f: code")
