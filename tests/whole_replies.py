"""Replies of HTTP servers under test, read whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp


async def whole(reply: aiohttp.ClientResponse) -> None:
    """For ``ClientSession(raise_for_status=...)``: the body is there when the reply is, and its connection has been given back.

    Tests that look at a status and drop the reply would else leave its connection to the garbage collector wherever the body came
    later than the headers, which it does on a busy machine; the warning then fails another test. Streams of events stay streams.
    """
    if reply.content_type != "text/event-stream":
        await reply.read()
