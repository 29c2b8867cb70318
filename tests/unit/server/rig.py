"""A running server over a runtime of fake pollers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import anyio
import anyio.lowlevel
from aiohttp import web

from pollers.server.app import Parts, make_app
from pollers.server.control import Control
from pollers.server.guard import Access
from pollers.server.making_tokens import console_link
from pollers.server.serve import serving
from pollers.server.token_files import MadeToken
from pollers.status.gauges import Gauges
from pollers.status.loop_monitor import LoopMonitor
from pollers.status.snapshot import Status
from pollers.supervisor.runtime import Runtime
from pollers.telemetry.board import Board
from pollers.telemetry.metrics import Metrics
from pollers.telemetry.recorder import Recorder
from tests.unit.supervisor.fakes import Bench, FakeFunction, config, mapping
from tests.whole_replies import whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from handlers.system.connected_sockets import Address
    from pollers.invocations import QueueSnapshot
    from pollers.supervisor.mapping import MappingState
    from pollers.telemetry.sinks import Facts


MADE = "made-at-the-start-made-at-the-start-made-at"
"""The token where none is configured."""


@dataclass
class Rig:
    """What a test works with."""

    runtime: Runtime
    bench: Bench
    board: Board
    recorder: Recorder
    monitor: LoopMonitor
    url: str
    app: web.Application
    session: aiohttp.ClientSession
    made: MadeToken

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for what speaks to the socket itself."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    @property
    def link(self) -> str:
        """The console with the made token."""
        return console_link(self.url, MADE)

    def facts(self, name: str) -> Facts:
        return self.bench.last(name).surroundings.facts

    async def until(self, name: str, state: MappingState) -> None:
        """Wait until the mapping is in ``state``."""
        with anyio.fail_after(60):
            while self.runtime.mappings[name].state is not state:
                await anyio.sleep(0.01)


@asynccontextmanager
async def rig(
    folder: Path,
    *,
    token: str | None = None,
    path: Path | None = None,
    payloads: bool = False,
    is_own_code: Callable[[Address | None, Address | None], bool] = lambda _client, _server: False,
    names: Sequence[str] = "ab",
    queue: Callable[[], QueueSnapshot] | None = None,
) -> AsyncIterator[Rig]:
    """Two mappings, ``a`` and ``b``, running behind a server on a free port.

    The session has the token that was made where none is given.
    """
    headers = {} if token else {"Authorization": f"Bearer {MADE}"}
    bench, board, recorder, metrics, monitor = Bench(), Board(), Recorder(), Metrics(), LoopMonitor()
    runtime = Runtime(
        config(folder, *(mapping(name) for name in names)),
        bench.make,
        lambda name, model: FakeFunction(name, model),
        sinks=(board, recorder, metrics),
    )
    status = Status(runtime, board, monitor, payloads=payloads, queue=queue)
    metrics.registry.register(Gauges(runtime, board, monitor, status))
    made = MadeToken(MADE)
    # The tests' own calls come from this process, whose code is not an operator.
    access = Access("127.0.0.1", token, None if token else made, is_own_code=is_own_code)
    app = make_app(Parts(status, Control(runtime, path), metrics, recorder), access)
    async with anyio.create_task_group() as group:
        group.start_soon(runtime.run)
        group.start_soon(monitor.watch, "loop monitor", monitor.run)
        while len(bench.pollers) < len(names):
            await anyio.lowlevel.checkpoint()
        async with (
            serving(app, "127.0.0.1", 0) as url,
            aiohttp.ClientSession(url, headers=headers, raise_for_status=whole) as session,
        ):
            yield Rig(runtime, bench, board, recorder, monitor, url, app, session, made)
        runtime.stop()
        while not runtime.stopping:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
