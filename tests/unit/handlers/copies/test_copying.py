"""Copies of code: whole, of one moment, and cheap the second time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from handlers.copies import NotCopied, copy_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "package").mkdir(parents=True)
    (folder / "app.py").write_text("A = 1\n")
    (folder / "package" / "__init__.py").write_text("B = 1\n")
    return folder


def test_a_file_that_is_edited_in_place_stays_as_it_was(code: Path, tmp_path: Path) -> None:
    """Which a hard link to it would not give."""
    copy_folder(code, tmp_path / "copy")
    with (code / "app.py").open("r+") as opened:
        opened.write("A = 2\n")
    assert (tmp_path / "copy" / "app.py").read_text() == "A = 1\n"


def test_times_and_permissions_stay(code: Path, tmp_path: Path) -> None:
    """Python's compiled files go by the time; a bootstrap must be executable."""
    (code / "app.py").chmod(0o755)
    os.utime(code / "app.py", (1, 1))
    copy_folder(code, tmp_path / "copy")
    status = (tmp_path / "copy" / "app.py").stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o755, 1)


def test_a_second_copy_shares_what_has_not_changed(code: Path, tmp_path: Path) -> None:
    """With the first copy, not with the folder; also when the newest copy has gone."""
    copy_folder(code, tmp_path / "one")
    (code / "app.py").write_text("A = 22\n")
    copy_folder(code, tmp_path / "two")
    for name in ("app.py", "package/__init__.py"):
        same = (tmp_path / "one" / name).samefile(tmp_path / "two" / name)
        assert same is (name != "app.py")
        assert not (code / name).samefile(tmp_path / "two" / name)
    assert (tmp_path / "two" / "app.py").read_text() == "A = 22\n"
    (tmp_path / "two" / "package" / "__init__.py").unlink()
    copy_folder(code, tmp_path / "three")
    assert (tmp_path / "three" / "package" / "__init__.py").samefile(tmp_path / "one" / "package" / "__init__.py")


def test_links_keep_what_they_say_and_outside_code_is_copied(code: Path, tmp_path: Path) -> None:
    """What is shared with other functions is watched, so it is copied; a link to a folder around it ends there."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "tool.py").write_text("C = 1\n")
    (code / "shared").symlink_to(shared)
    (code / "again.py").symlink_to("app.py")
    (code / "absolute.py").symlink_to(code / "app.py")
    (code / "round").symlink_to(tmp_path)
    (code / "dangling").symlink_to("nothing")
    copy = tmp_path.parent / f"{tmp_path.name}-copy"
    copy_folder(code, copy)
    (shared / "tool.py").write_text("C = 2\n")
    (code / "app.py").write_text("A = 2\n")
    assert (copy / "shared" / "tool.py").read_text() == "C = 1\n"
    assert (copy / "again.py").read_text() == (copy / "absolute.py").read_text() == "A = 1\n"
    assert not (copy / "dangling").exists()


def test_folders_that_are_not_watched_are_links(code: Path, tmp_path: Path) -> None:
    """`node_modules`, and virtual environments by whatever name."""
    (code / "node_modules").mkdir()
    (code / "mine").mkdir()
    (code / "mine" / "pyvenv.cfg").write_text("")
    copy_folder(code, tmp_path / "copy")
    for name in ("node_modules", "mine"):
        assert (tmp_path / "copy" / name).resolve() == code / name


def test_a_folder_that_is_too_large_is_refused(code: Path, tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(NotCopied, match=r"code holds more than 0 MiB"):
        copy_folder(code, tmp_path / "copy", limit_bytes=8)
