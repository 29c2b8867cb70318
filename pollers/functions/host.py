"""One function's life inside the runtime: entered before its first mapping needs it, left after its last one has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import anyio
import structlog

from handlers.errors import FunctionUnusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.models import FunctionModel
    from handlers.function import Function
    from pollers.engine.permits import Permits

    FunctionMaker: TypeAlias = Callable[[str, FunctionModel], Function]

log = structlog.stdlib.get_logger(__name__)


class FunctionHost:
    """Owns a function and its permits; several mappings may share it.

    A function that cannot be used is reported to whoever asks for it and tried again at the next asking, so that repairing the
    code on disk is enough; one that breaks down takes its mappings with it (``broken``), which then ask anew.
    """

    def __init__(self, name: str, model: FunctionModel, make: FunctionMaker, permits: Permits) -> None:
        self.name = name
        self.model = model
        self.permits = permits
        self.broken = anyio.Event()
        self._make = make
        self._function: Function | None = None
        self._problem: Exception | None = None
        self._asked = anyio.Event()
        self._answered = anyio.Event()
        self._closing = anyio.Event()
        self._entering: anyio.CancelScope | None = None

    @property
    def function(self) -> Function | None:
        """The running function, or None while there is none."""
        return self._function

    @property
    def problem(self) -> str | None:
        """Why there is no function, if that is known."""
        return str(self._problem) if self._problem is not None else None

    async def get(self) -> Function:
        """The function, entered. Raises FunctionUnusable, or whatever else broke it, when it cannot be had."""
        if self._function is None:
            self._asked.set()
            await self._answered.wait()
        if self._function is None:
            raise (
                self._problem
                if self._problem is not None
                else FunctionUnusable(f"function {self.name} has been closed")
            )
        return self._function

    def close(self) -> None:
        """Leave the function; :meth:`run` returns when everything that it started has stopped.

        One that is still being entered, because its code takes long to load, is not waited for.
        """
        self._closing.set()
        self._asked.set()
        if self._entering is not None:
            self._entering.cancel()

    async def run(self) -> None:
        """Hold the function until :meth:`close`."""
        while not self._closing.is_set():
            await self._asked.wait()
            if self._closing.is_set():
                break
            try:
                with anyio.CancelScope() as self._entering:
                    await self._hold()
            except Exception as problem:
                self._fail(problem)
        self._answered.set()

    async def _hold(self) -> None:
        async with self._make(self.name, self.model) as function:
            self._entering = None
            self._function, self._problem = function, None
            self._answered.set()
            try:
                await self._closing.wait()
            finally:
                self._function = None

    def _fail(self, problem: Exception) -> None:
        if not isinstance(problem, FunctionUnusable):
            log.error("function broke down", function=self.name, exc_info=problem)
        self._problem = problem
        self._asked = anyio.Event()
        answered, self._answered = self._answered, anyio.Event()
        answered.set()
        broken, self.broken = self.broken, anyio.Event()
        broken.set()
