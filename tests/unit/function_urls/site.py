"""Function URLs on a server of Lambda's API, before functions that do what a test tells them to."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.models import FunctionUrl
from handlers.function import PLAIN, FunctionError, Invocation, Payload
from pollers.clocks.clock import SystemClock
from pollers.function_urls import AnySignature, Doors, FunctionUrls, Proxies
from pollers.lambda_api import is_ours
from tests.unit.function_urls.requests import NOW
from tests.unit.lambda_api.rig import HERE, rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from handlers.function import Call, Result
    from pollers.function_urls import Signatures
    from tests.unit.lambda_api.rig import Rig

FAILURE = FunctionError("ValueError", "wrong", b'{"errorMessage":"wrong"}')


class FixedClock(SystemClock):
    """Always the same time."""

    def time(self) -> float:
        return NOW


@dataclass
class Told:
    """The URLs, and what their functions do: ``answer`` makes a result of an event, or streams into the call's stream."""

    urls: dict[str, FunctionUrl]
    answer: Callable[[bytes, Call], Awaitable[Invocation]] | None = None
    problem: Exception | None = None
    events: list[bytes] = field(default_factory=list)

    def names(self) -> Iterable[str]:
        return self.urls

    def url_of(self, name: str) -> FunctionUrl | None:
        return self.urls.get(name)

    async def __call__(self, name: str, event: bytes, *, request_id: str, call: Call = PLAIN) -> Invocation:
        self.events.append(event)
        if self.problem is not None:
            raise self.problem
        if self.answer is None:
            return Invocation(request_id, Payload(event), 0.001)
        return await self.answer(event, call)

    def returns(self, result: Result | bytes) -> None:
        """Every function's result from now on."""

        async def answer(event: bytes, call: Call) -> Invocation:
            return Invocation("", result if not isinstance(result, bytes) else Payload(result), 0.001)

        self.answer = answer

    def streams(self, content_type: str, *chunks: bytes, result: Result | None = None) -> None:
        """Every function writes these chunks from now on, and ends with ``result``."""

        async def answer(event: bytes, call: Call) -> Invocation:
            assert call.stream is not None
            call.stream.begin(content_type)
            for chunk in chunks:
                await call.stream.write(chunk)
            return Invocation("", result or Payload(b""), 0.001, streamed=True)

        self.answer = answer


@dataclass
class Site:
    """What a test works with."""

    rig: Rig
    told: Told

    async def send(self, request: bytes) -> bytes:
        """What the server says to these bytes until it closes the connection."""
        reader, writer = await asyncio.open_connection(*self.rig.address)
        try:
            writer.write(request)
            await writer.drain()
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


@asynccontextmanager
async def site(
    *,
    mode: str = "BUFFERED",
    auth: str = "NONE",
    cors: dict[str, object] | None = None,
    trusted: tuple[str, ...] = (),
    signatures: Signatures | None = None,
) -> AsyncIterator[Site]:
    """The URL of a function ``hello`` with these settings."""
    url = FunctionUrl.model_validate({"auth_type": auth, "invoke_mode": mode, "cors": cors})
    told = Told({"hello": url})
    doors = Doors(Proxies(trusted), signatures or AnySignature(), lambda host: is_ours(host, "127.0.0.1"))
    urls = FunctionUrls(told, told, doors, HERE, clock=FixedClock(), bits=lambda count: 1)
    async with rig(sites=urls) as made:
        yield Site(made, told)
