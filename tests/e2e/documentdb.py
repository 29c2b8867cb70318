"""A server of change streams for end-to-end tests, which can be killed, and what test functions say of change events."""

from __future__ import annotations

import contextlib
import json
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from pollers.emulators import SecantusDB, started
from tests.emulators import running, unique

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pymongo.asynchronous.collection import AsyncCollection

CLUSTER = "arn:aws:rds:us-east-1:000000000000:cluster:shop"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-AbCdEf"
USER = "reader"
RETENTION = (
    "<Parameters><Parameter><ParameterName>change_stream_log_retention_duration</ParameterName>"
    "<ParameterValue>10800</ParameterValue></Parameter></Parameters>"
)
LOG_ENTRIES = 2_000
"""What the server's log keeps, at least: few, so that a test can see the end of them."""

READING = """
    def accept(change, **more):
        event = change["event"]
        document = event.get("fullDocument") or event.get("updateDescription", {}).get("updatedFields", {})
        key = event.get("documentKey", {}).get("_id")
        note(id=f"{key}:{document.get('n')}", key=key, kind=event["operationType"], token=event["_id"]["_data"], **more)
"""
"""Put before a function's source: ``accept(change)`` notes a change of a document that has a number ``n``."""


class Server:
    """SecantusDB on storage of its own: what it has acknowledged outlives :meth:`kill`."""

    def __init__(self, recipe: SecantusDB) -> None:
        assert recipe.storage is not None
        self._recipe = recipe
        self._life = contextlib.ExitStack()
        self.emulator = self._life.enter_context(running(recipe))

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"mongodb://127.0.0.1:{self.emulator.port}/"

    def kill(self) -> None:
        """SIGKILL."""
        self.emulator.kill()
        self._life.close()

    def restart(self) -> None:
        """At the same port, on what it had."""
        self.emulator = self._life.enter_context(started(self._recipe, port=self.emulator.port))


@contextmanager
def serving(recipe: SecantusDB) -> Iterator[Server]:
    """A running server."""
    server = Server(recipe)
    try:
        yield server
    finally:
        server.kill()


class Orders:
    """A collection of a database that no other test uses."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], server: Server) -> None:
        self.client = client
        self.database = unique("shop")
        self._server = server

    @property
    def collection(self) -> AsyncCollection[dict[str, Any]]:
        """The collection."""
        return self.client[self.database]["orders"]

    def mapping(self, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
        """A mapping that reads it from the beginning of the log, with these settings."""
        return {
            "event_source_arn": CLUSTER,
            "starting_position": "TRIM_HORIZON",
            "document_db_event_source_config": {"database_name": self.database, "collection_name": "orders"},
            "connection_uri": self._server.uri,
            **settings,
        }

    async def change(self, key: str, number: int) -> bool:
        """Set a document's number; whether the server has acknowledged it."""
        try:
            await self.collection.update_one({"_id": key}, {"$set": {"n": number}}, upsert=True)
        except PyMongoError:
            return False
        return True

    async def fill_the_log(self) -> None:
        """Write so much elsewhere that nothing of what was before is in the log."""
        newest = (await self.client.admin.command("hello"))["operationTime"]
        oldest = None
        while oldest is None or oldest["ts"] <= newest:
            await self.client["filler"]["documents"].insert_many([{} for _ in range(LOG_ENTRIES // 2)])
            oldest = await self.client["local"]["oplog.rs"].find_one(sort=[("$natural", 1)])


@asynccontextmanager
async def orders(server: Server) -> AsyncIterator[Orders]:
    """A new collection, which does not exist before its first document."""
    async with AsyncMongoClient[dict[str, Any]](
        server.uri, serverSelectionTimeoutMS=20_000, retryWrites=False
    ) as client:
        yield Orders(client, server)


class Aws:
    """RDS and Secrets Manager, as far as a cluster is looked up there: one cluster, at a port of localhost, and one secret."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self.password = password

    async def answer(self, request: web.Request) -> web.Response:
        """One call."""
        if request.headers.get("X-Amz-Target") == "secretsmanager.GetSecretValue":
            secret = json.dumps({"username": USER, "password": self.password})
            body = {"ARN": SECRET, "Name": "shop", "SecretString": secret}
            return web.Response(body=json.dumps(body).encode(), content_type="application/x-amz-json-1.1")
        action = (await request.post()).get("Action")
        if not isinstance(action, str):
            return web.Response(status=404)  # such as a look at its clock
        result = self._cluster() if action == "DescribeDBClusters" else RETENTION
        reply = f"<{action}Response xmlns='http://rds.amazonaws.com/doc/2014-10-31/'><{action}Result>{result}</{action}Result></{action}Response>"
        return web.Response(text=reply, content_type="text/xml")

    def _cluster(self) -> str:
        return (
            "<DBClusters><DBCluster>"
            f"<DBClusterArn>{CLUSTER}</DBClusterArn><Status>available</Status><Engine>docdb</Engine>"
            f"<EngineVersion>5.0.0</EngineVersion><Endpoint>localhost</Endpoint><Port>{self.port}</Port>"
            "<DBClusterParameterGroup>shop</DBClusterParameterGroup></DBCluster></DBClusters>"
        )


@asynccontextmanager
async def aws(port: int, password: str) -> AsyncIterator[tuple[Aws, str]]:
    """A running one, and where it is."""
    services = Aws(port, password)
    application = web.Application()
    application.router.add_route("*", "/", services.answer)
    async with TestServer(application) as server:
        yield services, str(server.make_url("/"))
