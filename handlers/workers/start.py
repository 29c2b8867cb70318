"""How the start of one worker goes: how long it takes, and why it fails if it does."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from handlers import error_documents
from handlers.function import FunctionError, InfrastructureError

if TYPE_CHECKING:
    from handlers.workers.process import Exit


class Start:
    """From the making of a worker until its runtime first asks for an invocation."""

    def __init__(self) -> None:
        self._begun_at = perf_counter()
        self._seconds: float | None = None
        self.ready = False
        """It has asked for its first invocation."""
        self.error: FunctionError | None = None
        """What the runtime reported of its initialisation, or what stopped it."""

    def succeed(self) -> None:
        """The runtime asks for an invocation; only the first time counts."""
        if not self.ready:
            self.ready = True
            self._seconds = perf_counter() - self._begun_at

    def unreported_seconds(self) -> float | None:
        """How long it took, once: Lambda's REPORT of the first invocation has it, and no other."""
        seconds, self._seconds = self._seconds, None
        return seconds

    def failure(self, request_id: str, end: Exit) -> FunctionError | InfrastructureError:
        """Why it never became ready, for an invocation that waited for it."""
        if self.error is not None:
            return self.error
        if end.error is not None:
            return InfrastructureError(f"the worker could not be started: {end.error}")
        return error_documents.exited(request_id, end.reason)
