"""Tells what each task of a stream's poller does, whenever that changes: what status pages and health say comes from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollers.telemetry.facts import Doing, State

if TYPE_CHECKING:
    from pollers.telemetry.sinks import Facts


class TaskReports:
    """What each task of one poller was last reported to do."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._last: dict[str, tuple[State, str]] = {}

    def doing(self, task: str, state: State, detail: str = "", until_seconds: float | None = None) -> None:
        """A task does this from now on. What was reported last is not repeated, unless it has an end of its own."""
        if state is State.ENDED:
            if self._last.pop(task, None) is None:
                return
        elif until_seconds is None and self._last.get(task) == (state, detail):
            return
        else:
            self._last[task] = state, detail
        self._facts.emit(Doing(task, state, detail, until_seconds))

    def end_all(self) -> None:
        """No task does anything any more."""
        for task in list(self._last):
            self.doing(task, State.ENDED)
