"""Lambda's API as a part of the process: it listens from the assembly on, and answers while it runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import structlog

from pollers.lambda_api.front import Front
from pollers.lambda_api.routes import Routes
from pollers.lambda_api.server import ApiServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from config.models import Config
    from pollers.engine.stop import Stop
    from pollers.lambda_api.callers import Callers
    from pollers.lambda_api.front import Access, Sites
    from pollers.lambda_api.operations import Operation
    from pollers.supervisor.service import Books

log = structlog.stdlib.get_logger(__name__)


class LambdaApiService:
    """Answers ``operations`` and ``sites``. ``callers`` know which invocations run. ``url`` is where it listens, once it does.

    A kill leaves nothing behind: a synchronous call is its client's to repeat, and what was accepted is durable before its 202.
    """

    name = "lambda_api"

    def __init__(
        self,
        operations: Iterable[Operation],
        access: Access,
        callers: Callers,
        new_id: Callable[[], str],
        *,
        address: tuple[str, int],
        sites: Sites | None = None,
    ) -> None:
        self.front = Front(Routes(operations), access, sites)
        self._callers = callers
        self.counts = callers.counts
        self.server = ApiServer(self.front.answer, new_id, self.counts.answered, *address)
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """See :meth:`ApiServer.listening`. Entered before :meth:`run`, and left after it."""
        async with self.server.listening() as self.url:
            yield self.url

    async def run(self, stop: Stop) -> None:
        """Answer until stopped; then finish what runs, or break it off when hurried."""
        self.server.accept()
        try:
            await stop.until_requested()
            self.server.stop()
            async with anyio.create_task_group() as group:
                group.start_soon(self._break_off, stop)
                await self.server.until_idle()
                group.cancel_scope.cancel()
        finally:
            # Also when this is abandoned: functions are closed next, and nobody may call them any more. After a fault it goes on
            # answering until it is run again; a server that was stopped cannot be started again.
            if stop.requested:
                self.server.stop()
                self.server.cancel()

    async def _break_off(self, stop: Stop) -> None:
        await stop.until_hurried()
        if self.server.requests:
            log.warning("calls of Lambda's API are broken off", calls=self.server.requests)
        self.server.cancel()

    def running(self) -> int:
        """Invocations that clients wait for. A request whose body still arrives is none."""
        return self._callers.running

    def held(self) -> int:
        """Nothing: a client that got no answer has to call again."""
        return 0

    def left(self) -> str:
        """Nothing that ``--until-idle`` waits for, but what runs."""
        running = self.running()
        return f"{running} synchronous invocations run" if running else ""

    def refusal(self, config: Config) -> str | None:
        """Functions are looked up for each call, so none: the runtime refuses another ``lambda_api`` by itself."""
        return None

    def apply(self, config: Config) -> None:
        """Nothing to follow, for the same reason."""

    def books(self) -> Books | None:
        """It takes nothing over."""
        return None
