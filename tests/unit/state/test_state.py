"""The state: durable when a call returns, one owner, and no file is believed that is not as it was written."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.state import State, Tables
from pollers.storage import StoreBusy, StoreDamaged, StoreError, StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]
NOTES = Tables("notes", (("CREATE TABLE notes (text TEXT)",),))
LATER = Tables(
    "notes", (*NOTES.steps, ("ALTER TABLE notes ADD COLUMN colour TEXT", "UPDATE notes SET colour = 'black'"))
)
BOOKS = Tables("books", (("CREATE TABLE books (title TEXT)", "CREATE INDEX books_title ON books (title)"),))


def take(text: str) -> object:
    """An operation that takes a note."""
    return lambda connection: connection.execute("INSERT INTO notes (text) VALUES (?)", (text,)) and None


def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Every note."""
    return connection.execute("SELECT * FROM notes ORDER BY rowid").fetchall()


async def filled(folder: Path, tables: Sequence[Tables] = (NOTES,)) -> Path:
    """A state with one note, closed; its file."""
    async with State(folder, tables) as state:
        await state.call(take("first"))  # type: ignore[arg-type]
    return state.path


async def found(folder: Path, tables: Sequence[Tables] = (NOTES,)) -> list[tuple[object, ...]]:
    """What the next owner finds."""
    async with State(folder, tables) as state:
        return await state.call(rows)


async def test_what_was_called_is_there_after_a_restart(tmp_path: Path) -> None:
    """In a folder that is made, for its user alone."""
    folder = tmp_path / "deep" / ".headrace"
    path = await filled(folder)
    assert await found(folder) == [("first",)]
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert os.stat(path).st_mode & 0o777 == 0o600


async def test_an_operation_that_fails_leaves_nothing_written(tmp_path: Path) -> None:
    """Half of it would be worse than none."""

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes (text) VALUES ('half')")
        raise KeyError("the other half")

    async with State(tmp_path, (NOTES,)) as state:
        with pytest.raises(KeyError):
            await state.call(half)
        assert await state.call(rows) == []


async def test_a_second_owner_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    """Also under another name of the folder."""
    (tmp_path / "link").symlink_to(tmp_path / "state")
    (tmp_path / "state").mkdir()
    async with State(tmp_path / "state", (NOTES,)):
        with pytest.raises(StoreBusy, match=rf"in use by process {os.getpid()}: .*\(runtime.state\)"):
            async with State(tmp_path / "link", (NOTES,)):
                pass


async def test_a_state_that_is_not_open_says_so(tmp_path: Path) -> None:
    """Before it is entered and after it was left."""
    state = State(tmp_path, (NOTES,))
    for _ in range(2):
        with pytest.raises(StoreError, match="is not open"):
            await state.call(rows)
        async with state:
            pass


async def test_rooms_change_their_tables_without_knowing_of_each_other(tmp_path: Path) -> None:
    """A later version finds the rows of users; a room that is new is made."""
    await filled(tmp_path)
    assert await found(tmp_path, (BOOKS, LATER)) == [("first", "black")]
    assert await found(tmp_path, (LATER, BOOKS)) == [("first", "black")]


async def test_a_migration_that_is_cut_short_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """All rooms change in one transaction."""
    await filled(tmp_path)
    broken = Tables("notes", (*LATER.steps, ("UPDATE nothing SET no = 1",)))
    with pytest.raises(StoreError):
        await found(tmp_path, (BOOKS, broken))
    assert await found(tmp_path) == [("first",)]


@pytest.mark.parametrize("later", [(LATER,), (NOTES, BOOKS)])
async def test_what_a_newer_headrace_wrote_is_refused_and_left_alone(tmp_path: Path, later: tuple[Tables, ...]) -> None:
    """A room of a later version, and a room that this one does not have."""
    path = await filled(tmp_path, later)
    before = path.read_bytes()
    with pytest.raises(StoreUnreadable, match=rf"newer Headrace \({later[-1].room} in it"):
        await found(tmp_path)
    assert path.read_bytes() == before
    assert len(await found(tmp_path, later)) == 1


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("PRAGMA user_version = 9", "newer Headrace"),
        ("PRAGMA application_id = 9", "another program's database"),
        ("CREATE TABLE strange (one)", "its tables are not as Headrace makes them"),
        ("DROP TABLE notes", "its tables are not as Headrace makes them"),
        ("DELETE FROM store", "is damaged"),
        ("UPDATE store SET commits = 1", "it is older than what Headrace wrote last"),
        ("UPDATE rooms SET version = 'x'", "is damaged"),
    ],
)
async def test_a_file_that_is_not_as_it_was_written_is_refused_and_left_alone(
    tmp_path: Path, statement: str, text: str
) -> None:
    """It says what is wrong, and how to go on."""
    path = await filled(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    before = path.read_bytes()
    with pytest.raises(StoreUnreadable, match=text):
        await found(tmp_path)
    assert path.read_bytes() == before


async def test_damage_and_absence_are_refused(tmp_path: Path) -> None:
    """A page of zeros; no database at all; a file that is gone though its lock remembers it."""
    path = await filled(tmp_path)
    whole = path.read_bytes()
    for content in (whole[:4096] + bytes(len(whole) - 4096), b"not a database, but long enough " * 9, b""):
        path.write_bytes(content)
        with pytest.raises(StoreDamaged, match=r"move state.db, .* away"):
            await found(tmp_path)
        assert path.read_bytes() == content
    path.unlink()
    with pytest.raises(StoreDamaged, match="it is gone, though Headrace has written it"):
        await found(tmp_path)
    path.with_name("state.db.lock").unlink()
    assert await found(tmp_path) == []


FILLS = """
    import resource, sys, anyio
    from pathlib import Path
    from pollers.state import State, Tables
    from pollers.storage import StoreUnwritable

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def put(connection, text):
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
        connection.execute("INSERT INTO notes VALUES (?)", ("x" * 1_000_000,))

    def count(connection):
        return connection.execute("SELECT count(*) FROM notes").fetchone()[0]

    async def main():
        async with State(Path(sys.argv[1]), [Tables("notes", (("CREATE TABLE notes (text TEXT)",),))]) as state:
            limit(300_000)
            try:
                await state.call(lambda connection: put(connection, "a"))
            except StoreUnwritable as error:
                print("refused:", error)
            print(await state.call(count))
            limit(resource.RLIM_INFINITY)
            await state.call(lambda connection: put(connection, "b"))
            print(await state.call(count), flush=True)
            await anyio.sleep_forever()
    anyio.run(main)
"""


def test_a_full_disk_is_said_and_a_kill_afterwards_loses_nothing(tmp_path: Path) -> None:
    """Nothing half written; it works again by itself once there is room; what was called before kill -9 is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(FILLS), str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(3)]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    assert lines[0].startswith("refused:")
    assert "state.db could not be written" in lines[0]
    assert "nothing of it was kept" in lines[0]
    assert lines[1:] == ["0", "2"]
    assert [text for (text,) in anyio.run(found, tmp_path)] == ["b", "x" * 1_000_000]


async def test_a_file_that_was_emptied_gives_its_room_back_at_the_next_start(tmp_path: Path) -> None:
    """After a long queue, the disk has its room again."""
    async with State(tmp_path, (NOTES,)) as state:
        await state.call(
            lambda connection: connection.executemany(
                "INSERT INTO notes VALUES (?)", ((str(number) * 2_000,) for number in range(3_000))
            )
        )
        await state.call(lambda connection: connection.execute("DELETE FROM notes"))
    full = state.path.stat().st_size
    await found(tmp_path)
    assert state.path.stat().st_size < full // 10


async def test_a_disk_that_is_full_at_the_start_is_said(tmp_path: Path) -> None:
    """Instead of a traceback."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnwritable, match=r"cannot be written .*runtime\.state"):
        await found(tmp_path / "file")


def test_what_a_call_wrote_outlives_a_power_loss(tmp_path: Path) -> None:
    """Each commit is an fsync of the log. A kill cannot show that, so the setting itself is looked at."""

    async def settings() -> list[object]:
        async with State(tmp_path, [NOTES]) as state:
            return await state.call(
                lambda connection: [
                    connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
                ]
            )

    full = 2
    assert anyio.run(settings) == ["wal", full]
