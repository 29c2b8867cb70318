"""Where one worker reaches its Runtime API: a port of its own on the loopback address."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING

import anyio

from handlers.function import RESPONSE_LIMIT_BYTES
from handlers.runtime_api import Connection

if TYPE_CHECKING:
    from handlers.runtime_api import RuntimeApi

_HOST = "127.0.0.1"


class Endpoint:
    """A listening socket and the connections to it."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    async def open(self) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.get_running_loop().create_server(self._connect, _HOST, 0)

    @property
    def address(self) -> str:
        """``host:port``, as ``AWS_LAMBDA_RUNTIME_API`` has it. Raises OSError if it could not listen after all."""
        sockets = self._server.sockets if self._server is not None else ()
        if not sockets:  # out of descriptors: uvloop then makes a server without a socket instead of raising
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return f"{_HOST}:{sockets[0].getsockname()[1]}"

    async def left(self, seconds: float) -> None:
        """Wait until its clients have left and all that they have sent is read, but no longer than so many seconds."""
        with anyio.move_on_after(seconds):
            for connection in list(self._connections):
                await connection.gone.wait()

    def close(self) -> None:
        """Listen no more and cut every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()

    def _connect(self) -> Connection:
        return Connection(self._api, RESPONSE_LIMIT_BYTES, self._connections)
