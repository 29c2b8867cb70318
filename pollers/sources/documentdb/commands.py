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
_ROUTER: Final = "Mongos"
"""The driver's word for the router of a sharded cluster."""


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
    # The driver has greeted every server already.
    servers = connection.client.topology_description.server_descriptions().values()
    known = [server for server in servers if server.is_server_type_known]
    set_name = next((server.replica_set_name for server in known if server.replica_set_name), None)
    if any(server.server_type_name == _ROUTER for server in known):
        set_name = "a sharded cluster"
    product = "DocumentDB" if connection.place.amazon else "MongoDB"
    wire_version = max((server.max_wire_version for server in known), default=0)
    return ServerFacts(str(build.get("version", "")), wire_version, set_name, product)


async def server_time(connection: Connection) -> float:
    """The server's own clock, in seconds since the epoch."""
    # The older name of ``hello``, which every server knows.
    return float(int((await reply(connection, "admin", {"isMaster": 1}))["localTime"])) / 1000


async def oldest_entry(connection: Connection) -> OperationTime | None:
    """The time of the first entry of MongoDB's log."""
    command = {"find": "oplog.rs", "sort": {"$natural": 1}, "limit": 1, "singleBatch": True, "projection": {"ts": 1}}
    found = (await reply(connection, "local", command))["cursor"]["firstBatch"]
    return (found[0]["ts"].time, found[0]["ts"].inc) if found else None


async def listed_streams(connection: Connection) -> list[tuple[str, str]]:
    """What change streams are enabled for, as DocumentDB lists it: databases with collections, an empty name for every one."""
    command = {"aggregate": 1, "pipeline": [{"$listChangeStreams": 1}], "cursor": {"batchSize": LISTED_AT_ONCE}}
    listed = (await reply(connection, "admin", command))["cursor"]["firstBatch"]
    return [(str(one.get("database") or ""), str(one.get("collection") or "")) for one in listed]
