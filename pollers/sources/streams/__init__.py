"""The stream engine: reads any stream that is behind ``StreamSource``, shard by shard, and knows no service.

:mod:`kind` is imported by ``headrace check`` and stays light: the engine is imported when a poller is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.sources.streams.checking import StreamWords, examine_stream
    from pollers.sources.streams.kind import stream_kind
    from pollers.sources.streams.pacing import Pace
    from pollers.sources.streams.positions import SEQUENCE_NUMBERS
    from pollers.sources.streams.source import StreamSource

__all__ = ["SEQUENCE_NUMBERS", "Pace", "StreamSource", "StreamWords", "examine_stream", "stream_kind"]
__getattr__ = lazily(
    __name__,
    {
        "checking": "StreamWords examine_stream",
        "kind": "stream_kind",
        "pacing": "Pace",
        "positions": "SEQUENCE_NUMBERS",
        "source": "StreamSource",
    },
)
