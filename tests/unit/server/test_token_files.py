"""The token that is made at the start: its file, which commands find it, and that it is sent to no other program."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from anyio import to_thread
from structlog.testing import capture_logs

from pollers.commands.remote import Refused, Remote
from pollers.server import making_tokens, token_files
from pollers.server.making_tokens import token_kept
from pollers.server.token_files import Found, MadeToken, TokenFile, new_token, token_in, tokens_for
from tests.unit.server.rig import MADE, rig

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

URL = "http://127.0.0.1:8787"


class Kept:
    """A made token and its file, for one address."""

    def __init__(self, *temporary: Path, host: str = "127.0.0.1", port: int = 8787, text: str | None = None) -> None:
        self.made = MadeToken(text or new_token())
        self.token = self.made.text
        self.file = TokenFile(host, port, self.made, temporary=temporary)

    @property
    def path(self) -> Path:
        assert self.made.path is not None
        return self.made.path

    def keep(self) -> None:
        self.file.keep()

    def remove(self) -> None:
        self.file.remove()


def tokens(url: str, *temporary: Path) -> Sequence[str]:
    """The tokens alone."""
    return [token for _, token in tokens_for(url, temporary=temporary or None)]


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
        file = Kept(tmp_path)
        file.keep()
    finally:
        os.umask(before)
    assert (mode(file.path), mode(file.path.parent)) == (0o600, 0o700)
    assert tokens(URL, tmp_path) == [file.token]
    assert tokens("http://localhost:8787/", tmp_path) == [file.token]
    assert tokens("http://127.0.0.1:8788", tmp_path) == []
    assert os.listdir(file.path.parent) == [file.path.name]
    file.remove()
    assert os.listdir(file.path.parent) == []
    file.remove()


def test_several_instances_have_a_file_each(tmp_path: Path) -> None:
    """One that ends removes its own, and not its successor's on the same address."""
    one, other = (Kept(tmp_path, port=port) for port in (1, 2))
    successor = Kept(tmp_path, port=1)
    for file in (one, other, successor):
        file.keep()
    one.remove()
    assert tokens("http://127.0.0.1:1", tmp_path) == [successor.token]
    assert len(tokens("http://127.0.0.1:2", tmp_path)) == 1


def test_a_file_that_was_cleaned_away_is_written_again(tmp_path: Path) -> None:
    """Temporary files that lie untouched are removed by some systems."""
    file = Kept(tmp_path, host="::1")
    file.keep()
    file.path.unlink()
    file.path.parent.rmdir()
    file.keep()
    assert tokens("http://[::1]:8787", tmp_path) == [file.token]


def test_a_token_is_sent_to_this_machine_only(tmp_path: Path) -> None:
    """A URL that leads elsewhere, or nowhere, finds none."""
    file = Kept(tmp_path, host="192.0.2.1")
    file.keep()
    for url in ("http://192.0.2.1:8787", "http://nobody.invalid:8787", "http://127.0.0.1:99999", "http://"):
        assert tokens(url, tmp_path) == []


def test_a_folder_or_file_of_somebody_else_s_making_is_not_used(tmp_path: Path) -> None:
    """A link, a file that others may read, and what is no token are no tokens; a folder that is too open is closed."""
    file = Kept(tmp_path)
    folder = tmp_path / f"headrace-{os.geteuid()}"
    folder.mkdir(mode=0o755)
    file.keep()
    assert mode(folder) == 0o700
    file.path.chmod(0o644)
    assert tokens(URL, tmp_path) == []
    file.keep()
    assert mode(file.path) == 0o600
    (tmp_path / "elsewhere").write_text(new_token())
    (tmp_path / "elsewhere").chmod(0o600)
    file.path.unlink()
    file.path.symlink_to(tmp_path / "elsewhere")
    assert tokens(URL, tmp_path) == []
    file.path.unlink()
    file.path.write_text("root:x:0:0\n")
    file.path.chmod(0o600)
    assert tokens(URL, tmp_path) == []
    file.path.unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        file.keep()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_another_user_s_folder_is_refused_and_root_finds_everybody_s(tmp_path: Path) -> None:
    """Somebody who made our folder first gets no token of ours; root's commands reach a Headrace that is not root's."""
    file = Kept(tmp_path)
    file.keep()
    os.chown(file.path.parent, 10001, 10001)
    file.path.unlink()
    with pytest.raises(PermissionError, match="not a folder of this user"):
        file.keep()
    theirs = tmp_path / "headrace-10001"
    file.path.parent.rename(theirs)
    (theirs / file.path.name).write_text(file.token)
    (theirs / file.path.name).chmod(0o600)
    assert tokens(URL, tmp_path) == []
    os.chown(theirs / file.path.name, 10001, 10001)
    assert tokens(URL, tmp_path) == [file.token]


@pytest.mark.parametrize("terminal", [True, False])
async def test_the_link_is_shown_on_a_terminal_and_the_path_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Logs are kept and read by others."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with capture_logs() as logs:
        token = (made := MadeToken()).text
        async with token_kept(URL, made) as link:
            assert link == f"{URL}/#token={token}"
            assert token in tokens(URL)
    assert token not in tokens(URL)
    assert (token in str(logs)) is terminal
    (line,) = logs
    assert line.get("link") == (link if terminal else None)
    assert ("token_file" in line) is not terminal


async def test_a_token_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headrace runs also where there is no folder for temporary files: only changes over HTTP are not available."""
    monkeypatch.setattr("tempfile._get_default_tempdir", _no_folder)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(token_files, "temporary_folders", lambda: [tmp_path / "missing", tmp_path / "too"])
    monkeypatch.setattr(making_tokens, "KEEP_SECONDS", 0.001)
    with capture_logs() as logs:
        async with token_kept(URL, MadeToken()):
            pass
    assert logs[0]["log_level"] == "warning"
    assert "nobody can pause, drain or reload" in logs[0]["event"]


def _no_folder() -> str:
    raise FileNotFoundError("No usable temporary directory found")


def test_without_a_usable_folder_the_usual_ones_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, or one that is read-only: a file that lies there can be read all the same."""
    monkeypatch.setattr("tempfile._get_default_tempdir", _no_folder)
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert [str(folder) for folder in token_files.temporary_folders()] == [str(tmp_path), "/tmp", "/var/tmp"]


def test_a_folder_that_cannot_be_used_is_passed_over(tmp_path: Path) -> None:
    """Somebody may have made ours before us: the next one serves, and is found."""
    (tmp_path / f"headrace-{os.geteuid()}").symlink_to("/")
    (tmp_path / "next").mkdir()
    file = Kept(tmp_path, tmp_path / "next")

    file.keep()

    assert file.path.is_relative_to(tmp_path / "next")
    assert tokens(URL, tmp_path, tmp_path / "next") == [file.token]


def test_a_token_goes_to_the_address_that_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a name leads to two addresses, another program may listen on the second one."""
    endings = [(0, 0, 0, "", ("::1", 8787, 0, 0)), (0, 0, 0, "", ("127.0.0.1", 8787))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_named: endings)
    six, four = Kept(tmp_path, host="::1"), Kept(tmp_path)
    four.keep()
    assert tokens_for("http://localhost:8787", temporary=[tmp_path]) == [Found("http://127.0.0.1:8787", four.token)]
    six.keep()
    assert tokens_for("http://localhost:8787/x", temporary=[tmp_path])[0] == Found("http://[::1]:8787/x", six.token)


def test_of_what_an_answer_tells_only_a_token_s_file_is_read(tmp_path: Path) -> None:
    """Whoever listens on the address may name any file: it must be called as this address's, be this user's and hold a token."""
    file = Kept(tmp_path)
    file.keep()
    assert token_in(URL, str(file.path)) == [Found(URL, file.token)]
    other = tmp_path / "secrets"
    other.mkdir()
    (other / file.path.name).write_text(file.token)
    (other / file.path.name).chmod(0o600)
    wrong_port = Kept(tmp_path, port=1)
    wrong_port.keep()
    for told in (
        other / file.path.name,
        wrong_port.path,
        file.path.parent,
        "",
        "x",
        "/",
        f"/\0/{file.path.parent.name}/{file.path.name}",
    ):
        assert token_in(URL, str(told)) == []
    file.path.chmod(0o640)
    assert token_in(URL, str(file.path)) == []


async def test_a_command_with_another_temporary_folder_finds_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer that refuses it says where the file is."""
    monkeypatch.setattr(token_files, "temporary_folders", lambda: [tmp_path / "nowhere"])
    async with rig(tmp_path) as running:
        remote = Remote(running.url, None)
        with pytest.raises(Refused, match="a token is needed"):
            await to_thread.run_sync(remote.post, "/api/mappings/a/pause")
        file = Kept(tmp_path, port=running.address[1], text=MADE)
        file.keep()
        running.made.path = file.path
        assert await to_thread.run_sync(remote.post, "/api/mappings/a/pause")
        file.path.unlink()
        with pytest.raises(Refused, match=str(file.path)):
            await to_thread.run_sync(remote.post, "/api/mappings/a/resume")


async def test_a_redirect_gets_no_token() -> None:
    """A proxy may redirect a client without a login to a page on another machine."""
    asked: list[tuple[str, str | None]] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers.get("Authorization")))
        return web.Response(status=302, headers={"Location": f"http://localhost:{request.url.port}/sign-in"})

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", redirect)
    async with TestServer(app) as server:
        remote = Remote(str(server.make_url("")), "secret-token")
        for call in (remote.get, remote.post):
            with pytest.raises(Refused, match="redirected to http://localhost"):
                await to_thread.run_sync(call, "/api/status")
    assert asked == [("/api/status", "Bearer secret-token")] * 2
