"""Scratch folders: one for each function, none for the dead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handlers.copies.scratch import PREFIX, Scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_scratch_folder_is_gone_when_it_is_removed(temporary: Path) -> None:
    """With what is in it; its name says whose it was."""
    scratch = Scratch("orders/€")
    assert scratch.path.name.startswith(f"{PREFIX}orders__-")
    (scratch.path / "file").touch()
    scratch.remove()
    assert list(temporary.iterdir()) == []


def test_folders_in_use_are_left_alone() -> None:
    """Of this process and of others."""
    first, second = Scratch("one"), Scratch("one")
    assert first.path.is_dir()
    assert first.path != second.path
    first.remove()
    second.remove()


def test_what_a_dead_process_left_is_removed_by_the_next(temporary: Path) -> None:
    """The lock ended with its owner; whatever else lies there stays."""
    program = f"import tempfile; tempfile.tempdir = {str(temporary)!r}\nfrom handlers.copies.scratch import Scratch\n"
    program += "scratch = Scratch('dead'); (scratch.path / 'code').mkdir(); import os; os._exit(9)"
    (temporary / "headrace-other").mkdir()
    root = Path(__file__).resolve().parents[4]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 9
    assert len(list(temporary.iterdir())) == 2
    scratch = Scratch("next")
    assert sorted(temporary.iterdir()) == sorted([temporary / "headrace-other", scratch.path])
    scratch.remove()
