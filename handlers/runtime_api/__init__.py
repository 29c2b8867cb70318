"""Lambda's Runtime API: what AWS's service answers a worker's runtime, as a small HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.runtime_api.api import RuntimeApi, RuntimeState
    from handlers.runtime_api.connection import Connection
    from handlers.runtime_api.delivery import Delivery
    from handlers.runtime_api.peers import is_headraces_own, is_workers_own
    from handlers.runtime_api.requests import Request
    from handlers.runtime_api.responses import Response
    from handlers.runtime_api.streamed import StreamedResponse

__all__ = [
    "Connection",
    "Delivery",
    "Request",
    "Response",
    "RuntimeApi",
    "RuntimeState",
    "StreamedResponse",
    "is_headraces_own",
    "is_workers_own",
]
__getattr__ = lazily(
    __name__,
    {
        "api": "RuntimeApi RuntimeState",
        "connection": "Connection",
        "delivery": "Delivery",
        "peers": "is_headraces_own is_workers_own",
        "requests": "Request",
        "responses": "Response",
        "streamed": "StreamedResponse",
    },
)
