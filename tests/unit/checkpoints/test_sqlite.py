"""The SQLite store: one owner, a file that is refused rather than overwritten, and writes that are claimed only when done."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import anyio
import pytest

from pollers.checkpoints import (
    CheckpointStore,
    MappingCheckpoints,
    OpenWindow,
    ShardCheckpoint,
    SqliteStore,
    StoreBusy,
    StoreUnreadable,
    StoreUnwritable,
    open_store,
    openings,
    rows,
)
from pollers.checkpoints.inspection import inspect, look
from pollers.checkpoints.layout import SCHEMA_VERSION
from pollers.checkpoints.openings import KEPT_STREAMS
from pollers.checkpoints.session import SqliteSession
from pollers.storage import database
from pollers.storage.lock import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.checkpoints import Lease

ROOT = Path(__file__).parents[3]


async def opened(store: CheckpointStore, sequence_number: str = "1") -> tuple[MappingCheckpoints, Lease]:
    """One mapping with one pinned shard, and its lease."""
    checkpoints = (await store.open("clicks", "stream@1")).checkpoints
    await checkpoints.pin({"shard-0": ShardCheckpoint(sequence_number)})
    return checkpoints, (await checkpoints.take_leases(["shard-0"]))["shard-0"]


async def last_of(path: Path) -> str | None:
    """The sequence number that the next owner of the file finds."""
    async with SqliteStore(path) as store:
        checkpoints = (await store.open("clicks", "stream@1")).checkpoints
        return (await checkpoints.load())["shard-0"].sequence_number


@contextmanager
def script(body: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs ``body`` with the store's file as its argument; killed at the end if it still runs."""
    header = """
        import sys, anyio, os, resource
        from pathlib import Path
        from pollers.checkpoints import *
        path = Path(sys.argv[1])
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(header) + textwrap.dedent(body), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that the other process prints."""
    output: IO[str] | None = process.stdout
    assert output is not None
    return output.readline().strip()


OWNS = """
    async def main():
        async with SqliteStore(path):
            print("mine", flush=True)
            await anyio.sleep_forever()
    anyio.run(main)
"""


async def test_a_second_process_is_refused_with_the_owners_pid(tmp_path: Path) -> None:
    """Two Headraces on one file would move each other's checkpoints."""
    path = tmp_path / "checkpoints.db"
    with script(OWNS, path) as owner:
        assert line_of(owner) == "mine"
        with pytest.raises(StoreBusy, match=rf"in use by process {owner.pid}:") as refused:
            async with SqliteStore(path):
                pass
        assert refused.value.pid == owner.pid


async def test_another_name_of_the_same_file_is_refused_too(tmp_path: Path) -> None:
    """A link does not make it another file."""
    path = tmp_path / "checkpoints.db"
    link = tmp_path / "link.db"
    async with SqliteStore(path):
        link.symlink_to(path)
        with pytest.raises(StoreBusy):
            async with SqliteStore(link):
                pass


async def test_whoever_looks_at_the_lock_does_not_keep_a_start_from_it(tmp_path: Path) -> None:
    """``checkpoints show`` shares the lock for a moment, to see whether there is an owner: the start waits until it is over."""
    path = tmp_path / "checkpoints.db"
    async with SqliteStore(path):
        pass
    with path.with_name("checkpoints.db.lock").open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        async with asyncio.TaskGroup() as tasks:
            opening = tasks.create_task(_is_usable(path))
            done, _ = await asyncio.wait([opening], timeout=0.05)
            assert not done
            fcntl.flock(looker, fcntl.LOCK_UN)
        assert opening.result()


async def test_a_killed_owner_leaves_nothing_to_clean_up(tmp_path: Path) -> None:
    """kill -9 frees the file, although the owner's pid still stands in the lock's file."""
    path = tmp_path / "checkpoints.db"
    with script(OWNS, path) as owner:
        assert line_of(owner) == "mine"
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert (tmp_path / "checkpoints.db.lock").read_text().startswith(f"{owner.pid} ")
    async with SqliteStore(path) as store:
        assert (await store.open("clicks", "stream@1")).fresh


async def test_a_reused_pid_does_not_look_like_an_owner(tmp_path: Path) -> None:
    """The lock counts, not the number in its file: here that of a process that lives."""
    path = tmp_path / "checkpoints.db"
    (tmp_path / "checkpoints.db.lock").write_text(f"{os.getppid()} elsewhere\n")
    assert owner_of(path) is None
    async with SqliteStore(path):
        owner = owner_of(path)
        assert owner is not None
        assert owner.pid == os.getpid()
    assert owner_of(path) is None


async def test_the_last_claimed_checkpoint_survives_kill_9(tmp_path: Path) -> None:
    """Every checkpoint for which save() returned is in the file, at any instant at which the process dies."""
    path = tmp_path / "checkpoints.db"
    saves = """
        async def main():
            async with SqliteStore(path) as store:
                checkpoints = (await store.open("clicks", "stream@1")).checkpoints
                await checkpoints.pin({"shard-0": ShardCheckpoint()})
                lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
                for number in range(1, 1_000_000):
                    await checkpoints.save(lease, ShardCheckpoint(str(number)))
                    print(number, flush=True)
        anyio.run(main)
    """
    with script(saves, path) as writer:
        claimed = [line_of(writer) for _ in range(50)]
        writer.kill()
        assert writer.stdout is not None
        claimed += writer.stdout.read().split("\n")[:-1]
    found = await last_of(path)
    assert int(found or 0) in (int(claimed[-1]), int(claimed[-1]) + 1)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look like a file", b"x", b"\0" * 8192])
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """Whatever it is, it is not ours to overwrite."""
    path = tmp_path / "checkpoints.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable, match="left as it is"):
        async with SqliteStore(path):
            pass
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["cut", "scribbled"])
async def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, damage: str) -> None:
    """Half a file, or one with a page overwritten, is not read as if it were whole."""
    path = tmp_path / "checkpoints.db"
    async with SqliteStore(path) as store:
        checkpoints = (await store.open("clicks", "stream@1")).checkpoints
        await checkpoints.pin({f"shard-{number}": ShardCheckpoint(str(number)) for number in range(500)})
    whole = path.read_bytes()
    middle = len(whole) // 2 // 4096 * 4096
    content = whole[:middle] if damage == "cut" else whole[:middle] + b"\xa5" * 4096 + whole[middle + 4096 :]
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable, match="damaged"):
        async with SqliteStore(path):
            pass
    assert path.read_bytes() == content


async def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older Headrace does not write what a newer one has to read."""
    path = tmp_path / "checkpoints.db"
    async with SqliteStore(path) as store:
        await opened(store)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    content = path.read_bytes()
    with pytest.raises(StoreUnreadable, match="newer Headrace"):
        async with SqliteStore(path):
            pass
    assert path.read_bytes() == content


async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A wrong path destroys no data."""
    path = tmp_path / "checkpoints.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE shards (precious TEXT)")
    content = path.read_bytes()
    with pytest.raises(StoreUnreadable, match="another program's"):
        async with SqliteStore(path):
            pass
    assert path.read_bytes() == content


async def test_a_creation_cut_short_is_begun_again(tmp_path: Path) -> None:
    """An empty file, or an empty database, holds nothing that could be lost."""
    path = tmp_path / "checkpoints.db"
    path.touch()
    assert await _is_usable(path)
    path.unlink()
    (tmp_path / "checkpoints.db.lock").unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert await _is_usable(path)


async def _is_usable(path: Path) -> bool:
    async with SqliteStore(path) as store:
        return (await store.open("clicks", "stream@1")).fresh


async def test_a_folder_that_cannot_be_made_is_said_clearly(tmp_path: Path) -> None:
    """The message names the path and the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnwritable, match=r"file.* cannot be written .*runtime\.checkpoints"):
        async with SqliteStore(tmp_path / "file" / "checkpoints.db"):
            pass


async def test_a_folder_in_the_files_place_is_said_clearly(tmp_path: Path) -> None:
    """Nothing is made inside it."""
    (tmp_path / "checkpoints.db").mkdir()
    with pytest.raises(StoreUnwritable, match=r"checkpoints\.db"):
        async with SqliteStore(tmp_path / "checkpoints.db"):
            pass
    assert owner_of(tmp_path / "checkpoints.db") is None


def test_a_full_disk_fails_the_write_and_moves_nothing(tmp_path: Path) -> None:
    """The caller learns of it, the file stays whole, and the same write works once there is room."""
    path = tmp_path / "checkpoints.db"
    fills = """
        def limit(size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        async def main():
            async with SqliteStore(path) as store:
                checkpoints = (await store.open("clicks", "stream@1")).checkpoints
                await checkpoints.pin({"shard-0": ShardCheckpoint("1")})
                lease = (await checkpoints.take_leases(["shard-0"]))["shard-0"]
                big = OpenWindow(0, 60, b"x" * 1_000_000)
                limit(300_000)
                try:
                    await checkpoints.save(lease, ShardCheckpoint("2", window=big))
                except StoreUnwritable as error:
                    print("refused:", error)
                print((await checkpoints.load())["shard-0"].sequence_number)
                limit(resource.RLIM_INFINITY)
                await checkpoints.save(lease, ShardCheckpoint("3", window=big))
                print((await checkpoints.load())["shard-0"].sequence_number, flush=True)
        anyio.run(main)
    """
    with script(fills, path) as process:
        lines = [line_of(process) for _ in range(3)]
    assert lines[0].startswith("refused:")
    assert "no checkpoint was moved" in lines[0]
    assert lines[1:] == ["1", "3"]


@pytest.mark.parametrize(
    ("fault", "cure"),
    [
        pytest.param("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000", id="full"),
        pytest.param("PRAGMA query_only = ON", "PRAGMA query_only = OFF", id="read-only"),
    ],
)
def test_a_file_that_takes_no_writes_works_again_by_itself(tmp_path: Path, fault: str, cure: str) -> None:
    """What was refused did not happen, and counts as no write; the same write works later, on the same connection."""
    session = SqliteSession(tmp_path / "checkpoints.db")
    session.start()
    try:
        [opening] = session.run([partial(openings.open_stream, mapping="clicks", identity="stream@1", now=1.0)])
        pin = partial(
            rows.pin,
            stream=opening.value.stream,
            shards={"shard-0": ShardCheckpoint("2", window=OpenWindow(0.0, 60.0, b"x" * 100_000))},
            now=1.0,
        )
        session._connection.execute(fault).fetchall()
        [refused] = session.run([pin])
        assert isinstance(refused.error, StoreUnwritable)
        assert "no checkpoint was moved" in str(refused.error)
        session._connection.execute(cure).fetchall()
        assert [outcome.error for outcome in session.run([pin])] == [None]
    finally:
        session.stop()
    assert inspect(tmp_path / "checkpoints.db").mappings[0].shards[0].checkpoint.sequence_number == "2"


async def test_a_store_that_another_program_has_locked_works_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool that looks at the file and keeps it locked is reported, and waited for."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    path = tmp_path / "checkpoints.db"
    async with SqliteStore(path) as store:
        checkpoints, lease = await opened(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnwritable, match="locked"):
                await checkpoints.save(lease, ShardCheckpoint("2"))
            other.execute("ROLLBACK")
        await checkpoints.save(lease, ShardCheckpoint("3"))
    assert await last_of(path) == "3"


@pytest.mark.parametrize("what", ["removed", "replaced"])
async def test_a_file_removed_under_its_owner_takes_no_more_claims(tmp_path: Path, what: str) -> None:
    """A write to a file that was removed or replaced is reported as failed, as no later process would see it."""
    path = tmp_path / "checkpoints.db"
    async with SqliteStore(path) as store:
        checkpoints, lease = await opened(store)
        path.rename(tmp_path / "elsewhere.db")
        if what == "replaced":
            path.touch()
        with pytest.raises(StoreUnwritable, match="removed or replaced"):
            await checkpoints.save(lease, ShardCheckpoint("2"))
        path.unlink(missing_ok=True)
        (tmp_path / "elsewhere.db").rename(path)
        await checkpoints.save(lease, ShardCheckpoint("3"))


async def test_the_loop_runs_on_while_the_file_is_slow(tmp_path: Path) -> None:
    """A write that waits for the disk, here for another process's lock, delays only its caller."""
    path = tmp_path / "checkpoints.db"
    async with SqliteStore(path) as store:
        checkpoints, lease = await opened(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as group:
                group.start_soon(checkpoints.save, lease, ShardCheckpoint("2"))
                with anyio.fail_after(60):
                    for _ in range(20):
                        await anyio.sleep(0.001)
                other.execute("ROLLBACK")
        assert (await checkpoints.load())["shard-0"].sequence_number == "2"


async def test_a_cancelled_write_leaves_the_store_working(tmp_path: Path) -> None:
    """The write happens whole or not at all, and the next one is not disturbed."""
    async with SqliteStore(tmp_path / "checkpoints.db") as store:
        checkpoints, lease = await opened(store)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await checkpoints.save(lease, ShardCheckpoint("2"))
        assert (await checkpoints.load())["shard-0"].sequence_number in ("1", "2")
        await checkpoints.save(lease, ShardCheckpoint("3"))
        assert (await checkpoints.load())["shard-0"].sequence_number == "3"


async def test_a_write_that_no_transaction_can_hold_fails_alone(tmp_path: Path) -> None:
    """Text that is not Unicode cannot be stored; writes that shared its transaction are."""
    async with SqliteStore(tmp_path / "checkpoints.db") as store:
        checkpoints = (await store.open("clicks", "stream@1")).checkpoints
        await checkpoints.pin({"shard-0": ShardCheckpoint("1"), "shard-1": ShardCheckpoint("1")})
        leases = await checkpoints.take_leases(["shard-0", "shard-1"])

        async def bad() -> None:
            with pytest.raises(UnicodeEncodeError):
                await checkpoints.save(leases["shard-0"], ShardCheckpoint("\ud800"))

        async with anyio.create_task_group() as group:
            group.start_soon(bad)
            group.start_soon(checkpoints.save, leases["shard-1"], ShardCheckpoint("2"))
        loaded = await checkpoints.load()
        assert [loaded[shard].sequence_number for shard in ("shard-0", "shard-1")] == ["1", "2"]


async def test_a_tumbling_windows_state_of_a_mebibyte_is_kept(tmp_path: Path) -> None:
    """Lambda's limit on a window's state (docs/lambda 4.11) fits."""
    path = tmp_path / "checkpoints.db"
    window = OpenWindow(0.0, 60.0, b'"' + b"x" * (1024 * 1024 - 2) + b'"')
    async with SqliteStore(path) as store:
        checkpoints, lease = await opened(store)
        await checkpoints.save(lease, ShardCheckpoint("2", window=window))
    async with SqliteStore(path) as store:
        loaded = await (await store.open("clicks", "stream@1")).checkpoints.load()
    assert loaded["shard-0"].window == window


def test_the_configurations_address_names_the_store(tmp_path: Path) -> None:
    """As ``runtime.checkpoints`` has it; anything else is refused."""
    store = open_store(f"sqlite:{tmp_path}/.headrace/checkpoints.db")
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path.resolve() / ".headrace" / "checkpoints.db"
    with pytest.raises(ValueError, match="'redis:x' is not sqlite:PATH"):
        open_store("redis:x")


class SetBack:
    """A clock that shows an hour less each time that it is asked."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0

    def time(self) -> float:
        """Seconds since the epoch."""
        self._now -= 3_600
        return self._now


async def test_the_stream_that_is_opened_is_the_newest_whatever_the_clock_says(tmp_path: Path) -> None:
    """Its checkpoints must not be dropped as the oldest of twenty, nor another stream's be shown as the mapping's."""
    path = tmp_path / "checkpoints.db"
    async with SqliteStore(path, clock=SetBack()) as store:
        for number in range(KEPT_STREAMS + 5):
            checkpoints = (await store.open("clicks", f"stream@{number}")).checkpoints
            await checkpoints.pin({"shard-0": ShardCheckpoint(str(number))})
            assert (await checkpoints.load())["shard-0"].sequence_number == str(number)
        again = await store.open("clicks", "stream@20")
        assert not again.fresh
    [found] = look(path)
    assert found.identity == "stream@20"
