"""How far this machine's clock is from AWS's: beyond five minutes AWS refuses every request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import aiohttp

from handlers.http_dates import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

REFUSED_SECONDS = 300.0
DOUBTFUL_SECONDS = 30.0
ANSWER_SECONDS = 5.0


async def clock_skews(urls: Iterable[str]) -> dict[str, float]:
    """Seconds by which each endpoint's clock is ahead of ours, to a second or two. Endpoints that do not
    answer, or without a date, are left out.
    """
    skews: dict[str, float] = {}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        for url in urls:
            try:
                async with session.get(url, allow_redirects=False) as reply:
                    shown = moment(reply.headers.get("Date", ""))
                    if shown is not None:
                        skews[url] = shown - time.time()
            except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
                continue
    return skews
