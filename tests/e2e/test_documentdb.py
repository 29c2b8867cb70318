"""A change stream to a function, end to end: the command, real worker processes, a server that is killed, users and TLS."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trustme
from pymongo import AsyncMongoClient

from pollers.emulators import SecantusDB
from tests.e2e.documentdb import CLUSTER, LOG_ENTRIES, READING, SECRET, USER, aws, orders, serving
from tests.e2e.harness import PATIENCE_SECONDS, Workplace, ended, terminate, until
from tests.e2e.operator import Operator
from tests.e2e.streams import by_key, checkpoints, first_acceptances
from tests.emulators import NEEDS_SECANTUSDB, NO_SECANTUSDB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.documentdb import Orders, Server

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.emulator, pytest.mark.timeout(300)]

ACCEPT = (
    READING
    + """
    def handler(event, context):
        for change in event["events"]:
            accept(change)
"""
)
SLOW = (
    READING
    + """
    def handler(event, context):
        time.sleep(0.05)
        for change in event["events"]:
            accept(change)
"""
)
POISONED = (
    READING
    + """
    def handler(event, context):
        for change in event["events"]:
            if change["event"]["documentKey"]["_id"] == "poison" and not os.path.exists(os.environ["JOURNAL"] + ".mended"):
                note(refused=True)
                raise ValueError("poison")
            accept(change)
"""
)
WHOLE = """
    def handler(event, context):
        note(event=event)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for the file. Tests have databases of their own; who kills it starts it again."""
    if NO_SECANTUSDB is not None:
        pytest.skip(f"no SecantusDB here: {NO_SECANTUSDB}")
    with serving(SecantusDB(tmp_path_factory.mktemp("secantusdb"), log_entries=LOG_ENTRIES)) as made:
        yield made


@pytest.fixture
def workplace(tmp_path: Path, server: Server) -> Workplace:
    return Workplace(tmp_path, server.emulator)


async def test_changes_run_in_order_and_are_seen_by_operators(workplace: Workplace, server: Server) -> None:
    """Each event once, in its published form; status, explain and metrics tell of it; the books balance."""
    operator = Operator()
    async with orders(server) as source:
        workplace.function(WHOLE)
        workplace.configure({"s": source.mapping(batch_size=4)}, runtime={"http": operator.http})
        await source.collection.insert_one({"_id": "a", "n": 1, "price": 1.5})
        await source.collection.update_one({"_id": "a"}, {"$set": {"n": 2}})
        await source.collection.replace_one({"_id": "a"}, {"n": 3})
        await source.collection.delete_one({"_id": "a"})
        with workplace.headrace() as process:
            await until(lambda: _events(workplace), running=process)
            await until(lambda: _kept(workplace) == _events(workplace)[-1]["_id"]["_data"], running=process)
            status = (await operator.status())["s"]
            explained = await operator.run("explain", _events(workplace)[1]["_id"]["_data"])
            metrics = _metrics(operator)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        [invocation] = workplace.notes()
        assert {name: value for name, value in invocation["event"].items() if name != "events"} == {
            "eventSourceArn": CLUSTER,
            "eventSource": "aws:docdb",
        }
        events = _events(workplace)
        assert [event["operationType"] for event in events] == ["insert", "update", "replace", "delete"]
        assert list(events[0]) == sorted(events[0])
        assert events[0]["fullDocument"] == {"_id": "a", "n": 1, "price": 1.5}
        assert events[0]["ns"] == {"db": source.database, "coll": "orders"}
        assert events[0]["clusterTime"]["$timestamp"].keys() == {"t", "i"}
        assert events[1]["updateDescription"]["updatedFields"] == {"n": 2}
        assert status["state"] == "running"
        assert "accepted" in explained.out, explained
        assert re.search(r'headrace_polled_event_count_total\{.*mapping="s".*\} 4', metrics)
        _assert_balanced(workplace, received=4)


async def test_kill_9_of_headrace_loses_nothing_and_keeps_the_order(workplace: Workplace, server: Server) -> None:
    """After the restart reading goes on right behind the checkpoint."""
    async with orders(server) as source:
        workplace.function(SLOW)
        workplace.configure({"s": source.mapping(batch_size=5)})
        pairs = [(f"k{n % 7}", n) for n in range(120)]
        for key, number in pairs:
            assert await source.change(key, number)
        with workplace.headrace() as process:
            await until(lambda: len(workplace.count()) >= 30, running=process)
            process.kill()
            await ended(process)
        await until(lambda: not workplace.workers(), what="the end of every worker")
        before = workplace.notes()
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert first_acceptances(workplace.notes()) == by_key([(key, f"{key}:{number}") for key, number in pairs])
        assert len(workplace.notes()) - len(pairs) <= 10
        assert len(before) < len(pairs)


async def test_kill_9_of_the_server_under_writers_loses_nothing(workplace: Workplace, server: Server) -> None:
    """Whatever was acknowledged runs, each document's changes in order, without a restart of Headrace."""
    async with orders(server) as source:
        workplace.function(ACCEPT)
        workplace.configure({"s": source.mapping(batch_size=20)})
        acknowledged: list[tuple[str, int]] = []
        over = anyio.Event()
        with workplace.headrace() as process:
            async with anyio.create_task_group() as writers:
                for key in ("a", "b", "c"):
                    writers.start_soon(_write_until, over, source, key, acknowledged)
                for kills in range(3):
                    await _more_of(acknowledged, 40)
                    if kills < 2:
                        server.kill()
                        server.restart()
                over.set()
            wanted = {f"{key}:{number}" for key, number in acknowledged}
            await until(lambda: wanted <= workplace.count().keys(), running=process, what="all that was acknowledged")
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        for key, found in first_acceptances(workplace.notes()).items():
            numbers = [int(one.partition(":")[2]) for one in found]
            assert numbers == sorted(numbers), key
        _assert_balanced(workplace)


async def test_a_poison_event_holds_the_stream_until_the_function_is_mended(
    workplace: Workplace, server: Server
) -> None:
    """As on Lambda: nothing behind it runs, and nothing is lost."""
    async with orders(server) as source:
        workplace.function(POISONED)
        workplace.configure({"s": source.mapping(batch_size=1)})
        with workplace.headrace() as process:
            for key in ("before", "poison", "behind"):
                await source.change(key, 1)
            await until(lambda: sum("refused" in note for note in workplace.notes()) >= 3, running=process)
            assert list(workplace.count()) == ["before:1"]
            (workplace.folder / "journal.mended").touch()
            await until(lambda: len(workplace.count()) == 3, running=process)
        assert list(workplace.count()) == ["before:1", "poison:1", "behind:1"]


async def test_a_collection_that_is_dropped_and_made_again_is_read_on(workplace: Workplace, server: Server) -> None:
    """While Headrace runs, and when it was started again in between."""
    async with orders(server) as source:
        workplace.function(ACCEPT)
        workplace.configure({"s": source.mapping()})
        kinds = ["insert", "drop", "invalidate"]
        with workplace.headrace() as process:
            for round_ in (1, 2):
                await source.change("a", round_)
                await source.collection.drop()
                await _noted(workplace, 3 * round_)
            terminate(process)
            assert await ended(process) == 0, workplace.log.read_text()
        await source.change("a", 3)
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert [note["kind"] for note in workplace.notes()] == [*kinds, *kinds, "insert"]


async def test_lost_history_stops_the_mapping_until_it_is_reset(workplace: Workplace, server: Server) -> None:
    """Loudly: with the gap in status, at each start; ``checkpoints reset`` is the way on."""
    operator = Operator()
    async with orders(server) as source:
        workplace.function(ACCEPT)
        configuration = str(workplace.configure({"s": source.mapping()}, runtime={"http": operator.http}))
        await source.change("a", 1)
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        await source.change("a", 2)
        await source.fill_the_log()
        await source.change("a", 3)
        with workplace.headrace() as process:
            await until(lambda: workplace.logged("mapping cannot run and is tried again slowly"), running=process)
            assert "has lost events" in (await operator.status())["s"]["problem"]
            terminate(process)
            assert await ended(process) == 0
        assert list(workplace.count()) == ["a:1"]
        assert (await Operator().run("checkpoints", "reset", configuration, "s", "--yes")).code == 0
        with workplace.headrace("--until-idle", "1") as process:
            assert await ended(process) == 0, workplace.log.read_text()
        assert list(workplace.count()) == ["a:1", "a:3"]


@NEEDS_SECANTUSDB
async def test_a_cluster_is_reached_as_on_aws_and_its_password_may_change(tmp_path: Path) -> None:
    """By its ARN: endpoint, secret, TLS. Connections that are made later have the new password; no log shows either."""
    old, new = "Old-pass-word-7", "New-pass-word-8"
    authority, storage, certificate = trustme.CA(), tmp_path / "storage", tmp_path / "server.pem"
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    with serving(SecantusDB(storage)) as unguarded:
        async with AsyncMongoClient[dict[str, Any]](unguarded.uri) as client:
            for name, password in ((USER, old), ("writer", "any")):
                await client.admin.command("createUser", name, pwd=password, roles=["root"])
    writer: dict[str, Any] = {
        "username": "writer",
        "password": "any",
        "tls": True,
        "tlsCAFile": str(tmp_path / "ca.pem"),
    }
    with serving(SecantusDB(storage, users=True, certificate=certificate)) as server:
        port, workplace = server.emulator.port, Workplace(tmp_path, server.emulator)
        async with (
            aws(port, old) as (services, url),
            AsyncMongoClient[dict[str, Any]]("localhost", port, **writer) as client,
        ):
            workplace.function(ACCEPT)
            watched = {"document_db_event_source_config": {"database_name": "shop"}}
            access = {"source_access_configurations": [{"type": "BASIC_AUTH", "uri": SECRET}]}
            configuration = workplace.configure(
                {"s": {"event_source_arn": CLUSTER, "starting_position": "TRIM_HORIZON", **watched, **access}},
                aws={"region": "us-east-1", "endpoint_urls": {"rds": url, "secretsmanager": url}},
            )
            environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
            checked = await Operator().run("check", "--online", str(configuration), variables=environment)
            assert checked.code == 0, checked.out
            assert "the change stream can be opened and read" in checked.out
            with workplace.headrace(environment=environment) as process:
                await client["shop"]["orders"].insert_one({"_id": "a", "n": 1})
                await until(lambda: workplace.count()["a:1"], running=process)
                await client.admin.command("updateUser", USER, pwd=new)
                services.password = new
                server.kill()
                server.restart()
                await client["shop"]["orders"].insert_one({"_id": "b", "n": 2})
                await until(lambda: workplace.count()["b:2"], running=process)
                terminate(process)
                assert await ended(process) == 0, workplace.log.read_text()
    told = workplace.log.read_text() + checked.out + checked.err
    assert old not in told
    assert new not in told


@NEEDS_SECANTUSDB
def test_the_example_runs_and_its_books_balance() -> None:
    """As a user starts it, on a server of its own."""
    command = [sys.executable, str(ROOT / "examples" / "documentdb" / "run.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "the books balance"


# -- what several tests need -----------------------------------------------------------------------------------------------


async def _write_until(over: anyio.Event, source: Orders, key: str, acknowledged: list[tuple[str, int]]) -> None:
    number = 0
    while not over.is_set():
        number += 1
        if await source.change(key, number):
            acknowledged.append((key, number))
        await anyio.sleep(0.005)


async def _more_of(acknowledged: list[tuple[str, int]], count: int) -> None:
    before = len(acknowledged)
    await until(lambda: len(acknowledged) >= before + count, what="more writes")


async def _noted(workplace: Workplace, count: int) -> None:
    await until(lambda: len(workplace.notes()) == count, what=f"{count} notes")


def _events(workplace: Workplace) -> list[dict[str, Any]]:
    """Every change event that the function was given."""
    return [one["event"] for note in workplace.notes() for one in note["event"]["events"]]


def _kept(workplace: Workplace) -> str | None:
    """The mapping's checkpoint."""
    kept = checkpoints(workplace)
    return next((one.sequence_number for one in kept.values()), None)


def _metrics(operator: Operator) -> str:
    with urllib.request.urlopen(f"{operator.url}/metrics", timeout=30) as reply:  # noqa: S310 - Headrace's own
        text: str = reply.read().decode()
    return text


def _assert_balanced(workplace: Workplace, *, received: int | None = None) -> None:
    """The last run's books: nothing is left over, and nothing was handed back."""
    ledger = workplace.logged("shutdown 7: ledger")[-1]
    assert ledger["balanced"]
    assert ledger["received"] == ledger["checkpointed"] + ledger["returned"], json.dumps(ledger)
    assert received is None or ledger["received"] == received
