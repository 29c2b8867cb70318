"""One mapping's change stream, read by plain commands of the driver.

The driver's own ``watch()`` is not used: a wait of it that is cut ends the stream without a word, it hides the token of an empty
reply, and it gives events one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from time import thread_time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import bson
from bson.errors import BSONError
from bson.int64 import Int64
from bson.timestamp import Timestamp

from pollers.aws.errors import AccessDenied, AwsError, IteratorExpired, NotFound, Refused
from pollers.aws.wire.replies import invalid
from pollers.clocks.clock import loop_time
from pollers.clocks.service import ServiceClock
from pollers.sources.documentdb import commands
from pollers.sources.documentdb.api import Changes, Opened
from pollers.sources.documentdb.asking import Asking
from pollers.sources.documentdb.batches import read_batch
from pollers.sources.documentdb.errors import AUTHENTICATION_FAILED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pymongo.asynchronous.client_session import AsyncClientSession

    from pollers.sources.documentdb.api import Cursor, Opening, OperationTime, ResumeToken, ServerFacts
    from pollers.sources.documentdb.batches import Batch
    from pollers.sources.documentdb.connecting import Connection, Connector

T = TypeVar("T")

CLOSE_SECONDS: Final = 2
_AGGREGATE: Final = "aggregate"
_GET_MORE: Final = "getMore"
_STAGES: Final = {"Default": None, "UpdateLookup": "updateLookup"}


@dataclass(frozen=True, slots=True)
class Namespace:
    """What is watched: a collection, or a whole database (None). ``full_document`` is Lambda's word."""

    database: str
    collection: str | None
    full_document: str


@dataclass(slots=True)
class OpenStream:
    """A cursor on the server. Only its connection and its session may read it, and only while every call has been answered."""

    connection: Connection
    session: AsyncClientSession
    cursor_id: int
    collection: str
    token: ResumeToken | None
    first: list[bytes] = field(default_factory=list)
    """Events that came when the stream was opened, although none were asked for; ``token`` is behind them."""
    alive: bool = True


class ChangeStreamClient:
    """Implements :class:`pollers.sources.documentdb.api.ChangeStreamApi` on pymongo."""

    def __init__(self, namespace: Namespace, connector: Connector) -> None:
        self.service_clock = ServiceClock()
        self._namespace = namespace
        self._connector = connector
        self._asking = Asking(connector)

    async def server(self) -> ServerFacts:
        """See :class:`pollers.sources.documentdb.api.ChangeStreamApi`."""
        return await self._asking.ask("hello", commands.server_facts)

    async def ask(self, operation: str, call: Callable[[Connection], Awaitable[T]]) -> T:
        """What another command gives, on the same connection. Raises AwsError."""
        return await self._asking.ask(operation, call)

    async def open(self, opening: Opening) -> Opened:
        """See :class:`pollers.sources.documentdb.api.ChangeStreamApi`."""
        stream, batch = await self._asking.ask(_AGGREGATE, partial(self._open, opening), self._left_open)
        self._note(batch.operation_time)
        return Opened(stream, None if stream.first else stream.token, batch.operation_time)

    async def next(self, cursor: Cursor, limit: int, wait_seconds: float) -> Changes:
        """See :class:`pollers.sources.documentdb.api.ChangeStreamApi`."""
        stream = _alive(cursor)
        if stream.first:
            events, stream.first = stream.first[:limit], stream.first[limit:]
            return Changes(
                events, None if stream.first else stream.token, ended=not stream.first and not stream.cursor_id
            )
        if not stream.cursor_id:
            return Changes([], None, ended=True)
        data = await self._get_more(stream, limit, wait_seconds)
        begun = thread_time()
        batch = read_batch(data, _GET_MORE)
        token = _token(batch, _GET_MORE)
        seconds = thread_time() - begun
        self._note(batch.operation_time)
        stream.cursor_id, stream.alive = batch.cursor_id, True
        return Changes(batch.events, token, not batch.cursor_id, len(data), seconds)

    async def close_cursor(self, cursor: Cursor) -> None:
        """See :class:`pollers.sources.documentdb.api.ChangeStreamApi`."""
        if isinstance(cursor, OpenStream) and cursor.alive:
            cursor.alive = False
            with anyio.move_on_after(CLOSE_SECONDS):
                await self._kill(cursor)

    async def oldest(self) -> OperationTime | None:
        """See :class:`pollers.sources.documentdb.api.ChangeStreamApi`.

        MongoDB's log can be read, where the user may. DocumentDB's cannot: it keeps what is younger than its retention, which RDS
        tells.
        """
        facts = await self.server()
        if facts.product != "DocumentDB":
            return await self._oldest_entry()
        retention = await self._connector.log_retention_seconds()
        if retention is None:
            return None
        now = await self._asking.ask("hello", commands.server_time)
        return max(int(now - retention), 1), 1

    async def aclose(self) -> None:
        """See :class:`pollers.sources.documentdb.api.ChangeStreamApi`."""
        await self._asking.aclose()

    async def _oldest_entry(self) -> OperationTime | None:
        try:
            return await self._asking.ask("find", commands.oldest_entry)
        except (AccessDenied, NotFound, Refused) as error:
            # Reading a change stream takes no right to read the log itself, and a router of a sharded cluster has none.
            if error.code in AUTHENTICATION_FAILED:
                raise
            return None

    async def _open(self, opening: Opening, connection: Connection) -> tuple[OpenStream, Batch]:
        # A cursor belongs to the session that it was made in. One of the driver's own would end with the call.
        session = connection.client.start_session(causal_consistency=False)
        try:
            data = await commands.raw_reply(connection, self._namespace.database, self._aggregate(opening), session)
            batch = read_batch(data, _AGGREGATE)
            token = _token(batch, _AGGREGATE)
        except BaseException:
            await session.end_session()
            raise
        collection = batch.namespace.partition(".")[2]
        return OpenStream(connection, session, batch.cursor_id, collection, token, batch.events), batch

    async def _get_more(self, stream: OpenStream, limit: int, wait_seconds: float) -> bytes:
        command = {
            "getMore": Int64(stream.cursor_id),
            "collection": stream.collection,
            "batchSize": limit,
            "maxTimeMS": max(round(wait_seconds * 1000), 1),
        }

        async def get(connection: Connection) -> bytes:
            try:
                return await commands.raw_reply(connection, self._namespace.database, command, stream.session)
            except BaseException:
                # Nobody asks on this cursor again, and a session that is not ended stays on the server for half an hour.
                await stream.session.end_session()
                raise

        async def left(_: bytes) -> None:
            await self._kill(stream)

        # Until a reply is here nobody knows how far the server has gone: what cuts or fails this call leaves the cursor dead.
        stream.alive = False
        try:
            return await self._asking.ask_on(stream.connection, _GET_MORE, get, left)
        except AccessDenied as error:
            if error.code in AUTHENTICATION_FAILED:
                # Opening it again tells whether the user is refused: by now the secret has been read again.
                raise IteratorExpired(error.code, error.message, operation=_GET_MORE) from error
            raise

    async def _left_open(self, opened: tuple[OpenStream, Batch]) -> None:
        await self._kill(opened[0])

    async def _kill(self, stream: OpenStream) -> None:
        """Free the cursor on the server. If that fails, the server does it by itself, after ten minutes."""
        command = {"killCursors": stream.collection, "cursors": [Int64(stream.cursor_id)]}

        async def kill(connection: Connection) -> None:
            try:
                if stream.cursor_id:
                    await commands.raw_reply(connection, self._namespace.database, command, stream.session)
            finally:
                await stream.session.end_session()

        try:
            await self._asking.ask_on(stream.connection, "killCursors", kill)
        except AwsError:
            return

    def _aggregate(self, opening: Opening) -> dict[str, Any]:
        stage: dict[str, Any] = {}
        if (full_document := _STAGES[self._namespace.full_document]) is not None:
            stage["fullDocument"] = full_document
        if opening.resume_after is not None:
            stage["resumeAfter"] = opening.resume_after
        if opening.start_after is not None:
            stage["startAfter"] = opening.start_after
        if opening.at_operation_time is not None:
            stage["startAtOperationTime"] = Timestamp(*opening.at_operation_time)
        watched = 1 if self._namespace.collection is None else self._namespace.collection
        return {"aggregate": watched, "pipeline": [{"$changeStream": stage}], "cursor": {"batchSize": 0}}

    def _note(self, operation_time: OperationTime | None) -> None:
        """No operation happens after now: the server's clock shows at least this."""
        if operation_time is not None:
            self.service_clock.read_arrival(float(operation_time[0]), loop_time())


def _alive(cursor: Cursor) -> OpenStream:
    if isinstance(cursor, OpenStream) and cursor.alive:
        return cursor
    raise IteratorExpired("CursorLeft", "a call on this change stream was cut short or failed", operation=_GET_MORE)


def _token(batch: Batch, operation: str) -> ResumeToken | None:
    if batch.token is None:
        return None
    try:
        return bson.decode(batch.token)
    except BSONError as error:
        raise invalid(f"the resume token is no BSON: {error}", operation) from error
