"""A store's thread and its file: what is shared, what fails alone, and the words of refusals."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pollers.storage import StoreBusy, StoreDamaged, StoreError, StoreUnreadable, StoreUnwritable
from pollers.storage.writer import Writer
from tests.unit.storage.notebook import NOTES, note, notes, session

if TYPE_CHECKING:
    from pathlib import Path


class Refused(StoreError):  # noqa: N818 - a test's own
    """What an operation refuses by itself."""


def refuses(_connection: sqlite3.Connection) -> None:
    """An operation that writes nothing and says so."""
    raise Refused("not this one")


def fails(_connection: sqlite3.Connection) -> None:
    """An operation with a fault."""
    raise KeyError("a fault")


def commits_of(path: Path) -> int:
    """How many transactions have written the file."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT commits FROM store").fetchone()[0])


async def test_what_is_written_at_the_same_time_shares_transactions(tmp_path: Path) -> None:
    """A hundred writes need a few: those that come while one is being written share the next."""
    path = tmp_path / "notes.db"
    writer = Writer(session(path), "notes")
    await writer.start()
    try:
        await asyncio.gather(*(writer.call(partial(note, text=str(number))) for number in range(100)))
        assert len(await writer.call(notes)) == 100
    finally:
        await writer.stop()
    assert commits_of(path) < 50
    with pytest.raises(StoreError, match="notes has been closed"):
        await writer.call(notes)


@pytest.mark.parametrize("fault", [refuses, fails])
def test_an_operation_that_fails_fails_alone(tmp_path: Path, fault: object) -> None:
    """Those that shared its transaction are written, once."""
    one = session(tmp_path / "notes.db")
    one.start()
    try:
        outcomes = one.run([partial(note, text="a"), fault, partial(note, text="b")])  # type: ignore[list-item]
        assert [outcome.error is None for outcome in outcomes] == [True, False, True]
        assert one.run([notes])[0].value == ["a", "b"]
    finally:
        one.stop()


def test_refusals_name_the_store_and_its_option(tmp_path: Path) -> None:
    """Whoever reads one knows which of Headrace's files it is about, and what to do."""
    path = tmp_path / "notes.db"
    one, other = session(path), session(path)
    one.start()
    try:
        with pytest.raises(StoreBusy, match=r"in use by process \d+: .* a folder of its own \(runtime.notes\)"):
            other.start()
        one._connection.execute("PRAGMA query_only = ON").fetchall()
        [outcome] = one.run([partial(note, text="a")])
        assert isinstance(outcome.error, StoreUnwritable)
        assert "no note was taken" in str(outcome.error)
    finally:
        one.stop()
    path.unlink()
    with pytest.raises(StoreDamaged, match=r"no notebook of Headrace .*it is gone.* or burn the notebook"):
        session(path).start()


@pytest.mark.parametrize(
    ("pragma", "text"),
    [
        ("PRAGMA user_version = 3", r"a newer Headrace \(its version is 3, this one reads 2\)"),
        ("PRAGMA application_id = 8", "another program's database, not a notebook"),
    ],
)
def test_a_file_of_another_version_or_program_is_recognised(tmp_path: Path, pragma: str, text: str) -> None:
    """Neither is read."""
    path = tmp_path / "notes.db"
    one = session(path)
    one.start()
    one.stop()
    with closing(sqlite3.connect(path)) as connection:
        assert NOTES.recognise(connection, path) == 2
        connection.execute(pragma)
        with pytest.raises(StoreUnreadable, match=text):
            NOTES.recognise(connection, path)
