"""How a poller is told to stop, in two steps (docs/design, decision 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class Stop:
    """Asked by the supervisor, watched by one mapping's poller.

    ``requested``: no new receive or read; what runs finishes and is acknowledged, the rest is handed back; then ``run`` returns.
    ``hurried``: the grace period is over (or a second signal came): running invocations are cancelled and their messages go back.
    """

    def __init__(self) -> None:
        self.requested = anyio.Event()
        self.hurried = anyio.Event()

    def request(self) -> None:
        """Begin the orderly stop. Calling it again changes nothing."""
        self.requested.set()

    def hurry(self) -> None:
        """Skip the wait for running invocations. Implies :meth:`request`."""
        self.requested.set()
        self.hurried.set()

    async def unless_requested(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """What ``call`` brings, or raises; None when the stop came first, which cancels it. For what holds nothing yet."""
        brought: list[T] = []
        raised: list[Exception] = []

        async def run() -> None:
            try:
                brought.append(await call())
            except Exception as error:
                raised.append(error)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await self.requested.wait()
            group.cancel_scope.cancel()
        if raised:
            raise raised[0]
        return brought[0] if brought else None
