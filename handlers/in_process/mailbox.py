"""Hands items from threads to an event loop, with one wake-up for all that wait."""

from __future__ import annotations

import contextvars
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Calls ``receive`` on ``loop``, in order, for every item that any thread puts in.

    Waking a loop is the dear part (a system call each), so a loop that has been woken and has not looked yet is not
    woken again. No item is missed: the receiver lowers the flag before it looks, a sender looks at the flag after its
    item is in.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Callable[[Item], None]) -> None:
        self._loop = loop
        self._receive = receive
        self._items: deque[Item] = deque()
        self._woken = False
        # In an empty context: otherwise the receiver would see the sender's context variables.
        self._context = contextvars.Context()

    def put(self, item: Item) -> None:
        """Hand ``item`` over, from any thread; to a loop that is closed: drop it."""
        self._items.append(item)
        if self._woken:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._look, context=self._context)
        except RuntimeError:  # the loop is closed: nobody is left to receive
            self._items.clear()

    def _look(self) -> None:
        self._woken = False
        items = self._items
        while items:
            self._receive(items.popleft())
