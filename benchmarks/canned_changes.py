"""A MongoDB server whose change stream never runs dry: every ``getMore`` brings a full reply of new change events.

``python -m benchmarks.canned_changes REPLY_EVENTS SECONDS`` answers on a free port of 127.0.0.1 until its standard input ends. A
reply has at most REPLY_EVENTS inserts, as a server of MongoDB 6 or later spells them, of the time SECONDS since the epoch. It is
made once; from reply to reply nothing changes but the resume tokens.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from datetime import UTC, datetime
from typing import Any, Final, cast

import bson
from bson.int64 import Int64
from bson.timestamp import Timestamp

from benchmarks.canned import serve
from benchmarks.orders import COLLECTION, DATABASE, document

_HEADER: Final = struct.Struct("<iiii")
"""Length, id, id of what is answered, kind of message."""
_OP_REPLY: Final = 1
_OP_QUERY: Final = 2004
_OP_MSG: Final = 2013
_NAMESPACE: Final = f"{DATABASE}.{COLLECTION}"
_CURSOR: Final = Int64(7)
_PAGE: Final = b"@@@@PAGE@@@@"
"""Stands in each token for the number of its reply, twelve digits."""


def change_event(number: int, seconds: int) -> dict[str, Any]:
    """The insert of an order."""
    order = document(number)
    return {
        "_id": {
            "_data": f"82{seconds:08X}{_PAGE.decode()}{number:08X}2B022C0100296E5A1004{'5C3A91E0' * 4}46645F696400"
        },
        "operationType": "insert",
        "clusterTime": Timestamp(seconds, number + 1),
        "wallTime": datetime.fromtimestamp(seconds, UTC).replace(microsecond=number % 1_000 * 1_000),
        "fullDocument": order,
        "ns": {"db": DATABASE, "coll": COLLECTION},
        "documentKey": {"_id": order["_id"]},
    }


class CannedServer(asyncio.Protocol):
    """One connection; the stream is one over all of them."""

    events: tuple[dict[str, Any], ...] = ()
    seconds = 0
    _replies: dict[int, bytes] = {}  # noqa: RUF012 - shared by all connections on purpose
    _page = 0

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    @classmethod
    def prepare(cls, reply_events: int, seconds: int) -> None:
        """Make the events of a reply."""
        cls.events, cls.seconds = tuple(change_event(number, seconds) for number in range(reply_events)), seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # uvloop's transports are asyncio's by behaviour only, so no isinstance.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every message that is complete."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            length, request, _, kind = _HEADER.unpack_from(self._buffer)
            if len(self._buffer) < length:
                return
            message = bytes(self._buffer[_HEADER.size : length])
            del self._buffer[:length]
            self._answer(request, kind, message)

    def _answer(self, request: int, kind: int, message: bytes) -> None:
        assert self._transport is not None
        if kind == _OP_QUERY:  # a greeting of old, which drivers still begin with
            command = message[message.index(0, 4) + 9 :]
            prefix, answers = struct.pack("<iqii", 8, 0, 0, 1), _OP_REPLY
        else:
            assert kind == _OP_MSG
            command = message[5:]
            prefix, answers = bytes(5), _OP_MSG
        (length,) = struct.unpack_from("<i", command)
        reply = self._reply(bson.decode(command[:length]))
        self._transport.write(_HEADER.pack(_HEADER.size + len(prefix) + len(reply), 0, request, answers) + prefix)
        self._transport.write(reply)

    def _reply(self, command: dict[str, Any]) -> bytes:
        match next(iter(command)):
            case "getMore":
                return self._events(command.get("batchSize", len(self.events)))
            case "aggregate":
                return self._cursor("firstBatch", [])
            case "hello" | "isMaster" | "ismaster":
                return self._encoded(_GREETING | {"localTime": datetime.now(UTC)})
            case "buildInfo":
                return self._encoded({"version": "7.0.0"})
        return self._encoded({})

    @classmethod
    def _events(cls, limit: int) -> bytes:
        count = min(limit, len(cls.events))
        cls._page += 1
        if count not in cls._replies:
            cls._replies.clear()
            cls._replies[count] = cls._cursor("nextBatch", list(cls.events[:count]))
        return cls._replies[count].replace(_PAGE, b"%012X" % cls._page)

    @classmethod
    def _cursor(cls, name: str, events: list[dict[str, Any]]) -> bytes:
        token = events[-1]["_id"] if events else {"_data": f"82{cls.seconds:08X}000000012B0429296E1404"}
        return cls._encoded({"cursor": {name: events, "postBatchResumeToken": token, "id": _CURSOR, "ns": _NAMESPACE}})

    @classmethod
    def _encoded(cls, members: dict[str, Any]) -> bytes:
        return bson.encode({**members, "ok": 1.0, "operationTime": Timestamp(cls.seconds, 1)})


_GREETING: Final = {
    "helloOk": True,
    "ismaster": True,
    "isWritablePrimary": True,
    "setName": "rs0",
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
}


if __name__ == "__main__":
    CannedServer.prepare(*map(int, sys.argv[1:]))
    serve(CannedServer)
