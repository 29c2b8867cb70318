"""Who calls functions for the API: one caller a function, as long as any request needs it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pollers.functions import Caller, FunctionHost


class Callers:
    """Callers by host. All requests for a function share one, so that together they have one mapping's share of its permits.

    A caller that nobody needs is left at once: a function that has left the configuration is closed when its last caller has left.
    """

    def __init__(self) -> None:
        self._known: dict[FunctionHost, tuple[Caller, int]] = {}
        self.running = 0

    @contextmanager
    def calling(self, host: FunctionHost) -> Iterator[Caller]:
        """The caller of a function, while a request needs it."""
        caller, users = self._known.get(host) or (host.caller(), 0)
        self._known[host] = caller, users + 1
        self.running += 1
        try:
            yield caller
        finally:
            self.running -= 1
            caller, users = self._known[host]
            if users > 1:
                self._known[host] = caller, users - 1
            else:
                del self._known[host]
                caller.__exit__(None, None, None)
