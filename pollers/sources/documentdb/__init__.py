"""Change streams of DocumentDB clusters and MongoDB replica sets, on the engine of :mod:`pollers.sources.streams`.

Only the registry of sources imports this. The driver (pymongo) is an extra: no file here imports it before a mapping of this kind
is checked or started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.sources.documentdb.api import ChangeStreamApi

__all__ = [
    "ChangeStreamApi",
]
__getattr__ = lazily(
    __name__,
    {
        "api": "ChangeStreamApi",
    },
)
