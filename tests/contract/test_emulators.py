"""The emulators that the demo and the other tests stand on."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from pollers.emulators import InstallFailed, Ministack, SecantusDB, StartFailed, cache_folder, installed, started
from pollers.emulators.cache import step
from pollers.emulators.node import node_environment
from pollers.emulators.recipes import Launch
from tests.emulators import NEEDS_SECANTUSDB, plain_client, running, unique

if TYPE_CHECKING:
    from pollers.emulators import Emulator


async def test_every_emulator_answers_its_services(
    ministack: Emulator, kinesis_local: Emulator, localstack: Emulator
) -> None:
    """Each emulator that tests use takes a call of each service that it is there for."""
    for emulator in (ministack, localstack):
        async with plain_client(emulator, "sqs") as sqs:
            url = (await sqs.create_queue(QueueName=unique("alive")))["QueueUrl"]
            await sqs.send_message(QueueUrl=url, MessageBody="x")
            assert len((await sqs.receive_message(QueueUrl=url))["Messages"]) == 1
    for emulator in (ministack, localstack, kinesis_local):
        async with plain_client(emulator, "kinesis") as kinesis:
            name = unique("alive")
            await kinesis.create_stream(StreamName=name, ShardCount=1)
            assert (await kinesis.describe_stream_summary(StreamName=name))["StreamDescriptionSummary"][
                "StreamName"
            ] == name


@NEEDS_SECANTUSDB
async def test_a_killed_secantusdb_keeps_what_it_has_acknowledged(tmp_path: Path) -> None:
    """Started again at the same port on the same storage, it has the document, and its change is in the stream."""
    with running(SecantusDB(storage=tmp_path)) as first:
        async with _mongo(first) as client:
            before = (await client.admin.command("hello"))["operationTime"]
            await client["shop"]["orders"].insert_one({"_id": 1})
        first.kill()
        assert not _listens(first.port)
        with started(SecantusDB(storage=tmp_path), port=first.port) as second:
            assert second.port == first.port
            async with _mongo(second) as client, await client["shop"].watch(start_at_operation_time=before) as changes:
                assert await client["shop"]["orders"].find_one() == {"_id": 1}
                assert (await anext(changes))["documentKey"] == {"_id": 1}


@NEEDS_SECANTUSDB
async def test_secantusdb_with_users_takes_nothing_from_others(tmp_path: Path) -> None:
    """Users are made in its storage first; then commands of anybody else are refused."""
    with running(SecantusDB(storage=tmp_path)) as unguarded:
        async with _mongo(unguarded) as client:
            await client.admin.command("createUser", "reader", pwd="right", roles=["root"])
    with started(SecantusDB(storage=tmp_path, users=True)) as guarded:
        async with _mongo(guarded, username="reader", password="right") as client:
            await client["shop"]["orders"].insert_one({"_id": 1})
        async with _mongo(guarded, username="reader", password="wrong") as client:
            with pytest.raises(OperationFailure, match="authentication failed"):
                await client["shop"]["orders"].find_one()


def test_secantusdb_says_where_it_has_no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason is the message, and nothing is installed."""
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path))
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(InstallFailed, match=r"packages are for .*; this is riscv64"):
        installed(SecantusDB())


def test_an_installation_happens_once(ministack: Emulator) -> None:
    """A second call finds the stamp of the first and changes nothing."""
    folder = installed(Ministack())
    stamp = folder / ".installed"
    before = stamp.stat().st_mtime_ns
    assert installed(Ministack()) == folder
    assert stamp.stat().st_mtime_ns == before


class _Counted(Ministack):
    """Counts how often it is installed."""

    def install(self, folder: Path) -> None:
        with (folder.parent / "count").open("a") as count:
            count.write("x")
        (folder / "half done").touch()
        time.sleep(0.05)


def test_those_who_come_together_install_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everybody else waits for the first and finds it done; a half-done installation is begun anew."""
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path))
    half_done = tmp_path / "emulators" / f"ministack-0-{Ministack().revision}"
    half_done.mkdir(parents=True)
    (half_done / "rest").touch()
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: installed(_Counted(version="0")), range(4)))
    assert folders == [half_done] * 4
    assert (tmp_path / "emulators" / "count").read_text() == "x"
    assert not (half_done / "rest").exists()


def test_the_cache_can_be_named_and_falls_back_to_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HEADRACE_CACHE wins; a source checkout keeps its own .cache."""
    monkeypatch.delenv("HEADRACE_CACHE", raising=False)
    assert cache_folder().name == ".cache"
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_a_failing_installation_says_which_step_and_why(tmp_path: Path) -> None:
    """The command, its exit code, its last output and the log's place are in the message."""
    with pytest.raises(InstallFailed, match=r"(?s)exited with 3 \(log: .*install\.log\).*no such mirror"):
        step([sys.executable, "-c", "print('no such mirror'); raise SystemExit(3)"], folder=tmp_path)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """The message names what is not on the PATH."""
    with pytest.raises(InstallFailed, match="'no-such-program' is not on the PATH"):
        step(["no-such-program"], folder=tmp_path)


def test_a_machine_without_node_gets_it_from_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be installed by hand: node and npm come into the cache."""
    really = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, path=None: None if name in ("node", "npm") else really(name, path=path)
    )
    environment = node_environment()
    monkeypatch.undo()
    for program in ("node", "npm"):
        found = shutil.which(program, path=environment["PATH"])
        assert found is not None
        assert cache_folder() in Path(found).parents  # not the machine's own
        assert subprocess.run(
            [found, "--version"], env=os.environ | environment, capture_output=True, check=True
        ).stdout


class _Broken(Ministack):
    """An emulator that ends at once."""

    def install(self, folder: Path) -> None:
        (folder / "nothing").touch()

    def launch(self, folder: Path, port: int, spare_port: int, state: Path) -> Launch:
        return Launch((sys.executable, "-c", "raise SystemExit('out of luck')"), state)


def test_an_emulator_that_does_not_start_shows_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason that the emulator printed is in the message."""
    monkeypatch.setenv("HEADRACE_CACHE", str(tmp_path))
    with pytest.raises(StartFailed, match="out of luck"), started(_Broken(version="0")):
        pytest.fail("started an emulator that cannot start")


def test_an_emulator_dies_with_the_process_that_started_it(ministack: Emulator) -> None:
    """After kill -9 of its owner nothing answers on its port any more."""
    code = (
        "import sys, time\n"
        "from pollers.emulators import Ministack, started\n"
        "with started(Ministack()) as emulator:\n"
        "    print(emulator.port, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        assert _listens(port)
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while _listens(port):
        assert time.monotonic() < deadline, "the emulator outlived its owner"
        time.sleep(0.05)


def _mongo(emulator: Emulator, **options: Any) -> AsyncMongoClient[dict[str, Any]]:  # noqa: ANN401 - the client's own options
    return AsyncMongoClient("127.0.0.1", emulator.port, serverSelectionTimeoutMS=10_000, **options)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
