"""One caller's end of a function: the function itself, and a claim to the right to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from handlers.function import Function, Invocation
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

    async def invoke(self, event: bytes, *, request_id: str) -> Invocation:
        """Run the function once, as soon as there is a permit for it.

        Raises as :meth:`function` does, and FunctionUnusable when the function breaks down meanwhile: whether it ran to its
        end is then not known.
        """
        # Before a permit is waited for: one load that fails is the answer to all who wait now, and not one load for each of them.
        await self.function()
        await self._share.acquire()
        try:
            # Again, since it may have broken down meanwhile.
            function = await self.function()
            with self._host.breakdown.running():
                return await function.invoke(event, request_id=request_id)
            raise self._host.broke_down()
        finally:
            self._share.release()

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._share.close()
        self._host.left(self)
