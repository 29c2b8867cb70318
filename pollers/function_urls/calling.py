"""Which functions have a URL, and how they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from handlers.errors import FunctionUnusable
from handlers.function import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from config.models import FunctionUrl
    from handlers.function import Call, Invocation
    from pollers.functions import FunctionHost
    from pollers.lambda_api import Callers
    from pollers.resources import Url


class Given(Protocol):
    """Who knows the URLs: :class:`pollers.resources.Resources`."""

    def url_of(self, name: str) -> Url | None:
        """A function's URL, whoever gave it."""


class KnownUrls:
    """URLs of functions that there are. Looked up for each request, so that a reload and the API need to tell nobody."""

    def __init__(self, functions: Mapping[str, FunctionHost], given: Given) -> None:
        self._functions = functions
        self._given = given

    def names(self) -> Iterable[str]:
        """All functions, with and without a URL."""
        return self._functions

    def url_of(self, name: str) -> FunctionUrl | None:
        """The function's URL; None without one, and for a function that there is not."""
        url = self._given.url_of(name) if name in self._functions else None
        return url.config if url is not None else None


class ByCallers:
    """Invokes as Lambda's API does, with its share of the functions' permits. ``queue_seconds``: how long a call waits for one."""

    def __init__(self, functions: Mapping[str, FunctionHost], callers: Callers, queue_seconds: float) -> None:
        self._functions = functions
        self._callers = callers
        self._queue_seconds = queue_seconds

    async def __call__(self, name: str, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """Run the function once. Raises FunctionUnusable."""
        host = self._functions.get(name)
        if host is None:
            raise FunctionUnusable(f"function {name} has left the configuration")
        return await self._callers.invoke(host, event, request_id=request_id, call=call, patience=self._queue_seconds)
