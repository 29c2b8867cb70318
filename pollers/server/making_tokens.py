"""Keeps the file of a made token while the server runs, and logs where it is."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import structlog
from anyio import to_thread

from pollers.server.token_files import TokenFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pollers.server.token_files import MadeToken

log = structlog.stdlib.get_logger(__name__)

KEEP_SECONDS = 600.0
"""How often the file is checked, and written again if it is missing."""


@asynccontextmanager
async def token_kept(url: str, made: MadeToken) -> AsyncIterator[str]:
    """The token's file exists inside; gives the link to the console, which carries the token.

    The link is shown only on a terminal. Other logs are stored and read by others, so they get the path of the file.
    """
    parts = urlsplit(url)
    file = TokenFile(parts.hostname or "", parts.port or 0, made)
    link = console_link(url, made.text)
    try:
        await to_thread.run_sync(file.keep)
        where = {"link": link} if sys.stderr.isatty() else {"token_file": str(made.path)}
        log.info("the console, with the token that changes need", **where)
    except OSError as problem:
        log.warning(
            "the token that changes need could not be written: without runtime.http.token nobody can pause, drain or reload",
            problem=str(problem),
        )
    async with anyio.create_task_group() as group:
        group.start_soon(_keep, file)
        try:
            yield link
        finally:
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(file.remove)


def console_link(url: str, token: str) -> str:
    """The console's URL with a token in the fragment, the part that browsers never send."""
    return f"{url}/#token={token}"


async def _keep(file: TokenFile) -> None:
    reported = False
    while True:
        await anyio.sleep(KEEP_SECONDS)
        try:
            await to_thread.run_sync(file.keep)
            reported = False
        except OSError as problem:
            if not reported:
                log.warning("the file of the token is gone and cannot be written", problem=str(problem))
            reported = True
