"""Connections that are left open name the test that made them."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer


async def test_a_connection_that_is_left_open_names_its_test() -> None:
    """Else the test is blamed in which the collector finds it."""

    async def slow(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Length": "5"})
        await reply.prepare(request)
        return reply

    application = web.Application()
    application.router.add_get("/", slow)
    async with (
        TestServer(application) as server,
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/")) as reply,
    ):
        assert f"::{test_a_connection_that_is_left_open_names_its_test.__name__}" in repr(reply.connection)
