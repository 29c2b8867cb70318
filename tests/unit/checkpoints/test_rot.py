"""A store that is not as it was written: refused with what to do about it, looked at as far as it goes, and made anew."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import bit_rot
from pollers.aws.api import StartAt
from pollers.checkpoints import (
    LanesDone,
    OpenWindow,
    ShardCheckpoint,
    SqliteStore,
    StoreDamaged,
    StoreUnwritable,
    layout,
    schema,
)
from pollers.checkpoints.contents import Contents
from pollers.checkpoints.inspection import inspect, reset
from pollers.storage import database, files
from pollers.storage.lock import OwnerLock
from tests.worlds.seeds import EFFORT

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_VERSION = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE mappings (name TEXT PRIMARY KEY, reset_kind TEXT, reset_timestamp REAL);
    CREATE TABLE streams (id INTEGER PRIMARY KEY, mapping TEXT NOT NULL REFERENCES mappings (name), identity TEXT NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0, opened_at REAL NOT NULL, openings INTEGER NOT NULL DEFAULT 0,
        UNIQUE (mapping, identity));
    CREATE TABLE shards (stream INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE, shard_id TEXT NOT NULL,
        sequence_number TEXT, start_kind TEXT NOT NULL, start_sequence_number TEXT, start_timestamp REAL, ended INTEGER NOT NULL,
        window_start REAL, window_end REAL, window_state BLOB, parents TEXT NOT NULL, lease_counter INTEGER NOT NULL DEFAULT 0,
        lease_owner TEXT, updated_at REAL NOT NULL, PRIMARY KEY (stream, shard_id));
    PRAGMA application_id = 1214542435;
    PRAGMA user_version = 1;
    INSERT INTO mappings VALUES ('clicks', NULL, NULL), ('audit', 'AT_TIMESTAMP', 1e9);
    INSERT INTO streams VALUES (1, 'clicks', 'clicks@1', 1, 1700000000.5, 3);
    INSERT INTO shards VALUES
        (1, 'shard-0', '17', 'TRIM_HORIZON', NULL, NULL, 0, 60.0, 120.0, x'7b7d', '["shard-9"]', 5, 'process 1', 1700000001.5);
"""
"""A file as the first version left it."""


async def filled(path: Path) -> None:
    """Two mappings; ``clicks`` has two shards and ``audit`` one."""
    async with SqliteStore(path) as store:
        for mapping, shards in (("clicks", ("shard-0", "shard-1")), ("audit", ("shard-0",))):
            checkpoints = (await store.open(mapping, f"{mapping}@1")).checkpoints
            await checkpoints.pin({shard: ShardCheckpoint("1") for shard in shards})
            leases = await checkpoints.take_leases(shards)
            for number in ("2", "3"):
                for shard in shards:
                    await checkpoints.save(leases[shard], ShardCheckpoint(number))


async def loaded(path: Path, mapping: str) -> dict[str, ShardCheckpoint]:
    """What the next owner finds of a mapping."""
    async with SqliteStore(path) as store:
        return await (await store.open(mapping, f"{mapping}@1")).checkpoints.load()


def changed(path: Path, *statements: str) -> None:
    """Change the file behind the store's back, without the triggers that would keep the sums true."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount, statement
        for _, text in triggers:
            connection.execute(text)


def content(path: Path) -> bytes | None:
    """What is in a file, if there is one."""
    return path.read_bytes() if path.exists() else None


async def refused(path: Path) -> str:
    """The message that the file is refused with, which leaves it as it is."""
    before = content(path)
    with pytest.raises(StoreDamaged) as refusal:
        async with SqliteStore(path):
            pass
    assert content(path) == before
    return str(refusal.value)


@pytest.mark.timeout(300)
async def test_no_flipped_bit_is_believed() -> None:
    """Of a store that was closed and one whose owner was killed: each flip is harmless, or refused with what to do.

    A sample with a fixed seed; ``python -m benchmarks.bit_rot`` flips them all.
    """
    with tempfile.TemporaryDirectory(dir=bit_rot.IN_MEMORY) as name:
        folder = Path(name)
        await bit_rot.make(folder)
        for kind, files_of in (("closed", 2), ("killed", 3)):
            found = await bit_rot.try_all(kind, folder, sample=60 * EFFORT)
            assert len(found) == files_of
            for file, counts in found.items():
                assert set(counts) <= {"harmless", "refused"}, (kind, file, counts)
                assert counts["refused"] or file.endswith(".lock")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE shards SET sequence_number = '9' WHERE shard_id = 'shard-1'",
            "shard shard-1 is not as it was written",
        ),
        ("UPDATE shards SET sequence_number = NULL WHERE shard_id = 'shard-1'", "shard shard-1 is not as it was"),
        ("UPDATE shards SET ended = 1 WHERE shard_id = 'shard-1'", "shard shard-1 is not as it was written"),
        ("DELETE FROM shards WHERE shard_id = 'shard-1'", "a shard is missing or from another time"),
        ("UPDATE streams SET pinned = 0 WHERE mapping = 'clicks'", "mapping clicks: the row of a stream is not"),
        (
            "UPDATE streams SET shards_sum = shards_sum + 1 WHERE mapping = 'clicks'",
            "mapping clicks: the row of a shard",
        ),
        ("UPDATE mappings SET reset_kind = 'LATEST' WHERE name = 'clicks'", "mapping clicks: its own row"),
        ("DELETE FROM streams WHERE mapping = 'clicks'", "belongs to no stream"),
        ("DELETE FROM store", "the file's own row is missing"),
        ("UPDATE store SET commits = commits - 1", "the file's own row is missing or not as it was written"),
    ],
)
async def test_a_row_that_is_changed_or_missing_is_refused(tmp_path: Path, statement: str, fault: str) -> None:
    """The error names the row and what to do; a missing row does not look like a fresh shard or stream."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    changed(path, statement)
    message = await refused(path)
    assert fault in message
    assert "headrace checkpoints reset CONFIG" in message


async def test_a_row_from_another_time_is_refused(tmp_path: Path) -> None:
    """Its own checksum is good; the sum of all says that it is not the last one."""
    path, earlier = tmp_path / "checkpoints.db", tmp_path / "earlier.db"
    await filled(path)
    shutil.copy(path, earlier)
    await filled(path)
    async with SqliteStore(path) as store:
        checkpoints = (await store.open("clicks", "clicks@1")).checkpoints
        leases = await checkpoints.take_leases(["shard-0"])
        await checkpoints.save(leases["shard-0"], ShardCheckpoint("4"))
    changed(
        path,
        f"ATTACH '{earlier}' AS earlier",
        "UPDATE main.shards SET (sequence_number, updated_at, seal) = (SELECT sequence_number, updated_at, seal "
        "FROM earlier.shards WHERE stream = 1 AND shard_id = 'shard-0') WHERE stream = 1 AND shard_id = 'shard-0'",
    )
    assert "missing or from another time" in await refused(path)


@pytest.mark.parametrize("what", ["empty", "gone"])
async def test_a_store_that_is_empty_or_gone_is_refused_and_not_fresh(tmp_path: Path, what: str) -> None:
    """The lock's file beside it remembers that it was written."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    path.unlink()
    if what == "empty":
        path.touch()
    assert f"it is {what}, though Headrace has written it" in await refused(path)


async def test_an_empty_file_beside_an_earlier_versions_lock_is_refused(tmp_path: Path) -> None:
    """That lock remembers nothing, but there was a Headrace."""
    path = tmp_path / "checkpoints.db"
    path.touch()
    (tmp_path / "checkpoints.db.lock").touch()
    assert "it is empty, though its .lock says that there was one" in await refused(path)


async def test_a_kill_before_the_first_table_leaves_what_can_be_started_with(tmp_path: Path) -> None:
    """At any step of making a file: only its lock, an unfinished new file, a whole one that the lock does not know of yet."""
    path = tmp_path / "checkpoints.db"
    with OwnerLock(path, layout.CHECKPOINTS):
        lock = (tmp_path / "checkpoints.db.lock").read_bytes()
    assert await loaded(path, "clicks") == {}

    def again(*, new: bytes | None = None, keep: bool = False) -> None:
        if not keep:
            path.unlink()
        (tmp_path / "checkpoints.db.lock").write_bytes(lock)
        if new is not None:
            files.beside(path, ".new").write_bytes(new)

    again()
    assert await loaded(path, "clicks") == {}
    again(new=b"half a fi")
    assert await loaded(path, "clicks") == {}
    again(keep=True)
    assert await loaded(path, "clicks") == {}
    again()
    path.touch()
    assert await loaded(path, "clicks") == {}


async def test_a_removed_log_is_noticed(tmp_path: Path) -> None:
    """After a kill the log holds the last writes: without it the file is older than what was written last."""
    await bit_rot.make(tmp_path)
    path = tmp_path / "killed" / bit_rot.FILE
    files.beside(path, "-wal").unlink()
    message = await refused(path)
    assert "older than what Headrace wrote last" in message
    assert "-wal" in message


async def test_a_kill_itself_leaves_a_store_that_is_sound(tmp_path: Path) -> None:
    """With its log, and also when the lock's file has lost its note (a power loss, an earlier version)."""
    await bit_rot.make(tmp_path)
    path = tmp_path / "killed" / bit_rot.FILE
    before = await bit_rot.seen(bit_rot.copied(path.parent, tmp_path / "one"))
    for note in (b"", b"4711 host\n", b"\0" * 512, b"4711 host\n5 1\n"):
        copy = bit_rot.copied(path.parent, tmp_path / "two")
        files.beside(copy, ".lock").write_bytes(note)
        assert await bit_rot.seen(copy) == before


async def test_a_change_that_was_cut_short_outside_wal_mode_is_undone(tmp_path: Path) -> None:
    """A journal that is beside the file, as a kill while an earlier Headrace made it could leave one, is no reason to refuse."""
    path, source = tmp_path / "checkpoints.db", tmp_path / "source.db"
    await filled(source)
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE unfinished (text)")
        for _ in range(50):
            connection.execute("INSERT INTO unfinished VALUES (?)", ("x" * 9_000,))
        for ending in ("", "-journal"):
            shutil.copy(files.beside(source, ending), files.beside(path, ending))
    shutil.copy(files.beside(source, ".lock"), files.beside(path, ".lock"))
    with pytest.raises(StoreUnwritable, match="cut short"):
        inspect(path)
    assert (await loaded(path, "clicks"))["shard-0"].sequence_number == "3"


def test_a_file_is_in_wal_mode_before_it_is_in_its_place(tmp_path: Path) -> None:
    """Once it is there, no kill leaves a journal beside it."""
    path = tmp_path / "checkpoints.db"
    schema.put(path, Contents(commits=1))
    assert path.read_bytes()[18:20] == b"\2\2"
    assert {file.name for file in tmp_path.iterdir()} == {"checkpoints.db"}


async def test_a_file_that_is_mounted_by_itself_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container with a volume for the file alone would lose the log, which lies beside it, with itself."""
    path = tmp_path / "checkpoints.db"
    path.touch()

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(StoreUnwritable, match="mount its folder"):
        await loaded(path, "clicks")


async def test_what_looking_at_a_file_with_other_programs_leaves_is_no_damage(tmp_path: Path) -> None:
    """Statistics for SQLite's planner, and a file that was packed."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ANALYZE")
        connection.execute("VACUUM")
    assert (await loaded(path, "clicks"))["shard-0"].sequence_number == "3"


async def test_a_file_where_nothing_can_be_written_can_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot, mounted read-only: nothing is made beside it."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert [one.name for one in inspect(path).mappings] == ["audit", "clicks"]
    assert sorted(os.listdir(tmp_path)) == ["checkpoints.db", "checkpoints.db.lock"]


async def test_an_older_copy_is_taken_once_the_lock_is_removed(tmp_path: Path) -> None:
    """A backup that is put back on purpose: records done since are delivered again."""
    path, backup = tmp_path / "checkpoints.db", tmp_path / "backup.db"
    await filled(path)
    shutil.copy(path, backup)
    await filled(path)
    shutil.copy(backup, path)
    assert "To go on from what it has, and do again what was done since, remove checkpoints.db.lock" in await refused(
        path
    )
    (tmp_path / "checkpoints.db.lock").unlink()
    assert len(await loaded(path, "clicks")) == 2


async def test_a_log_without_its_file_is_refused(tmp_path: Path) -> None:
    """SQLite would throw it away."""
    path = tmp_path / "checkpoints.db"
    files.beside(path, "-wal").write_bytes(b"x" * 4096)
    assert "its log (-wal) is there" in await refused(path)
    assert files.beside(path, "-wal").exists()


# -- going on ------------------------------------------------------------------------------------------------------------


async def test_a_damaged_file_is_shown_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    """The damaged row is marked, the others are what they were."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    changed(path, "UPDATE shards SET sequence_number = '9' WHERE shard_id = 'shard-1'")
    found = inspect(path)
    audit, clicks = found.mappings
    assert [(shard.shard_id, shard.checkpoint.sequence_number, shard.damaged) for shard in clicks.shards] == [
        ("shard-0", "3", False),
        ("shard-1", "9", True),
    ]
    assert clicks.faults
    assert not audit.faults


async def test_resetting_the_damaged_mapping_mends_the_file_and_keeps_the_others(tmp_path: Path) -> None:
    """The damaged file is copied aside first."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    changed(path, "DELETE FROM shards WHERE shard_id = 'shard-1'")
    damaged = path.read_bytes()
    reset(path, ["clicks"], StartAt("LATEST"))
    assert (tmp_path / "checkpoints.db.damaged-1").read_bytes() == damaged
    async with SqliteStore(path) as store:
        opened = await store.open("clicks", "clicks@1")
        assert (opened.fresh, opened.start) == (True, StartAt("LATEST"))
    assert (await loaded(path, "audit"))["shard-0"].sequence_number == "3"


async def test_a_reset_of_another_mapping_than_the_damaged_one_is_refused(tmp_path: Path) -> None:
    """It would not mend the file; every mapping can be reset."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    changed(path, "UPDATE shards SET ended = 1 WHERE shard_id = 'shard-1'")
    with pytest.raises(StoreDamaged, match="clicks are damaged too: leave MAPPING out"):
        reset(path, ["audit"], None)
    reset(path, ["audit"], None, everything=True)
    assert await loaded(path, "clicks") == {}


@pytest.mark.parametrize("what", ["scribbled", "empty", "gone", "older", "cut", "a lost stream"])
async def test_a_reset_of_everything_mends_any_file(tmp_path: Path, what: str) -> None:
    """All mappings can be reset, whatever is damaged; one mapping alone cannot where it is not known what is missing."""
    path = tmp_path / "checkpoints.db"
    await filled(path)
    early = path.read_bytes()
    await filled(path)
    whole = path.read_bytes()
    match what:
        case "gone":
            path.unlink()
        case "a lost stream":
            changed(path, "DELETE FROM shards WHERE stream = 1", "DELETE FROM streams WHERE mapping = 'clicks'")
        case _:
            contents = {"scribbled": b"scribble" * 999, "empty": b"", "older": early, "cut": whole[: len(whole) // 2]}
            path.write_bytes(contents[what])
    await refused(path)
    with pytest.raises(StoreDamaged, match="leave MAPPING out"):
        reset(path, ["clicks"], None)
    reset(path, ["clicks", "audit"], None, everything=True)
    assert await loaded(path, "clicks") == {}
    assert await loaded(path, "audit") == {}


# -- versions ------------------------------------------------------------------------------------------------------------


def first_version(path: Path) -> None:
    """Make a file of the first version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(FIRST_VERSION)


async def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """With everything in it; looking at it changes nothing."""
    path = tmp_path / "checkpoints.db"
    first_version(path)
    before = content(path)
    assert [one.name for one in inspect(path).mappings] == ["audit", "clicks"]
    assert content(path) == before
    assert await loaded(path, "clicks") == {
        "shard-0": ShardCheckpoint("17", window=OpenWindow(60.0, 120.0, b"{}"), parents=("shard-9",))
    }
    async with SqliteStore(path) as store:
        assert (await store.open("audit", "audit@1")).start == StartAt("AT_TIMESTAMP", timestamp=1e9)
        assert (await store.open("clicks", "clicks@2")).previous_identity == "clicks@1"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (layout.SCHEMA_VERSION,)


async def test_what_a_killed_owner_of_the_first_version_left_in_its_log_is_brought_up_to_date_too(
    tmp_path: Path,
) -> None:
    """Its last writes are in the log."""
    path, source = tmp_path / "checkpoints.db", tmp_path / "source.db"
    first_version(source)
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("UPDATE shards SET sequence_number = '18'")
        for ending in ("", "-wal"):
            shutil.copy(files.beside(source, ending), files.beside(path, ending))
    (tmp_path / "checkpoints.db.lock").write_text("4711 host\n")
    assert (await loaded(path, "clicks"))["shard-0"].sequence_number == "18"


@pytest.mark.parametrize("step", ["fold_log", "put"])
async def test_a_kill_while_a_file_is_brought_up_to_date_leaves_one_that_is_sound(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one or the new one."""
    path = tmp_path / "checkpoints.db"
    first_version(path)

    def killed(before: Callable[..., None]) -> Callable[..., None]:
        def then_dies(*arguments: object) -> None:
            before(*arguments)
            raise KeyboardInterrupt

        return then_dies

    with monkeypatch.context() as patch:
        where = database if step == "fold_log" else files
        patch.setattr(where, step, killed(getattr(where, step)))
        with OwnerLock(path, layout.CHECKPOINTS) as lock, pytest.raises(KeyboardInterrupt):
            schema.connect(path, lock)
    assert (await loaded(path, "clicks"))["shard-0"].sequence_number == "17"


async def test_what_lanes_have_done_above_the_checkpoint_is_kept(tmp_path: Path) -> None:
    """A sequence number a lane, for each number of lanes."""
    path = tmp_path / "checkpoints.db"
    checkpoint = ShardCheckpoint("1", ahead=(LanesDone(("7", None, "9")), LanesDone((None, "5"))))
    async with SqliteStore(path) as store:
        checkpoints = (await store.open("clicks", "clicks@1")).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("1")})
        leases = await checkpoints.take_leases(["shard-0"])
        await checkpoints.save(leases["shard-0"], checkpoint)
    assert (await loaded(path, "clicks"))["shard-0"] == checkpoint
    reset(path, ["clicks"], None)
    assert await loaded(path, "clicks") == {}


def test_new_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """A window's state belongs to the function and is not shown."""
    path = tmp_path / "checkpoints.db"
    with OwnerLock(path, layout.CHECKPOINTS) as lock:
        connection, _ = schema.connect(path, lock)
        connection.execute("DELETE FROM mappings")
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        connection.close()
    assert set(modes.values()) == {0o600}
    assert len(modes) == 4
