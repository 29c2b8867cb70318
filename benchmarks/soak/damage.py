"""What a broken middlebox makes of replies (decider). It damages, and does not forge: no reply is turned into another that is
whole and well formed but says something else, since nobody could tell.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

_RUBBISH: Final = (
    b"",
    b"[]",
    b"null",
    b'"busy"',
    b'{"message":',
    b"<html><body>502 Bad Gateway</body></html>",
    b"\xff\xfe\x00",
    b"[" * 5000,
    b'{"__type": 7, "message": [1]}',
)
_WRONG: Final = (None, 7, "x", True)


@dataclass(frozen=True, slots=True)
class Reply:
    """A status line with its body, and the headers that matter."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/x-amz-json-1.1"),)

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} Reply", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def bad_gateway(random: Random) -> Reply:
    """A 502 with a body that is not what an error of AWS looks like."""
    body = random.choice(_RUBBISH)
    if random.random() < 0.2:
        return Reply(502, gzip.compress(body), (("content-encoding", "gzip"),))
    return Reply(502, body)


def mutated(reply: Reply, random: Random) -> Reply:
    """A 200 that lacks something, or has something of another type; any other reply stays as it is."""
    if reply.status != 200:
        return reply
    return replace(reply, body=_mutated_body(reply.body, random))


def _mutated_body(body: bytes, random: Random) -> bytes:
    drawn = random.random()
    if drawn < 0.15:
        return b""
    if drawn < 0.3:
        return b"{}"
    if drawn < 0.4:
        return random.choice(_RUBBISH)
    if drawn < 0.55:
        return body[: len(body) // 2]
    try:
        value = json.loads(body)
    except ValueError:
        return b"{}"
    if not isinstance(value, dict) or not value:
        return b"[]"
    member = random.choice(sorted(value))
    if drawn < 0.8:
        del value[member]
    else:
        value[member] = random.choice(_WRONG)
    return json.dumps(value).encode()


def truncated(reply: Reply, random: Random) -> bytes:
    """A reply that breaks off somewhere, in its head or in its body; the connection is closed after it."""
    whole = reply.encoded()
    return whole[: random.randrange(len(whole))]


def without_length(reply: Reply, random: Random) -> bytes:
    """A 200 whose length is not told, and which ends where the connection does: perhaps too soon."""
    head = f"HTTP/1.1 {reply.status} Reply\r\ncontent-type: application/x-amz-json-1.1\r\n\r\n".encode()
    return head + reply.body[: random.randrange(len(reply.body) + 1)]
