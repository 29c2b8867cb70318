"""DynamoDB streams, on the engine of :mod:`pollers.sources.streams`. Only the registry of sources imports this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.sources.dynamodb.kind import DYNAMODB

__all__ = [
    "DYNAMODB",
]
__getattr__ = lazily(
    __name__,
    {
        "kind": "DYNAMODB",
    },
)
