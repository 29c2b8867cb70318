"""Functions elsewhere: Lambda's Invoke API, and HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily

if TYPE_CHECKING:
    from handlers.remote.http import HttpFunction
    from handlers.remote.invoke_api import InvokeApiFunction

__all__ = ["HttpFunction", "InvokeApiFunction"]
__getattr__ = lazily(
    __name__,
    {
        "http": "HttpFunction",
        "invoke_api": "InvokeApiFunction",
    },
)
