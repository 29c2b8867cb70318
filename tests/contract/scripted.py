"""A service that answers what a test has written down, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import orjson

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

DROP = b""
"""In place of a reply: close the connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, decoded."""
        decoded: dict[str, Any] = orjson.loads(self.body)
        return decoded


def reply(body: bytes | dict[str, Any], status: int = 200, **headers: str) -> bytes:
    """A whole reply; underscores in header names stand for dashes."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Reason\r\nContent-Length: {len(content)}\r\n{lines}\r\n".encode() + content


def refusal(code: str, message: str = "", status: int = 400, **headers: str) -> bytes:
    """An error reply of a JSON service."""
    return reply({"__type": f"com.amazonaws#{code}", "message": message}, status, **headers)


def event(payload: bytes | dict[str, Any], **headers: str) -> bytes:
    """One message of AWS's event stream encoding: prelude, headers, payload, each guarded by a CRC."""
    content = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    named = {":" + name.replace("_", "-"): value for name, value in headers.items()}
    encoded = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in named.items()
    )
    prelude = struct.pack("!II", 16 + len(encoded) + len(content), len(encoded))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + encoded + content
    return message + struct.pack("!I", zlib.crc32(message))


def chunked(*messages: bytes, end: bool = True) -> bytes:
    """An event stream's reply, each message in a chunk of its own; without ``end`` the connection closes under it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(message), message) for message in messages)
    return head + body + (b"0\r\n\r\n" if end else b"")


@dataclass(slots=True)
class ScriptedService:
    """Answers ``script`` in order, then ``{}`` to everything; nothing while ``silent``."""

    port: int = 0
    tls: bool = False
    script: deque[bytes] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    silent: bool = False

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"{'https://localhost' if self.tls else 'http://127.0.0.1'}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
                }
                if headers.get("expect") == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append(Request(head[0], headers, body))
                if self.silent:
                    continue
                answer = self.script.popleft() if self.script else reply({})
                writer.write(answer)
                await writer.drain()
                if answer == DROP or not _whole(answer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.closed += 1
            writer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``; the bound is for a machine that does many other things."""
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.005)


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"


@asynccontextmanager
async def scripted_service(tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedService]:
    """A scripted service on a free port of 127.0.0.1."""
    service = ScriptedService(tls=tls is not None)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0, ssl=tls)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
