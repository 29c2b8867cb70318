"""A custom runtime that streams what an event tells it to, and readers of what it streams."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio

from handlers.errors import ReaderGone
from handlers.function import Call
from tests.e2e.functions import provided_function

if TYPE_CHECKING:
    from pathlib import Path

    from handlers.function import Invocation
    from handlers.workers import WorkerFunction

BOOTSTRAP = f"""\
#!{sys.executable}
import base64, json, os, socket, sys, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
line = socket.create_connection((host, int(port)))
base = "/2018-06-01/runtime/invocation"

def answer():
    held = b""
    while b"\\r\\n\\r\\n" not in held:
        held += line.recv(65536)
    head, _, body = held.partition(b"\\r\\n\\r\\n")
    headers = dict(one.split(": ", 1) for one in head.decode().split("\\r\\n")[1:])
    while len(body) < int(headers["Content-Length"]):
        body += line.recv(65536)
    return head.split()[1].decode(), headers, body

def chunk(data):
    line.sendall(b"%x\\r\\n%s\\r\\n" % (len(data), data))

print("ready", os.getpid(), flush=True)
while True:
    line.sendall(f"GET {{base}}/next HTTP/1.1\\r\\n\\r\\n".encode())
    _, headers, event = answer()
    steps = json.loads(event)
    if isinstance(steps, str):
        body = json.dumps([steps, headers.get("Lambda-Runtime-Client-Context"), os.getpid()]).encode()
        path = f"{{base}}/{{headers['Lambda-Runtime-Aws-Request-Id']}}/response"
        line.sendall(f"POST {{path}} HTTP/1.1\\r\\nContent-Length: {{len(body)}}\\r\\n\\r\\n".encode() + body)
        answer()
        continue
    path = f"{{base}}/{{headers['Lambda-Runtime-Aws-Request-Id']}}/response"
    line.sendall(f"POST {{path}} HTTP/1.1\\r\\nContent-Type: text/x-steps\\r\\n"
                 "Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n".encode())
    trailers = ""
    for name, argument in steps:
        if name == "write":
            chunk(argument.encode())
        elif name == "flood":
            for _ in range(argument):
                chunk(b"x" * 1048576)
                print("flooded", flush=True)
        elif name == "await":
            while not os.path.exists(argument):
                time.sleep(0.01)
        elif name == "error":
            trailers = "Lambda-Runtime-Function-Error-Type: Function.Broke\\r\\n"
            trailers += f"Lambda-Runtime-Function-Error-Body: {{base64.b64encode(argument.encode()).decode()}}\\r\\n"
        elif name == "exit":
            os._exit(argument)
        elif name == "drop":
            line.close()
            time.sleep(600)
        elif name == "hang":
            time.sleep(600)
    line.sendall(f"0\\r\\n{{trailers}}\\r\\n".encode())
    print("answered", answer()[0], flush=True)
"""


def streaming_function(folder: Path, **settings: Any) -> WorkerFunction:  # noqa: ANN401 - a model's own
    """A function that runs it, with one worker."""
    return provided_function(folder / "code", BOOTSTRAP, **{"concurrency": 1, **settings})


class Reader:
    """A stream that keeps what it gets. ``patience``: how many pieces it takes before it is :class:`ReaderGone`."""

    def __init__(self, patience: int | None = None) -> None:
        self.content_type: str | None = None
        self.got = b""
        self.pieces = 0
        self.free = anyio.Event()
        self.free.set()
        self._patience = patience

    def begin(self, content_type: str) -> None:
        """See ``ResponseStream``."""
        assert self.content_type is None
        self.content_type = content_type

    async def write(self, chunk: bytes) -> None:
        """See ``ResponseStream``. It waits while ``free`` is not set."""
        assert self.content_type is not None
        assert chunk
        if self._patience is not None and self.pieces >= self._patience:
            raise ReaderGone("gone")
        self.pieces += 1
        await self.free.wait()
        self.got += chunk


async def stream(
    function: WorkerFunction, reader: Reader | None, event: object, request_id: str = "r-1", context: str | None = None
) -> Invocation:
    """Invoke it once."""
    call = Call(client_context=context, stream=reader)
    return await function.invoke(json.dumps(event).encode(), request_id=request_id, call=call)
