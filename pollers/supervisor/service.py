"""What calls functions beside the mappings: Lambda's API, the asynchronous queue, schedules; run again when it breaks down."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import structlog

from pollers.engine.failures import taken_apart
from pollers.engine.stop import Stop

if TYPE_CHECKING:
    from config.models import Config

log = structlog.stdlib.get_logger(__name__)

RESTART_SECONDS = (1.0, 30.0)
"""First and longest wait before a service that broke down starts again."""
SOUND_SECONDS = 300.0
"""A service that ran this long was sound: the next failure is a first one."""


@dataclass(frozen=True, slots=True)
class Books:
    """What a service has done with what it took: ``balanced`` when nothing is missing, and the ``figures`` to log."""

    balanced: bool
    figures: dict[str, Any] = field(default_factory=dict)


class Service(Protocol):
    """A part of the process that calls functions by itself. All methods but :meth:`run` are cheap and never wait."""

    @property
    def name(self) -> str:
        """What it is called in logs and in health."""

    async def run(self, stop: Stop) -> None:
        """Work until ``stop`` is requested: then begin nothing, finish what runs, and return. Hurried: return at once.

        What a kill at any moment leaves behind must be what the next process can go on from. Raises for faults of ours and for what
        keeps it from working; it is then run again after a pause, on the same object.
        """

    def running(self) -> int:
        """How many invocations run for it."""

    def held(self) -> int:
        """How much it has begun and neither finished nor left in a durable place: nothing, when an abrupt end costs nothing."""

    def left(self) -> str:
        """What it still has to do before ``--until-idle`` may end the process; empty when nothing."""

    def refusal(self, config: Config) -> str | None:
        """Why a changed configuration needs a restart for its sake; None when :meth:`apply` can follow it."""

    def apply(self, config: Config) -> None:
        """Follow a changed configuration."""

    def books(self) -> Books | None:
        """What became of what it took; None where it takes nothing over."""


class ServiceRunner:
    """Runs one service until told to end. Its failures stay inside, and are said."""

    def __init__(self, service: Service, *, seed: random.Random | None = None) -> None:
        self.service = service
        self.finished = anyio.Event()
        self.problem: str | None = None
        """Why it does not run, if it does not."""
        self.restarts = 0
        self._stop = Stop()
        self._life = anyio.CancelScope()
        self._failures = 0
        self._random = seed or random.Random()  # noqa: S311 - jitter, not secrets
        self._log = log.bind(service=service.name)

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name

    def end(self) -> None:
        """Stop in order, for good."""
        self._stop.request()

    def hurry(self) -> None:
        """Stop without waiting for running invocations."""
        self._stop.hurry()

    def abandon(self) -> None:
        """End as by a crash."""
        self._life.cancel()

    def running(self) -> int:
        """How many invocations run for it."""
        return self.service.running()

    def held(self) -> int:
        """How much an abrupt end would cost."""
        return self.service.held()

    async def run(self) -> None:
        """Run until :meth:`end`. Never raises for what the service does."""
        try:
            with self._life:
                while not self._stop.requested:
                    await self._attempt()
        finally:
            self.finished.set()

    async def _attempt(self) -> None:
        began = anyio.current_time()
        self.problem = None
        try:
            await self.service.run(self._stop)
        except Exception as problem:
            if anyio.current_time() - began > SOUND_SECONDS:
                self._failures = 0
            await self._failed(problem)

    async def _failed(self, problem: Exception) -> None:
        failure = taken_apart(problem)
        first, longest = RESTART_SECONDS
        delay = min(longest, first * 2 ** min(self._failures, 16)) * self._random.uniform(0.5, 1.0)
        self._failures += 1
        self.restarts += 1
        self.problem = failure.text
        said = {"exc_info": problem} if failure.ours else {"error": failure.text}
        self._log.error("service broke down and starts again", retry_seconds=round(delay, 1), **said)
        await self._stop.sleep(delay)
