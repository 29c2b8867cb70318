"""The system's word that something has changed."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import anyio
import pytest
from watchfiles._rust_notify import WatchfilesRustInternalError

from pollers.engine.failures import is_ours
from pollers.errors import WatchingUnusable
from pollers.watching import bell

if TYPE_CHECKING:
    from pathlib import Path


async def test_what_changes_before_it_is_asked_is_not_lost(tmp_path: Path) -> None:
    """A bell hears from its making on."""
    async with bell.hung([str(tmp_path)]) as hung:
        (tmp_path / "a").write_text("x")
        with anyio.fail_after(20):
            await hung.rung(lambda path: path.endswith("/a"), 60_000)


async def test_what_does_not_matter_does_not_ring(tmp_path: Path) -> None:
    """It is waited for longer, and in vain when patience ends."""
    heard: list[str] = []
    async with bell.hung([str(tmp_path)]) as hung:
        (tmp_path / "a").write_text("x")

        def matters(path: str) -> bool:
            heard.append(path)
            return False

        await hung.rung(matters, 150)
    assert heard


async def test_leaving_ends_its_wait(tmp_path: Path) -> None:
    """At once, and its thread with it."""
    async with bell.hung([str(tmp_path)]) as hung:
        with anyio.move_on_after(0.05) as scope:
            await hung.rung(lambda _: True, 0)
    assert scope.cancelled_caught


async def test_a_folder_that_has_gone_is_said_by_its_error(tmp_path: Path) -> None:
    """Whoever asked looks again."""
    with pytest.raises(FileNotFoundError):
        async with bell.hung([str(tmp_path / "gone")]):
            pass


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "fs.inotify.max_user_watches"),
        (OSError(errno.EMFILE, "Too many open files"), "fs.inotify.max_user_instances"),
        (
            OSError('OS file watch limit reached. about ["/a"] (Error { kind: MaxFilesWatch, paths: ["/a"] })'),
            "max_user_watches",
        ),
        (
            WatchfilesRustInternalError("Error creating watcher: Too many open files (os error 24)"),
            "fs.inotify.max_user_instances",
        ),
    ],
)
async def test_the_system_s_limits_are_named(monkeypatch: pytest.MonkeyPatch, error: Exception, setting: str) -> None:
    """With what to do. It is no fault of ours: there is no traceback."""

    def full(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(bell, "RustNotify", full)
    with pytest.raises(WatchingUnusable, match=f"{setting}.* is reached .raise it: sysctl") as raised:
        async with bell.hung(["/a", "/b"]):
            pass
    assert "the 2 folders" in str(raised.value)
    assert not is_ours(raised.value)


def test_another_error_is_said_as_it_is() -> None:
    """Nothing is guessed."""
    assert bell.problem(OSError("no such thing"), 3) == (
        "the 3 folders of code and configuration cannot be watched: no such thing"
    )
