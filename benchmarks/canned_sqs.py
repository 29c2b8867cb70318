"""An SQS endpoint whose queue never runs dry: every receive brings ten new messages at once, every delete succeeds.

``python -m benchmarks.canned_sqs`` prints its port and answers until its standard input ends. It holds no messages, so
what a client spends on them is all that there is to measure.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from typing import Any, cast

import orjson

BODY = orjson.dumps({"type": "created", "order": "x" * 975}).decode()
"""1,000 characters, as text inside the reply's JSON."""
_ACCOUNT = "000000000000"
_TARGET = b"x-amz-target:"
_LENGTH = b"content-length:"


def _message(number: str) -> dict[str, Any]:
    return {
        "MessageId": f"00000000-0000-4000-8000-{number}",
        "ReceiptHandle": f"AQEB{'h' * 200}{number}",
        "MD5OfBody": hashlib.md5(BODY.encode(), usedforsecurity=False).hexdigest(),
        "Body": BODY,
        "Attributes": {
            "SenderId": _ACCOUNT,
            "SentTimestamp": "1760000000000",
            "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": "1760000000100",
        },
    }


class CannedSqs(asyncio.Protocol):
    """One keep-alive connection; requests come with a Content-Length, one after the other."""

    _parts = orjson.dumps(_message("@NUMBER@")).split(b"@NUMBER@")
    _next = 0

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # uvloop's transports are asyncio's by behaviour only, so no isinstance.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        assert self._transport is not None
        self._buffer += data
        while (head_end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:head_end]).lower()
            start = head_end + 4
            end = start + int(_header(head, _LENGTH) or b"0")
            if len(self._buffer) < end:
                return
            reply = self._answer(_header(head, _TARGET), bytes(self._buffer[start:end]))
            del self._buffer[:end]
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: 0\r\n"
                b"Date: Thu, 09 Oct 2025 08:53:20 GMT\r\nContent-Length: %d\r\n\r\n%b" % (len(reply), reply)
            )

    def _answer(self, target: bytes, body: bytes) -> bytes:
        operation = target.partition(b".")[2]
        if operation == b"receivemessage":
            return self._receive()
        if operation in (b"deletemessagebatch", b"changemessagevisibilitybatch"):
            entries = orjson.loads(body)["Entries"]
            return orjson.dumps({"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []})
        if operation == b"getqueueurl":
            return orjson.dumps({"QueueUrl": f"http://127.0.0.1/{_ACCOUNT}/{orjson.loads(body)['QueueName']}"})
        if operation == b"getqueueattributes":
            return b'{"Attributes":{"VisibilityTimeout":"60","ApproximateNumberOfMessages":"1000000"}}'
        return b"{}"

    @classmethod
    def _receive(cls) -> bytes:
        messages = []
        for _ in range(10):
            cls._next += 1
            messages.append((b"%012d" % cls._next).join(cls._parts))
        return b'{"Messages":[' + b",".join(messages) + b"]}"


def _header(head: bytes, name: bytes) -> bytes:
    at = head.find(b"\r\n" + name)
    if at < 0:
        return b""
    start = at + 2 + len(name)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


async def main() -> None:
    """Serve on a free port of 127.0.0.1 until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(CannedSqs, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
