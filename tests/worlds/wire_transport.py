"""Between a client and a service in memory: replies as bytes of HTTP, perhaps mutated, read and judged by what reads real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from handlers.http1 import Malformed
from pollers.aws.errors import AwsError, Unavailable
from pollers.aws.wire.direct import answer
from pollers.aws.wire.http1_reply import ReplyReader
from tests.worlds.wire_mutations import HTML, WHOLE, Mutation, mutated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

STATUSES = (500, 500, 502, 503, 504, 429, 302, 204, 206, 400, 403, 404)
"""Of replies that no service has sent: none of them ends a poller."""
NUMBERS = ("number", "fraction")


class Transport:
    """Delivers replies, of which ``rate`` are mutated while it is not ``calm``."""

    def __init__(self, random: Random, rate: float, calm: Callable[[], bool]) -> None:
        self.random = random
        self._rate = rate
        self._calm = calm
        self.mutated = 0
        self.log: list[tuple[str, bytes]] = []

    async def exchange(self, operation: str, serve: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
        """Have the service act, and bring its reply. Raises AwsError."""
        try:
            status, value = 200, await serve()
        except AwsError as error:
            if not error.status and error.code.startswith("Connection"):
                raise  # no reply at all
            status = error.status or (500 if isinstance(error, Unavailable) else 400)
            value = {"__type": f"com.amazonaws#{error.code}", "message": error.message}
        body = json.dumps(value, separators=(",", ":")).encode()
        sent = self._sent(operation, status, body)
        if sent != _framed(status, body):
            self.log.append((operation, sent))
        return self._received(sent, operation)

    def due(self) -> bool:
        """Whether the next reply is to be mutated."""
        if self._calm() or self.random.random() >= self._rate:
            return False
        self.mutated += 1
        return True

    def body(self, operation: str, body: bytes) -> bytes:
        """A mutated body, of which it can be told that it is one."""
        for _ in range(20):
            mutation = mutated(body, self.random)
            if tellable(operation, mutation):
                return mutation.body
        return b""

    def _sent(self, operation: str, status: int, body: bytes) -> bytes:
        """The bytes of the reply, as they arrive before the connection ends or is used again."""
        if not self.due():
            return _framed(status, body)
        random = self.random
        match random.randrange(6):
            case 0:
                whole = _framed(status, body)
                return whole[: random.randrange(len(whole))]
            case 1:  # of unknown length: whole, or cut short
                return b"HTTP/1.1 %d OK\r\n\r\n%b" % (status, body[: random.choice((None, len(body) // 2, 0))])
            case 2:
                garbage = random.choice([HTML, *(one for one in WHOLE.values() if len(one) < 10_000)])
                return _framed(random.choice(STATUSES), garbage)
            case _:
                return _framed(status, self.body(operation, body))

    @staticmethod
    def _received(data: bytes, operation: str) -> bytes:
        reader = ReplyReader()
        try:
            reply = (reader.feed(data) if data else None) or reader.end()
        except Malformed as error:
            raise Unavailable("ConnectionLost", str(error), operation=operation) from error
        if reply is None:
            raise Unavailable("ConnectionLost", "the connection ended before the reply did", operation=operation)
        return answer(reply, operation)


def tellable(operation: str, mutation: Mutation) -> bool:
    """Whether a reply shows that it was mutated, or means no harm. Not so what could just as well have been sent:

    another number for a number, a record without its partition key, a shard without its parents, and content that is empty. These
    are for the integrity of the connection (TLS).
    """
    path, name = mutation.path, mutation.name
    if path is None:
        return True
    if name in NUMBERS:
        return path[-1] in ("MillisBehindLatest",) or isinstance(path[-1], int)
    if "dynamodb" in path[:-1] and len(path) > 4:
        return False  # within an item
    if path[-1] in ("PartitionKey", "ParentShardId", "AdjacentParentShardId"):
        return not mutation.drops
    return name != "repeated" or path[-1] in ("Records", "Messages", "Shards", "Successful", "Failed", "dynamodb")


def _framed(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Reason\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
