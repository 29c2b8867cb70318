"""The stream engine: reads any stream that is behind :class:`StreamSource`, shard by shard, and knows no service."""

from __future__ import annotations

from pollers.sources.streams.poller import StreamPoller
from pollers.sources.streams.source import StreamSource

__all__ = ["StreamPoller", "StreamSource"]
