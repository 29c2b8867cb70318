"""A thread that writes for the event loop.

Requests that arrive while one transaction is being written share the next one: under load the cost of an fsync is divided.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import anyio

from pollers.storage.errors import StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

T = TypeVar("T")

Operation: TypeAlias = "Callable[[sqlite3.Connection], T]"
"""Reads or writes through the connection, inside a transaction. One that raises must not have written anything."""


class Session(Protocol):
    """What the thread works with: the connection and its lock. All methods are called in the thread."""

    def start(self) -> None:
        """Open. :meth:`Writer.start` raises what this raises."""

    def run(self, operations: list[Operation[Any]]) -> list[Outcome]:
        """Run operations in as few transactions as possible, and never raise."""

    def stop(self) -> None:
        """Close."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one operation: a value, or the exception that its caller gets."""

    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Request:
    operation: Operation[Any]
    answer: asyncio.Future[Any]


class Writer:
    """Owns the thread, which has this ``name``. All methods are for one event loop."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    async def start(self) -> None:
        """Start the thread and wait until its session is open. Raises what opening raises."""
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._thread.start()
        try:
            await asyncio.shield(self._started)
        except asyncio.CancelledError:
            self._requests.put(None)
            raise

    async def call(self, operation: Operation[T]) -> T:
        """Run ``operation`` in the thread. When this returns, what it wrote is durable.

        Cancelling the call does not take back what is already on its way.
        """
        if self._stopped:
            raise StoreError(f"{self._thread.name} has been closed")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._requests.put(_Request(operation, answer))
        return await answer

    async def stop(self) -> None:
        """Write what has been asked for, close, and wait for the thread's end."""
        self._stopped = True
        self._requests.put(None)
        with anyio.CancelScope(shield=True):
            await self._finished
            self._thread.join()

    def _main(self) -> None:
        try:
            self._session.start()
        except BaseException as error:
            self._call_back(_reject, self._started, error)
            return
        self._call_back(_resolve, self._started, None)
        try:
            while self._serve():
                pass
        finally:
            self._session.stop()
            self._call_back(_resolve, self._finished, None)

    def _serve(self) -> bool:
        """Run everything that is waiting; False once the end has been asked for."""
        requests = [self._requests.get()]
        while not self._requests.empty():
            requests.append(self._requests.get())
        live = [request for request in requests if request is not None]
        if live:
            outcomes = self._session.run([request.operation for request in live])
            self._call_back(_settle, live, outcomes)
        return len(live) == len(requests)

    def _call_back(self, callback: Callable[..., None], *arguments: object) -> None:
        """Call back on the loop. If the loop is closed, no caller is left to wait for an answer."""
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(callback, *arguments)
            except RuntimeError:
                return


def _settle(requests: list[_Request], outcomes: list[Outcome]) -> None:
    for request, outcome in zip(requests, outcomes, strict=True):
        if outcome.error is None:
            _resolve(request.answer, outcome.value)
        else:
            _reject(request.answer, outcome.error)


def _resolve(answer: asyncio.Future[Any], value: object) -> None:
    if not answer.done():  # its caller may have been cancelled; the write happened all the same
        answer.set_result(value)


def _reject(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
