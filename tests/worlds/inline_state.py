"""The real state file without its thread, which virtual time could not wait for; crashes and a full disk are easy to have."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pollers.state.state import State

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeVar

    from pollers.storage.errors import StoreUnwritable
    from pollers.storage.session import StoreSession
    from pollers.storage.writer import Operation

    T = TypeVar("T")


class Killed(Exception):  # noqa: N818 - kill -9, named for what has happened
    """The process is gone: nothing that it still does reaches the disk."""


class InlineState(State):
    """A :class:`State` whose calls run on the event loop.

    ``problem`` is what every call meets instead of running, as on a full disk. Once it is ``killed``, no call writes any more, and
    no answer comes of one that has written. Leaving it then changes nothing: what was committed is in the file, and nothing else.
    """

    problem: StoreUnwritable | None = None
    killed = False
    calls = 0
    _session: StoreSession | None = None

    async def call(self, operation: Operation[T]) -> T:
        """See ``State.call``."""
        assert self._session is not None, "the state is not open"
        self.calls += 1
        await asyncio.sleep(0)
        self._require_alive()
        if self.problem is not None:
            raise type(self.problem)(*self.problem.args)
        [outcome] = self._session.run([operation])
        await asyncio.sleep(0)
        self._require_alive()
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # type: ignore[no-any-return]

    def _require_alive(self) -> None:
        if self.killed:
            raise Killed

    async def __aenter__(self) -> InlineState:
        session = self.session()
        session.start()
        self._session = session
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.stop()
