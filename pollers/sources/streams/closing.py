"""Gives up a stream source when its poller has ended, or has never begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

if TYPE_CHECKING:
    from pollers.sources.streams.source import StreamSource

log = structlog.stdlib.get_logger(__name__)

CLOSE_SECONDS = 5.0
"""How long a source may take to close. A stop waits for it."""


async def close_source(source: StreamSource) -> None:
    """Close it, within a bound and whether or not the caller is being cancelled. A failure is logged and goes no further."""
    with anyio.move_on_after(CLOSE_SECONDS, shield=True) as scope:
        try:
            await source.aclose()
        except Exception:
            log.exception("a source could not be closed", source=source.arn)
    if scope.cancelled_caught:
        log.warning("a source was not closed in time", source=source.arn, seconds=CLOSE_SECONDS)
