"""The client of a change stream on a scripted server: what no server that runs here shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import bson
import pytest
from bson import DatetimeMS, Int64, Timestamp
from bson.raw_bson import RawBSONDocument
from dns.resolver import NoNameservers
from pymongo.errors import ConfigurationError, OperationFailure

from pollers.aws.errors import IteratorExpired, Refused, Unavailable
from pollers.sources.documentdb.api import NOW, Opening, ServerFacts
from pollers.sources.documentdb.client import ChangeStreamClient, Namespace
from pollers.sources.documentdb.connecting import Connection, Connector, place_of_uri
from pollers.sources.documentdb.greetings import Greetings

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

HOST = "shop.cluster-c.us-east-1.docdb.amazonaws.com"
ONE, TWO, THREE = ({"_id": {"_data": number}} for number in ("01", "02", "03"))


@dataclass
class Server:
    """Answers commands with what is scripted, one after another, and keeps them. Stands for the driver's client and database."""

    answers: list[dict[str, Any]]
    commands: list[dict[str, Any]] = field(default_factory=list)
    sessions_ended: int = 0
    connected: int = 0
    failure: Exception | None = None
    read_preference: None = None

    def __getitem__(self, database: str) -> Server:
        return self

    def start_session(self, *, causal_consistency: bool) -> Server:
        # Else each command would ask for what DocumentDB does not know, a read concern behind an operation time.
        assert not causal_consistency
        return self

    async def end_session(self) -> None:
        self.sessions_ended += 1

    async def command(
        self,
        command: dict[str, Any],
        *,
        codec_options: bson.CodecOptions[Any],
        session: object = None,
        **_: object,
    ) -> Any:  # noqa: ANN401 - any BSON
        self.commands.append(command)
        if self.failure is not None:
            raise self.failure
        answer = bson.encode({"ok": 1.0, **self.answers.pop(0)})
        if codec_options.document_class is RawBSONDocument:
            return RawBSONDocument(answer)
        return bson.decode(answer, codec_options)

    async def close(self) -> None:
        """Nothing to close."""


class Scripted:
    """A connector to the scripted server. ``retention`` is what RDS says."""

    def __init__(self, server: Server, host: str, retention: float | None) -> None:
        self._server = server
        self._place = place_of_uri(f"mongodb://{host}/", {}, secret=False)
        self._retention = retention

    async def connect(self) -> Connection:
        self._server.connected += 1
        client = cast("AsyncMongoClient[dict[str, Any]]", self._server)
        return Connection(client, Greetings(), self._place, None, None)

    async def log_retention_seconds(self) -> float | None:
        return self._retention


def client_of(
    *answers: dict[str, Any], collection: str | None = "orders", host: str = HOST, retention: float | None = None
) -> tuple[ChangeStreamClient, Server]:
    """A client, and its server."""
    server = Server(list(answers))
    connector = cast("Connector", Scripted(server, host, retention))
    return ChangeStreamClient(Namespace("shop", collection, "UpdateLookup"), connector), server


def opened(cursor_id: int = 9, first: tuple[dict[str, Any], ...] = (), **cursor: Any) -> dict[str, Any]:  # noqa: ANN401
    """A reply of aggregate."""
    return {"cursor": {"firstBatch": list(first), "id": Int64(cursor_id), "ns": "shop.orders", **cursor}}


def more(*events: dict[str, Any], cursor_id: int = 9, **cursor: Any) -> dict[str, Any]:  # noqa: ANN401
    """A reply of getMore."""
    return {"cursor": {"nextBatch": list(events), "id": Int64(cursor_id), "ns": "shop.orders", **cursor}}


def ids(events: Any) -> list[str]:  # noqa: ANN401 - a sequence
    """The tokens of events."""
    return [bson.decode(event)["_id"]["_data"] for event in events]


@pytest.mark.parametrize(
    ("opening", "stage"),
    [
        (NOW, {}),
        (Opening(resume_after={"_data": "01"}), {"resumeAfter": {"_data": "01"}}),
        (Opening(start_after={"_data": b"\x01"}), {"startAfter": {"_data": b"\x01"}}),
        (Opening(at_operation_time=(5, 6)), {"startAtOperationTime": Timestamp(5, 6)}),
    ],
)
@pytest.mark.parametrize(("collection", "watched"), [("orders", "orders"), (None, 1)])
async def test_a_stream_is_opened_where_it_should_with_nothing_read(
    opening: Opening, stage: dict[str, Any], collection: str | None, watched: str | int
) -> None:
    """A whole database is watched by the number 1."""
    client, server = client_of(opened(), collection=collection)
    await client.open(opening)
    pipeline = [{"$changeStream": {"fullDocument": "updateLookup", **stage}}]
    assert server.commands == [{"aggregate": watched, "pipeline": pipeline, "cursor": {"batchSize": 0}}]


async def test_a_server_without_tokens_for_idle_streams_gives_its_operation_time() -> None:
    """DocumentDB 4.0, and 5.0 before March 2025."""
    client, _ = client_of(opened() | {"operationTime": Timestamp(1796055767, 3)}, more())
    stream = await client.open(NOW)
    assert (stream.token, stream.operation_time) == (None, (1796055767, 3))
    assert (await client.next(stream.cursor, 10, 1.0)).token is None


async def test_events_that_come_although_none_were_asked_for_are_not_lost() -> None:
    """The token stands behind them, so it is told with the last one."""
    reply = opened(first=(ONE, TWO, THREE), postBatchResumeToken={"_data": "03"})
    client, server = client_of(reply, more())
    stream = await client.open(NOW)
    assert stream.token is None
    pages = [await client.next(stream.cursor, 2, 1.0) for _ in range(3)]
    assert [(ids(page.events), page.token, page.ended) for page in pages] == [
        (["01", "02"], None, False),
        (["03"], {"_data": "03"}, False),
        ([], None, False),
    ]
    assert server.commands[1] == {"getMore": 9, "collection": "orders", "batchSize": 2, "maxTimeMS": 1000}


async def test_a_stream_that_ends_when_it_is_opened_is_not_asked_again() -> None:
    """Its cursor is the server's no more."""
    client, server = client_of(opened(0, first=(ONE,)))
    stream = await client.open(NOW)
    assert (await client.next(stream.cursor, 10, 1.0)).ended
    assert (await client.next(stream.cursor, 10, 1.0)).ended
    assert len(server.commands) == 1


async def test_a_reply_that_is_not_what_it_should_be_leaves_the_stream_dead() -> None:
    """What was in it is read again from the last token on."""
    client, _ = client_of(opened(), {"cursor": {"nextBatch": 7}})
    stream = await client.open(NOW)
    with pytest.raises(Unavailable):
        await client.next(stream.cursor, 10, 1.0)
    with pytest.raises(IteratorExpired):
        await client.next(stream.cursor, 10, 1.0)


async def test_a_closed_stream_is_freed_on_the_server_once() -> None:
    """With its session."""
    client, server = client_of(opened(), {})
    stream = await client.open(NOW)
    await client.close_cursor(stream.cursor)
    await client.close_cursor(stream.cursor)
    assert server.commands[1:] == [{"killCursors": "orders", "cursors": [9]}]
    assert server.sessions_ended == 1
    await client.aclose()


async def test_a_name_that_dns_does_not_tell_now_is_a_passing_failure() -> None:
    """That of mongodb+srv, which the driver looks up itself. It says that with the error of a wrong setting. The next call looks it
    up anew."""
    client, server = client_of(opened())
    server.failure = ConfigurationError("All nameservers failed to answer the query _mongodb._tcp.shop. IN SRV")
    server.failure.__cause__ = NoNameservers()  # type: ignore[no-untyped-call]
    with pytest.raises(Unavailable, match="its name is not known here"):
        await client.open(NOW)
    server.failure = None
    await client.open(NOW)
    assert server.connected == 2
    await client.aclose()


async def test_a_setting_that_the_driver_refuses_does_not_pass() -> None:
    """Though it has the same error."""
    client, server = client_of()
    server.failure = ConfigurationError("it is wrong")
    with pytest.raises(Refused, match="it is wrong"):
        await client.open(NOW)
    await client.aclose()


@pytest.mark.parametrize("operation", ["next", "close_cursor"])
async def test_the_session_of_a_call_that_fails_is_ended(operation: str) -> None:
    """Else one is left behind for each time that the stream is opened anew; servers keep them for half an hour."""
    client, server = client_of(opened())
    stream = await client.open(NOW)
    server.failure = OperationFailure("gone", 43, {"ok": 0, "code": 43, "errmsg": "gone"})
    if operation == "next":
        with pytest.raises(IteratorExpired):
            await client.next(stream.cursor, 10, 1.0)
    await client.close_cursor(stream.cursor)
    assert server.sessions_ended == 1
    await client.aclose()


@pytest.mark.parametrize(
    ("greeting", "set_name"),
    [({"setName": "rs0"}, "rs0"), ({"msg": "isdbgrid"}, "a sharded cluster"), ({}, None)],
)
async def test_a_server_says_itself_whether_it_has_change_streams(
    greeting: dict[str, Any], set_name: str | None
) -> None:
    """In the middle of a failover the driver knows of no server what it is: that would be no replica set, and end the mapping."""
    client, _ = client_of({"version": "5.0.0"}, {"maxWireVersion": 13, **greeting})
    assert await client.server() == ServerFacts("5.0.0", 13, set_name, "DocumentDB")


async def test_documentdbs_log_reaches_back_as_far_as_its_retention() -> None:
    """By the server's own clock; it has no log that could be read."""
    build, greeting = {"version": "5.0.0"}, {"localTime": DatetimeMS(1796055767_500)}
    client, server = client_of(build, greeting, greeting, retention=10_800.0)
    assert await client.oldest() == (1796055767 - 10_800, 1)
    assert [next(iter(command)) for command in server.commands] == ["buildInfo", "isMaster", "isMaster"]


async def test_a_retention_that_rds_does_not_tell_is_not_known() -> None:
    """Whoever asks finds out otherwise."""
    client, _ = client_of({"version": "5.0.0"}, {})
    assert await client.oldest() is None


@pytest.mark.parametrize(("entries", "oldest"), [([{"ts": Timestamp(7, 8)}], (7, 8)), ([], None)])
async def test_mongodbs_log_says_where_it_begins(entries: list[dict[str, Any]], oldest: tuple[int, int] | None) -> None:
    """By its first entry."""
    client, _ = client_of({"version": "8.0.0"}, {}, {"cursor": {"firstBatch": entries}}, host="localhost")
    assert await client.oldest() == oldest
