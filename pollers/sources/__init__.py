"""Kinds of event sources: a folder for each, listed in :mod:`pollers.sources.registry`.

May import :mod:`pollers.engine` and what is below it, never :mod:`pollers.supervisor` or what is above that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from pollers.sources.checking import examine
    from pollers.sources.registry import (
        LONG_POLL_SECONDS,
        check_patterns,
        concurrency_limit,
        keeps_checkpoints,
        kind_of,
        kinds,
        make_poller,
        traced,
    )

__all__ = [
    "LONG_POLL_SECONDS",
    "check_patterns",
    "concurrency_limit",
    "examine",
    "keeps_checkpoints",
    "kind_of",
    "kinds",
    "make_poller",
    "traced",
]
__getattr__ = lazily(
    __name__,
    {
        "checking": "examine",
        "registry": "LONG_POLL_SECONDS check_patterns concurrency_limit keeps_checkpoints kind_of kinds make_poller traced",
    },
)
