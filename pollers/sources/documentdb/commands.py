"""The commands that are sent to a server, beside those that read its change stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

from pollers.sources.documentdb.api import ServerFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.asynchronous.client_session import AsyncClientSession

    from pollers.sources.documentdb.api import OperationTime
    from pollers.sources.documentdb.connecting import Connection

_RAW: Final = CodecOptions(document_class=RawBSONDocument)
_DECODED: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)
LISTED_AT_ONCE: Final = 10_000
"""More than a cluster has collections with change streams enabled one by one."""
_ROUTER: Final = "isdbgrid"
"""What the router of a sharded cluster greets with."""


async def raw_reply(
    connection: Connection, database: str, command: Mapping[str, Any], session: AsyncClientSession
) -> bytes:
    """The bytes of a successful reply. Raises what the driver raises."""
    client = connection.client
    reply: RawBSONDocument = await client[database].command(
        dict(command), read_preference=client.read_preference, codec_options=_RAW, session=session
    )
    return bytes(reply.raw)


async def reply(connection: Connection, database: str, command: Mapping[str, Any]) -> dict[str, Any]:
    """A successful reply. Raises what the driver raises."""
    client = connection.client
    return await client[database].command(dict(command), read_preference=client.read_preference, codec_options=_DECODED)


async def server_facts(connection: Connection) -> ServerFacts:
    """What the server says of itself."""
    build = await reply(connection, "admin", {"buildInfo": 1})
    # It is asked, though the driver has greeted it, too: in the middle of a failover the driver knows nothing of any server.
    greeting = await greeted(connection)
    set_name = greeting.get("setName") or ("a sharded cluster" if greeting.get("msg") == _ROUTER else None)
    product = "DocumentDB" if connection.place.amazon else "MongoDB"
    return ServerFacts(str(build.get("version", "")), int(greeting.get("maxWireVersion", 0)), set_name, product)


async def greeted(connection: Connection) -> dict[str, Any]:
    """What the server answers to a greeting."""
    # The older name of ``hello``, which every server knows.
    return await reply(connection, "admin", {"isMaster": 1})


async def server_time(connection: Connection) -> float:
    """The server's own clock, in seconds since the epoch."""
    return float(int((await greeted(connection))["localTime"])) / 1000


async def oldest_entry(connection: Connection) -> OperationTime | None:
    """The time of the first entry of MongoDB's log."""
    command = {"find": "oplog.rs", "sort": {"$natural": 1}, "limit": 1, "singleBatch": True, "projection": {"ts": 1}}
    found = (await reply(connection, "local", command))["cursor"]["firstBatch"]
    return (found[0]["ts"].time, found[0]["ts"].inc) if found else None


async def has_collection(connection: Connection, database: str, collection: str | None) -> bool:
    """Whether a collection is there now; ``collection`` None: any of the database."""
    named = {} if collection is None else {"name": collection}
    command = {"listCollections": 1, "filter": named, "nameOnly": True, "authorizedCollections": True}
    return bool((await reply(connection, database, command))["cursor"]["firstBatch"])


async def listed_streams(connection: Connection) -> list[tuple[str, str]]:
    """What change streams are enabled for, as DocumentDB lists it: databases with collections, an empty name for every one."""
    command = {"aggregate": 1, "pipeline": [{"$listChangeStreams": 1}], "cursor": {"batchSize": LISTED_AT_ONCE}}
    listed = (await reply(connection, "admin", command))["cursor"]["firstBatch"]
    return [(str(one.get("database") or ""), str(one.get("collection") or "")) for one in listed]
