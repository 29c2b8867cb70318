"""Functions in this process: on an event loop and threads of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.in_process.function import InProcessFunction

__all__ = ["InProcessFunction"]
__getattr__ = lazily(
    __name__,
    {
        "function": "InProcessFunction",
    },
)
