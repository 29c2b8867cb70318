"""One caller's end of a function: the function itself, and a claim to the right to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from handlers.function import PLAIN, Invocation, Throttle

if TYPE_CHECKING:
    from types import TracebackType

    from handlers.function import Call, Function
    from pollers.engine.permits import Claim
    from pollers.engine.stop import Stop
    from pollers.functions.host import FunctionHost


class Caller:
    """Made by :meth:`pollers.functions.host.FunctionHost.caller` and left at the end (``with``), which gives back what it holds.

    ``claim``: its share of the function's permits. Whoever calls by itself needs one for each invocation; :meth:`invoke` takes it.
    """

    def __init__(self, host: FunctionHost, maximum: int | None) -> None:
        self._host = host
        self._share = host.permits.claim(maximum)
        self._breakdown = host.breakdown

    @property
    def claim(self) -> Claim:
        """Its permits."""
        return self._share

    @property
    def breakdown(self) -> Stop:
        """Hurried when the function that :meth:`function` gave last breaks down; the next asking makes a new one."""
        return self._breakdown

    async def function(self) -> Function:
        """The function, entered; the first asking enters it. Raises FunctionUnusable, or whatever else broke it."""
        self._breakdown = self._host.breakdown
        return await self._host.get()

    async def invoke(
        self, event: bytes, *, request_id: str, call: Call = PLAIN, patience: float | None = None
    ) -> Invocation:
        """Run the function once, as soon as there is a permit for it.

        ``patience`` is how many seconds it waits for one at most, before the result is a Throttle; 0 tries at once, None waits
        for as long as it takes.

        Raises as :meth:`function` does, and FunctionUnusable when the function breaks down meanwhile: whether it ran to its
        end is then not known.
        """
        # Before a permit is waited for: one load that fails is the answer to all who wait now, and not one load for each of them.
        await self.function()
        if not await self._permitted(patience):
            return Invocation(request_id, Throttle(self._host.full()), 0.0)
        try:
            return await self.run(event, request_id=request_id, call=call)
        finally:
            self._share.release()

    async def run(self, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        """Run the function once, with a permit that whoever calls this holds. Raises as :meth:`invoke` does."""
        # Asked for now, since it may have broken down while a permit was waited for.
        function = await self.function()
        with self._host.breakdown.running():
            return await function.invoke(event, request_id=request_id, call=call)
        raise self._host.broke_down()

    async def _permitted(self, patience: float | None) -> bool:
        """Take a permit; False if there was none in time."""
        if self._share.try_acquire():
            return True
        if patience is not None and patience <= 0:
            return False
        with anyio.move_on_after(patience):
            await self._share.acquire()
            return True
        return False

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._share.close()
        self._host.left(self)
