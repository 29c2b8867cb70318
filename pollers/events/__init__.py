"""What all encoders of Lambda's event records share. May import :mod:`pollers.aws`'s types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.events.encoding import PageEncoder, RecordEncoder, ShardEncoder, json_bytes

__all__ = [
    "PageEncoder",
    "RecordEncoder",
    "ShardEncoder",
    "json_bytes",
]
__getattr__ = lazily(
    __name__,
    {
        "encoding": "PageEncoder RecordEncoder ShardEncoder json_bytes",
    },
)
