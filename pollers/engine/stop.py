"""How work is stopped, in two steps (docs/design, decision 9): what merely waits ends at once, what runs may finish.

::

    running --request()--> stopping --hurry()--> hurried
       |                                           ^
       +------------------ hurry() ----------------+

A step is never taken back. The supervisor takes the steps of a mapping's stop; a poller whose source is unusable, or one of
whose tasks died, takes those of its own, which is a child of the mapping's; the same holds for a shard and its poller. A
step goes down to the children and never up: what stops one shard leaves the others alone.
"""

from __future__ import annotations

import weakref
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

T = TypeVar("T")


class _Step:
    """One step of a stop. When it is taken, all its scopes are cancelled, and those that are opened later at once."""

    __slots__ = ("event", "scopes", "taken")

    def __init__(self) -> None:
        self.taken = False
        self.event = anyio.Event()
        # In the order of opening, so that a simulation cancels in the same order each time that it is run.
        self.scopes: dict[anyio.CancelScope, None] = {}

    def take(self) -> None:
        self.taken = True
        self.event.set()
        for scope in list(self.scopes):
            scope.cancel()


class StepScope:
    """What :meth:`Stop.waiting` and :meth:`Stop.running` give: a cancel scope for as long as it is entered, once.

    A class, since each batch enters one: a context manager made of a generator costs half as much again as the scope itself.
    """

    __slots__ = ("_scope", "_step")

    def __init__(self, step: _Step) -> None:
        self._step = step
        self._scope = anyio.CancelScope()

    def __enter__(self) -> anyio.CancelScope:
        scope = self._scope.__enter__()
        self._step.scopes[scope] = None
        # A step that was taken before must not be missed: nobody takes it a second time.
        if self._step.taken:
            scope.cancel()
        return scope

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        del self._step.scopes[self._scope]
        return self._scope.__exit__(kind, error, traceback)


class Stop:
    """Asked from outside, watched by the tasks that it stops.

    ``requested``: no new receive or read; what runs finishes and is acknowledged, the rest is handed back.
    ``hurried``: the grace period is over (or a second signal came): running invocations are cancelled, and what they held goes
    back.
    """

    def __init__(self) -> None:
        self._request = _Step()
        self._hurry = _Step()
        # Children are not kept alive: a poller lives for months, and shards come and go. Numbers keep their order.
        self._children: weakref.WeakValueDictionary[int, Stop] = weakref.WeakValueDictionary()
        self._numbers = count()

    def child(self) -> Stop:
        """A stop that takes each step with this one at the latest, and may take it earlier by itself."""
        child = Stop()
        self._children[next(self._numbers)] = child
        if self.requested:
            child.request()
        if self.hurried:
            child.hurry()
        return child

    @property
    def requested(self) -> bool:
        """Whether the first step was taken."""
        return self._request.taken

    @property
    def hurried(self) -> bool:
        """Whether the second step was taken. Implies :attr:`requested`."""
        return self._hurry.taken

    def request(self) -> None:
        """Begin the orderly stop. Calling it again changes nothing."""
        self._request.take()
        for child in list(self._children.values()):
            child.request()

    def hurry(self) -> None:
        """Skip the wait for what runs. Implies :meth:`request`, for the children too: no one sees a hurry without a request."""
        self.request()
        self._hurry.take()
        for child in list(self._children.values()):
            child.hurry()

    async def until_requested(self) -> None:
        """Wait for the first step."""
        await self._request.event.wait()

    async def until_hurried(self) -> None:
        """Wait for the second step."""
        await self._hurry.event.wait()

    def waiting(self) -> StepScope:
        """What is awaited inside is cut by the first step: sleeps, permits, reads."""
        return StepScope(self._request)

    def running(self) -> StepScope:
        """What is awaited inside is cut by the second step: invocations, deliveries."""
        return StepScope(self._hurry)

    async def sleep(self, seconds: float) -> None:
        """Sleep, or less when stopped. A time that has passed already (less than 0) is no wait."""
        with self.waiting():
            await anyio.sleep(max(0.0, seconds))

    async def unless_requested(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """The result of ``call``, or its error; None when the stop came first, which cancels it. For calls that hold nothing."""
        with self.waiting():
            return await call()
        return None
