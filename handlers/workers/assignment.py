"""The invocation that a worker runs, or ran last: what becomes of it, and what is reported of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from handlers import error_documents
from handlers.errors import ReaderGone
from handlers.logs import Report

if TYPE_CHECKING:
    from handlers.function import FunctionError, ResponseStream, Result
    from handlers.runtime_api import StreamedResponse
    from handlers.workers.output import InvocationLog


@dataclass(slots=True)
class Assignment:
    """One invocation. Its times are ``perf_counter``'s: uvloop's clock counts whole milliseconds."""

    request_id: str
    result: asyncio.Future[Result]
    started_at: float
    log: InvocationLog
    verdict: FunctionError | None = None
    """What became of it if the worker did not answer."""
    ended_at: float = 0.0
    streamed: asyncio.Future[StreamedResponse | None] | None = None
    """Where the caller has a stream: the response that goes into it, or None when it is known that none will."""

    @property
    def open(self) -> bool:
        """Whether nobody has answered it yet."""
        return not self.result.done()

    @property
    def duration_seconds(self) -> float:
        """How long it took; only once it has ended."""
        return self.ended_at - self.started_at

    def answer(self, result: Result) -> None:
        """The worker answered."""
        self.ended_at = perf_counter()
        self._settle(result)

    def stream(self, response: StreamedResponse) -> None:
        """The worker answers piece by piece."""
        if self.streamed is not None and not self.streamed.done():
            self.streamed.set_result(response)

    async def pass_on(self, stream: ResponseStream) -> bool:
        """Write the answer into ``stream`` while it comes, to its end; False if it is one that comes in one piece."""
        self.streamed = begun = asyncio.get_running_loop().create_future()
        response = await begun
        if response is None:
            return False
        try:
            stream.begin(response.content_type)
            while (piece := await response.next()) is not None:
                await stream.write(piece)
        except ReaderGone:
            response.drop()
        return True

    def break_off(self) -> None:
        """The worker broke off its answer. The result is given when it is dead."""
        self.ended_at = perf_counter()
        self.verdict = error_documents.truncated()

    def time_out(self, timeout_seconds: float) -> None:
        """The invocation's time is over. Its result is given when the worker is dead."""
        self.ended_at = perf_counter()
        self.verdict = error_documents.timed_out(timeout_seconds, self.request_id)

    def end_with_worker(self, reason: str | None) -> None:
        """The worker is dead: the verdict so far, or how the worker ended."""
        if not self.ended_at:
            self.ended_at = perf_counter()
        if self.verdict is None:
            self.verdict = error_documents.exited(self.request_id, reason)
        self._settle(self.verdict)

    def _settle(self, result: Result) -> None:
        self.result.set_result(result)
        if self.streamed is not None and not self.streamed.done():
            self.streamed.set_result(None)

    def report(self, memory_size_mib: int, max_memory_used_mib: int, init_seconds: float | None) -> Report:
        """What Lambda's REPORT line says of it."""
        status = error_type = None
        if self.verdict is not None:
            timed_out = self.verdict.error_type == error_documents.TIMED_OUT
            status, error_type = ("timeout", None) if timed_out else ("error", self.verdict.error_type)
        return Report(
            self.request_id,
            self.duration_seconds,
            memory_size_mib,
            max_memory_used_mib,
            init_seconds,
            status,
            error_type,
        )
