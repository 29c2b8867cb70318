"""``--until-idle``: when to end by itself, and whether everything was caught up then."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import anyio
import structlog

from pollers.supervisor.mapping import MappingState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pollers.supervisor.idleness import Idleness
    from pollers.supervisor.mapping import MappingRunner
    from pollers.supervisor.service import Service
    from pollers.supervisor.unreachable import Trouble, Unreachable

log = structlog.stdlib.get_logger(__name__)

UNREACHABLE_SECONDS = 60.0
"""How long a source may give no answer, or a mapping not run, before it is given up."""
LOOK_SECONDS = 0.5
"""How often it is looked whether all is quiet."""
ASK_AGAIN_SECONDS = 5.0
"""How often sources are asked while one of them is in trouble."""
SAY_SECONDS = 60.0
"""How often it is said what is waited for."""


class Sight(NamedTuple):
    """One mapping, looked at: ``busy`` says what is left, empty when it is caught up."""

    mapping: str
    busy: str
    trouble: Trouble | None = None


class Verdict(Enum):
    """What follows from all mappings together."""

    BUSY = "something is still to be done"
    TROUBLED = "all that is still to be done cannot be reached, not for long yet"
    CAUGHT_UP = "every source is caught up"
    GIVEN_UP = "what is not caught up has long been out of reach"


def judge(sights: Sequence[Sight], now: float, bound_seconds: float = UNREACHABLE_SECONDS) -> Verdict:
    """Whether to end (decider). What is out of reach holds nothing up, but neither is it caught up."""
    behind = [sight for sight in sights if sight.busy]
    if any(sight.trouble is None for sight in behind):
        return Verdict.BUSY
    if any(sight.trouble is not None and now - sight.trouble.since < bound_seconds for sight in behind):
        return Verdict.TROUBLED
    return Verdict.GIVEN_UP if behind else Verdict.CAUGHT_UP


class UntilIdle:
    """Looks at the mappings until they are idle; when ``stopping`` says that the process stops, it ends without a result."""

    def __init__(
        self,
        mappings: Mapping[str, MappingRunner],
        services: Sequence[Service],
        idleness: Idleness,
        unreachable: Unreachable,
        stopping: Callable[[], bool],
    ) -> None:
        self._mappings = mappings
        self._services = services
        self._idleness = idleness
        self._unreachable = unreachable
        self._stopping = stopping
        self._last_logged = anyio.current_time()

    async def wait(self, quiet_seconds: float) -> bool | None:
        """Return when nothing more comes: whether every source is caught up. None when stopped before.

        A mapping is idle when its poller holds nothing and has caught up; one without an answer from its source for
        ``UNREACHABLE_SECONDS`` is given up, once all others are idle.
        """
        self._idleness.mark()
        pause = min(LOOK_SECONDS, quiet_seconds / 4)
        while not self._stopping():
            await anyio.sleep(pause)
            pause = min(LOOK_SECONDS, quiet_seconds / 4)
            if self._idleness.seconds() < quiet_seconds:
                continue
            sights = await self._look()
            match judge(sights, anyio.current_time()):
                case Verdict.BUSY:
                    self._idleness.mark()
                    self._log_what_is_left(sights)
                case Verdict.TROUBLED:
                    pause = ASK_AGAIN_SECONDS
                    self._log_what_is_left(sights)
                case Verdict.CAUGHT_UP:
                    log.info("every source is caught up", quiet_seconds=quiet_seconds)
                    return True
                case Verdict.GIVEN_UP:
                    self._give_up(sights)
                    return False
        return None

    async def _look(self) -> list[Sight]:
        sights = [Sight(service.name, left) for service in self._services if (left := service.left())]
        if sights:
            return sights
        for runner in list(self._mappings.values()):
            if runner.state in (MappingState.PAUSED, MappingState.DISABLED):
                continue
            trouble = self._unreachable.trouble(runner.name)
            if trouble is not None and not runner.held():
                sights.append(Sight(runner.name, trouble.why, trouble))  # not asked: it would not answer
                continue
            sights.append(Sight(runner.name, await _left(runner)))
            if sights[-1].busy:
                break  # the others need not be asked
        return sights

    def _log_what_is_left(self, sights: Sequence[Sight]) -> None:
        if anyio.current_time() - self._last_logged < SAY_SECONDS:
            return
        self._last_logged = anyio.current_time()
        for sight in sights:
            if sight.busy:
                log.info("until idle: still waiting", mapping=sight.mapping, why=sight.busy)

    def _give_up(self, sights: Sequence[Sight]) -> None:
        now = anyio.current_time()
        behind = [sight for sight in sights if sight.trouble is not None]
        for mapping, why, trouble in behind:
            seconds = round(now - trouble.since) if trouble is not None else None
            log.error("not caught up: nothing could be read", mapping=mapping, error=why, seconds=seconds)
        log.error("ending although not every source is caught up", mappings=[sight.mapping for sight in behind])


async def _left(runner: MappingRunner) -> str:
    """What the mapping still has to do; empty when it is caught up."""
    poller = runner.poller
    if poller is None:
        return "it is not running"
    if runner.held():
        return f"{runner.held()} messages or records are held"
    try:
        return "" if await poller.caught_up() else "its source is not caught up"
    except Exception as problem:
        return f"cannot tell whether the source is caught up: {problem}"
