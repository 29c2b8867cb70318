"""The server, within the bounds of :mod:`pollers.listening`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from pollers.listening import Bounded, Connections, Listening, Reserve, url_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable

log = structlog.stdlib.get_logger(__name__)

CONNECTIONS_AT_MOST = 128
KEEPALIVE_SECONDS = 30.0
GOODBYE_SECONDS = 0.1
"""How long answers may still be sent when the process stops. Short, because an open console listens without end."""
HEAD_LIMIT_BYTES = 8_190

CONNECTIONS = web.AppKey("connections", Connections)


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve ``app``, which was made with :data:`CONNECTIONS`, until left; gives the URL.

    Raises OSError when the address is not available.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_line_size=HEAD_LIMIT_BYTES,
        max_field_size=HEAD_LIMIT_BYTES,
        shutdown_timeout=GOODBYE_SECONDS,
    )
    await runner.setup()
    inner: Callable[[], asyncio.Protocol] | None = runner.server
    assert inner is not None  # noqa: S101 - set up above
    connections = app[CONNECTIONS]
    reserve = Reserve()
    connections.ended = reserve.refill
    listening = Listening(lambda: Bounded(inner(), connections), reserve)
    try:
        url = url_of(*await listening.start(host, port))
        log.info("console, health and metrics", url=url)
        yield url
    finally:
        listening.close()
        reserve.close()
        await runner.cleanup()
