"""Who may read the folder of a store and what is in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pollers.storage.privacy import close_files, make_folder
from tests.unit.storage.notebook import session as session_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def generous_umask() -> Iterator[None]:
    """One that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """A path's permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("folder", [".headrace", "state"])
def test_what_is_made_is_its_user_s_alone(tmp_path: Path, folder: str) -> None:
    """The folder, the database, its log and its lock, while it is open and afterwards."""
    path = tmp_path / folder / "notes.db"
    session = session_of(path)
    session.start()
    assert mode(path.parent) == 0o700
    assert {file.name: mode(file) for file in path.parent.iterdir()} == dict.fromkeys(os.listdir(path.parent), 0o600)
    assert len(os.listdir(path.parent)) >= 2
    session.stop()
    assert mode(path) == 0o600


def test_our_own_folder_is_closed_and_others_are_left_as_they_are(tmp_path: Path) -> None:
    """One by another name may be shared: with a configuration, or with everything."""
    for name in (".headrace", "shared"):
        path = tmp_path / name / "notes.db"
        path.parent.mkdir(mode=0o755)
        session = session_of(path)
        session.start()
        session.stop()
        path.chmod(0o644)
        session.start()
        session.stop()
    assert (mode(tmp_path / ".headrace"), mode(tmp_path / ".headrace" / "notes.db")) == (0o700, 0o600)
    assert (mode(tmp_path / "shared"), mode(tmp_path / "shared" / "notes.db")) == (0o755, 0o644)


def test_what_is_behind_a_link_or_missing_is_left_alone(tmp_path: Path) -> None:
    """A link may lead anywhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / ".headrace").symlink_to(elsewhere)
    make_folder(tmp_path / ".headrace")
    close_files(tmp_path / ".headrace" / "notes.db", made=True)
    assert mode(elsewhere) == 0o755
