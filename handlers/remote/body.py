"""Reading a response's body within Lambda's limit, and what Retry-After says."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from handlers.function import RESPONSE_LIMIT_BYTES
from handlers.http_dates import moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

CHUNK_BYTES = 64 * 1024
RETRY_AFTER_LIMIT_SECONDS = 3600.0
"""No service may put a function off for longer than this."""


async def read_bounded(chunks: AsyncIterable[bytes], limit_bytes: int = RESPONSE_LIMIT_BYTES) -> bytes | None:
    """The whole body, or None as soon as it is more than ``limit_bytes`` (the caller then drops the connection)."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit_bytes:
            return None
    return bytes(body)


def encoded_context(client_context: str) -> str:
    """The client context as the header X-Amz-Client-Context has it (docs/lambda 8.1)."""
    return base64.b64encode(client_context.encode("utf-8", "replace")).decode()


def service_time(date: object, own: float) -> float:
    """The service's time, in seconds since the epoch: what its reply's Date header says, or ``own`` where that says nothing.

    A date in the reply must be compared with the service's own clock: this machine's may be wrong.
    """
    told = moment(str(date))
    return own if told is None else told


def retry_after_seconds(value: object, now: float) -> float | None:
    """Seconds from a Retry-After header: a number or an HTTP date (``now``: :func:`service_time`). None for none or nonsense."""
    if not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        told = moment(str(value))
        if told is None:
            return None
        seconds = told - now
    if seconds != seconds:  # NaN
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_SECONDS)
