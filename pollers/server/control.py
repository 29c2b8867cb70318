"""What an operator may do to a running Headrace."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from pollers.supervisor.reloading import Reloaded, reload_from

if TYPE_CHECKING:
    from pathlib import Path

    from pollers.supervisor.mapping import MappingRunner
    from pollers.supervisor.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)


class UnknownMapping(KeyError):  # noqa: N818 - named for what the reader must do next: use another name
    """No mapping has that name."""


class Control:
    """Pause, resume, drain and reload, each logged."""

    def __init__(self, runtime: Runtime, path: Path | None) -> None:
        self._runtime = runtime
        self._path = path

    def pause(self, name: str) -> dict[str, Any]:
        """Stop polling for one mapping; the events that it holds are finished or returned."""
        self._mapping(name).pause()
        log.info("mapping paused", mapping=name)
        return {"mapping": name, "paused": True}

    def resume(self, name: str) -> dict[str, Any]:
        """Poll again; also ends the wait after a failure at once."""
        self._mapping(name).resume()
        log.info("mapping resumed", mapping=name)
        return {"mapping": name, "paused": False}

    def drain(self) -> dict[str, Any]:
        """Pause every mapping."""
        for name in self._runtime.mappings:
            self.pause(name)
        return {"draining": list(self._runtime.mappings)}

    def held(self) -> int:
        """How many events are still held by all mappings."""
        return sum(runner.poller.held() for runner in self._runtime.mappings.values() if runner.poller is not None)

    async def reload(self) -> dict[str, Any]:
        """Apply the configuration as it is on disk now: all of it, or nothing if it has ``faults``."""
        if self._path is None:
            return asdict(Reloaded(faults=["this Headrace was not started from a file"]))
        return asdict(await reload_from(self._runtime, self._path))

    def _mapping(self, name: str) -> MappingRunner:
        if name not in self._runtime.mappings:
            raise UnknownMapping(name)
        return self._runtime.mappings[name]
