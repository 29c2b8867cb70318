"""Kinesis streams, with shared throughput or enhanced fan-out, on the engine of :mod:`pollers.sources.streams`.

Only the registry of sources imports this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.sources.kinesis.kind import KINESIS

__all__ = [
    "KINESIS",
]
__getattr__ = lazily(
    __name__,
    {
        "kind": "KINESIS",
    },
)
