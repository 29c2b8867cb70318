"""Server-sent events: first each mapping's last fifteen minutes, then the newest snapshot each second. None is queued."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from pollers.server.guard import HEADERS, problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

READERS_AT_MOST = 16
PERIOD_SECONDS = 1.0
SLOW_SECONDS = 10.0
"""A reader that does not read an event within this time is disconnected; it may connect again."""


class EventStream:
    """Each reader holds at most one event that is being written to it, so a slow one costs bounded memory.

    ``history`` gives one object a mapping, for ``event: series``; ``snapshot`` one object, for ``event: snapshot``.
    """

    def __init__(self, history: Callable[[], Iterable[object]], snapshot: Callable[[], Awaitable[object]]) -> None:
        self._history = history
        self._snapshot = snapshot
        self._closing = asyncio.Event()
        self._encoded: tuple[float, bytes] = (-1.0, b"")
        self._encoding = asyncio.Lock()
        self.readers = 0

    def close(self) -> None:
        """End the answer to every reader."""
        self._closing.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Write until the reader leaves, is too slow, or the server closes."""
        if self.readers >= READERS_AT_MOST:
            return problem(503, "too many readers of the event stream", {"Retry-After": "5"})
        self.readers += 1
        try:
            return await self._write(request)
        finally:
            self.readers -= 1

    async def _write(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                **HEADERS,
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # proxies should pass events on as they come
            }
        )
        await response.prepare(request)
        try:
            for series in self._history():
                await _send(response, b"event: series\ndata: " + orjson.dumps(series) + b"\n\n")
                await asyncio.sleep(0)
            while not self._closing.is_set():
                await _send(response, b"event: snapshot\ndata: " + await self._newest() + b"\n\n")
                await self._pause()
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(PERIOD_SECONDS):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _newest(self) -> bytes:
        """One snapshot a period, shared by all readers."""
        async with self._encoding:
            now = asyncio.get_running_loop().time()
            # Half a period: readers wake at different moments, and none should see a snapshot that is a period old.
            if now - self._encoded[0] >= PERIOD_SECONDS / 2:
                self._encoded = (now, orjson.dumps(await self._snapshot()))
            return self._encoded[1]


async def _send(response: web.StreamResponse, event: bytes) -> None:
    async with asyncio.timeout(SLOW_SECONDS):
        await response.write(event)
