"""The token that is made at the start: its file, who finds it, and that it is told to nobody else."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from pollers.server import making_tokens
from pollers.server.making_tokens import token_kept
from pollers.server.token_files import TokenFile, new_token, tokens_for

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1:8787"


def mode(path: Path) -> int:
    """A path's permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_token_is_long_and_new_each_time() -> None:
    """256 bits."""
    assert len({new_token() for _ in range(100)}) == 100
    assert all(len(new_token()) == 43 for _ in range(10))


def test_the_file_is_its_user_s_alone_and_found_by_the_address(tmp_path: Path) -> None:
    """Whatever the umask; by any name of the address; gone afterwards, nothing is left beside it."""
    before = os.umask(0)
    try:
        file = TokenFile("127.0.0.1", 8787, token := new_token(), temporary=tmp_path)
        file.keep()
    finally:
        os.umask(before)
    assert (mode(file.path), mode(file.path.parent)) == (0o600, 0o700)
    assert tokens_for(URL, temporary=tmp_path) == [token]
    assert tokens_for("http://localhost:8787/", temporary=tmp_path) == [token]
    assert tokens_for("http://127.0.0.1:8788", temporary=tmp_path) == []
    assert os.listdir(file.path.parent) == [file.path.name]
    file.remove()
    assert os.listdir(file.path.parent) == []
    file.remove()


def test_several_instances_have_a_file_each(tmp_path: Path) -> None:
    """One that ends removes its own, and not its successor's on the same address."""
    one, other = (TokenFile("127.0.0.1", port, new_token(), temporary=tmp_path) for port in (1, 2))
    successor = TokenFile("127.0.0.1", 1, token := new_token(), temporary=tmp_path)
    for file in (one, other, successor):
        file.keep()
    one.remove()
    assert tokens_for("http://127.0.0.1:1", temporary=tmp_path) == [token]
    assert len(tokens_for("http://127.0.0.1:2", temporary=tmp_path)) == 1


def test_a_file_that_was_cleaned_away_is_written_again(tmp_path: Path) -> None:
    """Temporary files that lie untouched are removed by some systems."""
    file = TokenFile("::1", 8787, token := new_token(), temporary=tmp_path)
    file.keep()
    file.path.unlink()
    file.path.parent.rmdir()
    file.keep()
    assert tokens_for("http://[::1]:8787", temporary=tmp_path) == [token]


def test_a_token_is_sent_to_this_machine_only(tmp_path: Path) -> None:
    """A URL that leads elsewhere, or nowhere, finds none."""
    file = TokenFile("192.0.2.1", 8787, new_token(), temporary=tmp_path)
    file.keep()
    for url in ("http://192.0.2.1:8787", "http://nobody.invalid:8787", "http://127.0.0.1:99999", "http://"):
        assert tokens_for(url, temporary=tmp_path) == []


def test_a_folder_or_file_of_somebody_else_s_making_is_not_used(tmp_path: Path) -> None:
    """A link, a file that others may read, and what is no token are no tokens; a folder that is too open is closed."""
    file = TokenFile("127.0.0.1", 8787, new_token(), temporary=tmp_path)
    folder = file.path.parent
    folder.mkdir(mode=0o755)
    file.keep()
    assert mode(folder) == 0o700
    file.path.chmod(0o644)
    assert tokens_for(URL, temporary=tmp_path) == []
    file.keep()
    assert mode(file.path) == 0o600
    (tmp_path / "elsewhere").write_text(new_token())
    (tmp_path / "elsewhere").chmod(0o600)
    file.path.unlink()
    file.path.symlink_to(tmp_path / "elsewhere")
    assert tokens_for(URL, temporary=tmp_path) == []
    file.path.unlink()
    file.path.write_text("root:x:0:0\n")
    file.path.chmod(0o600)
    assert tokens_for(URL, temporary=tmp_path) == []
    file.path.unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        file.keep()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_another_user_s_folder_is_refused_and_root_finds_everybody_s(tmp_path: Path) -> None:
    """Somebody who made our folder first gets no token of ours; root's commands reach a Headrace that is not root's."""
    file = TokenFile("127.0.0.1", 8787, token := new_token(), temporary=tmp_path)
    file.keep()
    os.chown(file.path.parent, 10001, 10001)
    file.path.unlink()
    with pytest.raises(PermissionError, match="not a folder of this user"):
        file.keep()
    theirs = tmp_path / "headrace-10001"
    file.path.parent.rename(theirs)
    (theirs / file.path.name).write_text(token)
    (theirs / file.path.name).chmod(0o600)
    assert tokens_for(URL, temporary=tmp_path) == []
    os.chown(theirs / file.path.name, 10001, 10001)
    assert tokens_for(URL, temporary=tmp_path) == [token]


@pytest.mark.parametrize("terminal", [True, False])
async def test_the_link_is_shown_on_a_terminal_and_the_path_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Logs are kept and read by others."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with capture_logs() as logs:
        async with token_kept(URL, token := new_token()) as link:
            assert link == f"{URL}/#token={token}"
            assert token in tokens_for(URL)
    assert token not in tokens_for(URL)
    assert (token in str(logs)) is terminal
    (line,) = logs
    assert line.get("link") == (link if terminal else None)
    assert ("token_file" in line) is not terminal


async def test_a_token_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headrace runs on: only changes over HTTP are not to be had."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing" / "folder"))
    monkeypatch.setattr(making_tokens, "KEEP_SECONDS", 0.001)
    with capture_logs() as logs:
        async with token_kept(URL, new_token()):
            pass
    assert logs[0]["log_level"] == "warning"
    assert "nobody can pause, drain or reload" in logs[0]["event"]
