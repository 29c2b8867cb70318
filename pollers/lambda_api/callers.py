"""Who calls functions for the API: one caller a function, as long as any request needs it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from handlers.errors import FunctionUnusable
from handlers.function import PLAIN
from pollers.lambda_api.counts import CallCounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handlers.function import Call, Invocation
    from pollers.functions import Caller, FunctionHost


class Callers:
    """Callers by host. All requests for a function share one, so that together they have one mapping's share of its permits.

    A caller that nobody needs is left at once: a function that has left the configuration is closed when its last caller has left.
    """

    def __init__(self) -> None:
        self._known: dict[FunctionHost, tuple[Caller, int]] = {}
        self.running = 0
        self.counts = CallCounts()

    async def invoke(
        self, host: FunctionHost, event: bytes, *, request_id: str, call: Call = PLAIN, patience: float
    ) -> Invocation:
        """Run a function once. It waits for a permit for ``patience`` seconds at most. Raises FunctionUnusable."""
        try:
            with self.calling(host) as caller:
                invocation = await caller.invoke(event, request_id=request_id, call=call, patience=patience)
        except FunctionUnusable:
            self.counts.ended(host.name, None, 0.0)
            raise
        self.counts.ended(host.name, invocation.result, invocation.duration_seconds)
        return invocation

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
