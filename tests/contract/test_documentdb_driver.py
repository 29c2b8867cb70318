"""The client of change streams against a server that speaks MongoDB's protocol: faults, users, TLS, and what errors say."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import struct
import time
import traceback
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import bson
import pytest
import trustme
from pymongo import AsyncMongoClient

from config import parse_arn
from pollers.aws.errors import AccessDenied, AwsError, IteratorExpired, Refused, Trimmed, Unavailable
from pollers.emulators import SecantusDB
from pollers.sources.documentdb.api import NOW, Opening
from pollers.sources.documentdb.client import ChangeStreamClient, Namespace
from pollers.sources.documentdb.clusters import Cluster
from pollers.sources.documentdb.connecting import Access, Connector
from pollers.sources.documentdb.secret import User
from tests.emulators import NEEDS_SECANTUSDB, running, unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from config import Arn
    from pollers.emulators import Emulator

pytestmark = pytest.mark.emulator

ARN = parse_arn("arn:aws:rds:us-east-1:000000000000:cluster:shop")
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-AbCdEf"
PASSWORD = "Marker-pass-word-7"
WAIT = 0.3
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013


@dataclass(frozen=True)
class Guarded:
    """A server that wants TLS and a user. ``authorities``: who has signed its certificate."""

    server: Emulator
    authorities: Path

    def uri(self, options: str, user: str = "") -> str:
        """Where it is."""
        return f"mongodb://{user}127.0.0.1:{self.server.port}/?{options}"


class Secret:
    """Secrets Manager with one secret. ``reads`` counts how often it was asked."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.reads = 0

    async def user(self, secret_arn: str) -> User:
        self.reads += 1
        return User("reader", self.password)


@asynccontextmanager
async def client_of(
    uri: str,
    database: str = "shop",
    *,
    collection: str | None = "orders",
    secret: Secret | None = None,
    environ: Mapping[str, str] | None = None,
    full_document: str = "Default",
) -> AsyncIterator[ChangeStreamClient]:
    """A client of the change stream of one namespace."""
    access = Access(arn=ARN, secret_arn=SECRET if secret else None, connection_uri=uri)
    connector = Connector(access, None, secret, environ or {})
    client = ChangeStreamClient(Namespace(database, collection, full_document), connector)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def writer_of(uri: str, **options: Any) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:  # noqa: ANN401 - the driver's
    """A stock client, as an application has it."""
    async with AsyncMongoClient(uri, **options) as client:
        yield client


def uri_of(emulator: Emulator) -> str:
    """Where it is."""
    return f"mongodb://127.0.0.1:{emulator.port}/"


@pytest.fixture
def database() -> str:
    """A database of this test's own."""
    return unique("shop").replace("-", "_")


def decoded(events: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - whatever sequence the client gives
    """Change events as dictionaries."""
    return [bson.decode(event) for event in events]


async def drained(client: ChangeStreamClient, cursor: object, count: int, limit: int = 100) -> list[dict[str, Any]]:
    """The next ``count`` events."""
    events: list[dict[str, Any]] = []
    with anyio.fail_after(10):
        while len(events) < count:
            events += decoded((await client.next(cursor, limit, WAIT)).events)
    return events


@asynccontextmanager
async def failing(writer: AsyncMongoClient[dict[str, Any]], times: int, **data: Any) -> AsyncIterator[None]:  # noqa: ANN401
    """The next commands fail as ``data`` says."""
    await writer.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)
    try:
        yield
    finally:
        await writer.admin.command("configureFailPoint", "failCommand", mode="off")


async def test_events_come_as_the_server_sent_them_and_in_pages(secantusdb: Emulator, database: str) -> None:
    """Not more than asked for; each is the BSON of one event; the token behind the last one continues there."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        opened = await client.open(NOW)
        assert opened.token is not None
        assert opened.operation_time is not None
        await writer[database].orders.insert_many([{"n": number, "text": "é" * 50} for number in range(5)])
        first = await client.next(opened.cursor, 3, WAIT)
        assert [event["fullDocument"]["n"] for event in decoded(first.events)] == [0, 1, 2]
        assert first.size_bytes > sum(map(len, first.events))
        assert first.decode_seconds >= 0
        again = await client.open(Opening(resume_after=first.token))
        for cursor in (opened.cursor, again.cursor):
            assert [event["fullDocument"]["n"] for event in await drained(client, cursor, 2)] == [3, 4]
        assert client.service_clock.at_least(time.monotonic()) is not None


async def test_an_idle_stream_gives_a_token_that_moves_on(secantusdb: Emulator, database: str) -> None:
    """Writes of others move it, so a checkpoint of a quiet stream stays in the log."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        opened = await client.open(NOW)
        await writer[database].others.insert_one({"n": 1})
        with anyio.fail_after(10):
            while (changes := await client.next(opened.cursor, 10, 0.05)).token == opened.token:
                assert not changes.events
        assert changes.token is not None


async def test_a_whole_database_is_one_stream(secantusdb: Emulator, database: str) -> None:
    """In the order of the writes; documents are looked up where the mapping says so."""
    uri = uri_of(secantusdb)
    async with (
        client_of(uri, database, collection=None, full_document="UpdateLookup") as client,
        writer_of(uri) as writer,
    ):
        opened = await client.open(NOW)
        await writer[database].one.insert_one({"_id": 1})
        await writer[database].two.insert_one({"_id": 2})
        await writer[database].one.update_one({"_id": 1}, {"$set": {"x": 1}})
        events = await drained(client, opened.cursor, 3)
        assert [event["ns"]["coll"] for event in events] == ["one", "two", "one"]
        assert events[2]["fullDocument"] == {"_id": 1, "x": 1}


async def test_a_dropped_collection_ends_its_stream(secantusdb: Emulator, database: str) -> None:
    """The invalidate event comes, then the cursor is the server's no more."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        await writer[database].orders.insert_one({"_id": 1})
        opened = await client.open(NOW)
        await writer[database].orders.drop()
        kinds: list[str] = []
        with anyio.fail_after(10):
            while not (changes := await client.next(opened.cursor, 10, WAIT)).ended:
                kinds += [event["operationType"] for event in decoded(changes.events)]
        kinds += [event["operationType"] for event in decoded(changes.events)]
        assert kinds == ["drop", "invalidate"]
        await client.close_cursor(opened.cursor)


async def test_a_wait_that_is_cut_loses_nothing(secantusdb: Emulator, database: str) -> None:
    """The cursor is dead from then on, whatever the reply has become; from the last token on everything comes."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        opened = await client.open(NOW)
        token, number = opened.token, 0
        seen: list[int] = []
        for cut_seconds in (0.0, 0.001, 0.003, 0.01, 0.03):
            with anyio.move_on_after(cut_seconds):
                await client.next(opened.cursor, 10, WAIT)
            await writer[database].orders.insert_one({"n": number})
            number += 1
            with pytest.raises(IteratorExpired):
                await client.next(opened.cursor, 10, WAIT)
            opened = await client.open(Opening(resume_after=token))
            while len(seen) < number:
                changes = await client.next(opened.cursor, 10, WAIT)
                seen += [event["fullDocument"]["n"] for event in decoded(changes.events)]
                token = changes.token
        assert seen == list(range(number))


@pytest.mark.filterwarnings("error")
async def test_calls_that_are_cut_at_any_moment_leave_no_connection_open(secantusdb: Emulator, database: str) -> None:
    """Also while the first connections are being made."""
    for cut_seconds in (0.0, 0.002, 0.004, 0.008, 0.016):
        async with client_of(uri_of(secantusdb), database) as client:
            with anyio.move_on_after(cut_seconds):
                opened = await client.open(NOW)
                await client.next(opened.cursor, 1, WAIT)
    gc.collect()


async def test_a_call_that_is_cut_leaves_no_cursor_on_the_server(secantusdb: Emulator, database: str) -> None:
    """Nobody would ever read it."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        await client.server()
        before = await open_cursors(writer)
        data = {"failCommands": ["aggregate"], "blockConnection": True, "blockTimeMS": 200}
        async with failing(writer, 1, **data):
            with anyio.move_on_after(0.05):
                await client.open(NOW)
        await at_rest(client)
        assert await open_cursors(writer) == before
        opened = await client.open(NOW)
        assert await open_cursors(writer) == before + 1
        with anyio.move_on_after(0.05):
            await client.next(opened.cursor, 10, WAIT)
        await at_rest(client)
        assert await open_cursors(writer) == before


async def at_rest(client: ChangeStreamClient) -> None:
    """Until no call goes on that was cut."""
    with anyio.fail_after(10):
        while client._asking._calls._running:
            await anyio.sleep(0.02)


async def unreachable(client: ChangeStreamClient, pattern: str) -> str:
    """What is said of a server that cannot be reached, as soon as that is what ``pattern`` says.

    On a busy machine the driver may not have tried before the little time is over that these tests give it.
    """
    with anyio.fail_after(20):
        while True:
            with pytest.raises(Unavailable) as failed:
                await client.open(NOW)
            if re.search(pattern, str(failed.value)):
                return str(failed.value)


async def open_cursors(writer: AsyncMongoClient[dict[str, Any]]) -> int:
    """How many cursors the server keeps."""
    status = await writer.admin.command("serverStatus")
    return int(status["metrics"]["cursor"]["open"]["total"])


@pytest.mark.parametrize("code", [43, 91, 262, 9001, 10107, 11602])
async def test_after_a_failover_the_stream_goes_on(secantusdb: Emulator, database: str, code: int) -> None:
    """Whichever word the server has for it, the stream is opened again where it was."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        opened = await client.open(NOW)
        await writer[database].orders.insert_one({"n": 1})
        async with failing(writer, 1, failCommands=["getMore"], errorCode=code):
            with pytest.raises((Unavailable, IteratorExpired)) as failed:
                await client.next(opened.cursor, 10, WAIT)
        assert failed.value.code == str(code)
        with pytest.raises(IteratorExpired):
            await client.next(opened.cursor, 10, WAIT)
        again = await client.open(Opening(resume_after=opened.token))
        assert [event["fullDocument"]["n"] for event in await drained(client, again.cursor, 1)] == [1]


async def test_a_connection_that_is_closed_is_a_passing_failure(secantusdb: Emulator, database: str) -> None:
    """Without any code."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        opened = await client.open(NOW)
        async with failing(writer, 1, failCommands=["getMore"], closeConnection=True):
            with pytest.raises(Unavailable):
                await client.next(opened.cursor, 10, WAIT)
        await client.open(Opening(resume_after=opened.token))


@pytest.mark.parametrize(
    ("code", "kind"), [(136, Trimmed), (280, Trimmed), (286, Trimmed), (13, AccessDenied), (260, Refused), (9, Refused)]
)
async def test_what_waiting_does_not_cure_has_another_class(
    secantusdb: Emulator, database: str, code: int, kind: type[AwsError]
) -> None:
    """With the server's code and words."""
    async with client_of(uri_of(secantusdb), database) as client, writer_of(uri_of(secantusdb)) as writer:
        await client.server()
        async with failing(writer, 1, failCommands=["aggregate"], errorCode=code):
            with pytest.raises(kind) as failed:
                await client.open(NOW)
    assert failed.value.code == str(code)
    assert "full error" not in str(failed.value)


async def test_the_server_says_what_it_is_and_where_its_log_begins(secantusdb: Emulator) -> None:
    """A replica set has a name; MongoDB's log can be read."""
    async with client_of(uri_of(secantusdb)) as client:
        facts = await client.server()
        assert (facts.product, bool(facts.set_name), facts.wire_version >= 9) == ("MongoDB", True, True)
        oldest = await client.oldest()
        assert oldest is not None
        assert 0 < oldest[0] <= time.time()


@pytest.mark.parametrize("code", [13, 20, 26])
async def test_a_user_who_may_not_read_the_log_does_not_learn_where_it_begins(secantusdb: Emulator, code: int) -> None:
    """Reading a change stream takes no such right."""
    async with client_of(uri_of(secantusdb)) as client, writer_of(uri_of(secantusdb)) as writer:
        await client.server()
        async with failing(writer, 1, failCommands=["find"], errorCode=code):
            assert await client.oldest() is None


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server with TLS and one user, whose password tests may change."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = trustme.CA()
    chain = folder / "server.pem"
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(chain)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    storage = folder / "storage"
    storage.mkdir()
    with running(SecantusDB(storage=storage)) as unguarded:
        anyio.run(make_user, uri_of(unguarded))
    with running(SecantusDB(storage=storage, users=True, certificate=chain)) as server:
        yield Guarded(server, folder / "ca.pem")


async def make_user(uri: str) -> None:
    """The user that the mapping reads as, and one that may change it."""
    async with writer_of(uri) as writer:
        for name in ("reader", "keeper"):
            await writer.admin.command("createUser", name, pwd=PASSWORD, roles=["root"])


@NEEDS_SECANTUSDB
async def test_a_user_of_a_secret_reads_over_tls(guarded: Guarded, database: str) -> None:
    """By the file of authorities that SSL_CERT_FILE names, or that the URI names itself."""
    environ = {"SSL_CERT_FILE": str(guarded.authorities)}
    for uri, given in (
        (guarded.uri("tls=true"), environ),
        (guarded.uri(f"tls=true&tlsCAFile={guarded.authorities}"), {}),
    ):
        async with client_of(uri, database, secret=Secret(PASSWORD), environ=given) as client:
            opened = await client.open(NOW)
            assert (await client.next(opened.cursor, 1, 0.01)).events == []


class Described:
    """RDS with one cluster, whose status can be changed. ``asked`` counts how often it was described."""

    def __init__(self, port: int) -> None:
        self.cluster_now = Cluster("available", "docdb", "5.0.0", "127.0.0.1", port, None)
        self.asked = 0

    async def cluster(self, arn: Arn) -> Cluster:
        self.asked += 1
        return self.cluster_now

    async def log_retention_seconds(self, parameter_group: str) -> float | None:
        return None


@NEEDS_SECANTUSDB
async def test_a_cluster_is_reached_as_on_aws(guarded: Guarded, database: str) -> None:
    """By its ARN and its secret, over TLS; while it is stopped that is said, and it is described again each time."""
    clusters, environ = Described(guarded.server.port), {"AWS_CA_BUNDLE": str(guarded.authorities)}
    available = clusters.cluster_now
    connector = Connector(Access(arn=ARN, secret_arn=SECRET, connection_uri=None), clusters, Secret(PASSWORD), environ)
    client = ChangeStreamClient(Namespace(database, "orders", "Default"), connector)
    try:
        clusters.cluster_now = replace(available, status="stopped")
        with pytest.raises(Unavailable, match=rf"the cluster {ARN} is stopped: start it"):
            await client.open(NOW)
        clusters.cluster_now = available
        opened = await client.open(NOW)
        await client.next(opened.cursor, 1, 0.01)
        assert clusters.asked == 2
        assert (await client.server()).product == "DocumentDB"
    finally:
        await client.aclose()


@NEEDS_SECANTUSDB
async def test_a_user_of_the_uri_wins_over_the_secrets(guarded: Guarded) -> None:
    """The secret is not even asked for."""
    secret = Secret("wrong")
    uri = guarded.uri(f"tls=true&tlsCAFile={guarded.authorities}", f"reader:{PASSWORD}@")
    async with client_of(uri, secret=secret) as client:
        await client.open(NOW)
    assert secret.reads == 0


@NEEDS_SECANTUSDB
async def test_a_rotated_password_is_read_again_before_giving_up(guarded: Guarded, database: str) -> None:
    """Once, and again at each later refusal; the stream goes on behind the last token."""
    uri = guarded.uri(f"tls=true&tlsCAFile={guarded.authorities}")
    secret = Secret("of-yesterday")
    async with client_of(uri, database, secret=secret) as client:
        with pytest.raises(AccessDenied) as refused:
            await client.open(NOW)
        assert (refused.value.code, secret.reads) == ("18", 2)
        with pytest.raises(AccessDenied):
            await client.open(NOW)
        assert secret.reads == 3
        secret.password = PASSWORD
        opened = await client.open(NOW)
        assert secret.reads == 4
        await client.next(opened.cursor, 1, 0.01)


@NEEDS_SECANTUSDB
async def test_an_authority_that_is_not_trusted_is_told_with_what_to_do(guarded: Guarded) -> None:
    """The file that was used, and where Amazon's authorities are."""
    other = guarded.authorities.with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(other)
    uri = guarded.uri("tls=true&serverSelectionTimeoutMS=300")
    async with client_of(uri, secret=Secret(PASSWORD), environ={"SSL_CERT_FILE": str(other)}) as client:
        said = await unreachable(client, r"not of an authority that is trusted.*SSL_CERT_FILE=.*other\.pem")
    assert str(guarded.server.port) in said
    assert "amazon-rds-ca.pem" in said


@NEEDS_SECANTUSDB
async def test_a_server_with_tls_that_is_spoken_to_without(guarded: Guarded) -> None:
    """It closes the connection, which says nothing by itself."""
    async with client_of(guarded.uri("serverSelectionTimeoutMS=300"), secret=Secret(PASSWORD)) as client:
        await unreachable(client, r"closed the connection: .*tls=true in connection_uri")


async def test_a_server_without_tls_that_is_spoken_to_with_it(secantusdb: Emulator) -> None:
    """The other way round."""
    uri = f"{uri_of(secantusdb)}?tls=true&connectTimeoutMS=200&serverSelectionTimeoutMS=600"
    async with client_of(uri) as client:
        await unreachable(client, "does not speak TLS")


async def test_an_option_that_the_driver_does_not_know_is_refused(secantusdb: Emulator) -> None:
    """The driver itself would go on without it."""
    async with client_of(f"{uri_of(secantusdb)}?readPreferrence=secondary") as client:
        with pytest.raises(Refused, match=r"(?i)unknown option.*readpreference"):
            await client.open(NOW)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_of_authorities_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    """The variable that names it is told."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    async with client_of("mongodb://127.0.0.1:1/?tls=true", environ={"SSL_CERT_FILE": str(file)}) as client:
        with pytest.raises(Refused, match=r"certificates of SSL_CERT_FILE=.*ca\.pem cannot be read"):
            await client.open(NOW)


async def test_a_server_that_is_not_there(unused_tcp_port: int) -> None:
    """Host, port, and what keeps a cluster from being reached; it is looked up again at the next call."""
    uri = f"mongodb://127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=200"
    async with client_of(uri) as client:
        for _ in range(2):
            await unreachable(
                client, rf"127\.0\.0\.1:{unused_tcp_port} cannot be reached .*call failed.*check host and port"
            )


@NEEDS_SECANTUSDB
async def test_no_error_and_no_log_line_has_a_password(
    guarded: Guarded, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong: with the URI, the user, the place or TLS. Not even what an error was raised from has it."""
    caplog.set_level(logging.DEBUG)
    trusting = f"tls=true&tlsCAFile={guarded.authorities}"
    user = f"reader:{PASSWORD}"
    uris = [
        guarded.uri(trusting, f"{user}x@"),
        guarded.uri("serverSelectionTimeoutMS=200", f"{user}@"),
        guarded.uri(f"{trusting}&authMechanism={PASSWORD}", f"{user}@"),
        guarded.uri(f"{trusting}&authMechanismProperties={PASSWORD}", f"{user}@"),
        guarded.uri(f"{trusting}&tlsCertificateKeyFile=/none&tlsCertificateKeyFilePassword={PASSWORD}"),
        f"mongodb://{user}@127.0.0.1:{unused_tcp_port}/?serverSelectionTimeoutMS=200",
        f"mongodb://{user}@127.0.0.1:notaport/",
        f"mongodb://{user}@/shop",
        f"mongodb://{user}/with@slash@127.0.0.1:1/",
        f"mongodb://{user}?x@127.0.0.1:1/",
        f"mongodb://{user}%zz@127.0.0.1:1/?serverSelectionTimeoutMS=200",
        f"http://{user}@127.0.0.1/",
        f"mongodb+srv://{user}@127.0.0.1/",
        f"mongodb://[{PASSWORD}@127.0.0.1/",
    ]
    for uri in uris:
        async with client_of(uri) as client:
            with pytest.raises(AwsError) as failed:
                await client.open(NOW)
            assert PASSWORD not in "".join(traceback.format_exception(failed.value)), uri
            assert PASSWORD not in repr(client._asking._connection._current), uri
    secret = Secret(f"{PASSWORD}x")
    async with client_of(guarded.uri(trusting), secret=secret) as client:
        with pytest.raises(AccessDenied) as failed:
            await client.open(NOW)
        assert PASSWORD not in "".join(traceback.format_exception(failed.value))
    assert PASSWORD not in caplog.text


@asynccontextmanager
async def old_server() -> AsyncIterator[int]:
    """A server that greets as DocumentDB 4.0 does, with wire version 7, and does nothing else; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length, number, _, code = struct.unpack("<iiii", await reader.readexactly(16))
                await reader.readexactly(length - 16)
                greeting = {"ismaster": True, "setName": "rs0", "hosts": ["127.0.0.1:1"], "secondary": False, "ok": 1.0}
                body = bson.encode(
                    {**greeting, "minWireVersion": 0, "maxWireVersion": 7, "maxBsonObjectSize": 16777216}
                )
                # The driver greets by OP_QUERY first, which OP_REPLY answers, and by OP_MSG later.
                reply = b"\0" * 16 + struct.pack("<i", 1) if code == OP_QUERY else b"\0" * 5
                kind = OP_REPLY if code == OP_QUERY else OP_MSG
                writer.write(struct.pack("<iiii", 16 + len(reply) + len(body), 1, number, kind) + reply + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_server_that_is_too_old_for_the_driver_says_which_one_to_install() -> None:
    """The newest driver cannot talk to DocumentDB 4.0; the oldest that the extra admits can."""
    async with old_server() as port, client_of(f"mongodb://127.0.0.1:{port}/?directConnection=true") as client:
        with pytest.raises(Refused, match=r"wire version 7.*pip install \"pymongo>=4\.13,<4\.14\"") as failed:
            await client.open(NOW)
    assert f"127.0.0.1:{port}" in str(failed.value)
