"""A canned AWS endpoint in a process of its own, so that what a client spends is all that there is to measure."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TARGET = b"x-amz-target:"
_LENGTH = b"content-length:"


class CannedEndpoint(asyncio.Protocol):
    """One keep-alive connection to a JSON service; requests come with a Content-Length, one after the other."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def answer(self, operation: str, request: dict[str, Any]) -> bytes:
        """The body of the reply to one call."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # uvloop's transports are asyncio's by behaviour only, so no isinstance.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        assert self._transport is not None
        self._buffer += data
        while (head_end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:head_end])
            start = head_end + 4
            end = start + int(_header(head, _LENGTH) or b"0")
            if len(self._buffer) < end:
                return
            operation = _header(head, _TARGET).rpartition(b".")[2].decode()
            reply = self.answer(operation, orjson.loads(self._buffer[start:end]))
            del self._buffer[:end]
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: 0\r\n"
                b"Date: Thu, 09 Oct 2025 08:53:20 GMT\r\nContent-Length: %d\r\n\r\n" % len(reply)
            )
            self._transport.write(reply)


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n" + name)
    if at < 0:
        return b""
    start = at + 2 + len(name)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


def serve(protocol: Callable[[], asyncio.Protocol]) -> None:
    """Serve on a free port of 127.0.0.1, which is printed, until standard input ends."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocol, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        server.close()

    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())


@contextmanager
def served(module: str, *arguments: str) -> Iterator[str]:
    """The URL of ``module``, served by a process of its own."""
    process = Popen([sys.executable, "-m", module, *arguments], stdin=PIPE, stdout=PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
