"""The tests' own client: a reply that is dropped after its status was looked at leaves nothing behind."""

from __future__ import annotations

import aiohttp
import anyio
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.whole_replies import whole


async def test_a_reply_whose_body_comes_late_gives_its_connection_back() -> None:
    """On a busy machine any body may come after its headers."""
    begun, go_on = anyio.Event(), anyio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        begun.set()
        await go_on.wait()
        await reply.write(b"late")
        return reply

    async def let_go_on() -> None:
        await begun.wait()
        go_on.set()

    app = web.Application()
    app.router.add_get("/", slowly)
    async with TestServer(app) as server, anyio.create_task_group() as group:
        group.start_soon(let_go_on)
        async with aiohttp.ClientSession(server.make_url("/"), raise_for_status=whole) as session:
            reply = await session.get("/")
            assert (reply.closed, await reply.read()) == (True, b"late")
