"""Which mappings have long got nothing from their sources: the fold that ``--until-idle`` asks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pollers.clocks.clock import loop_time
from pollers.telemetry.facts import (
    MAPPING_TASK,
    OPENING_TASK,
    RECEIVE_TASK,
    Doing,
    Fact,
    Listed,
    Polled,
    Removed,
    ShardEnded,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.telemetry.sinks import Routes


MENDED_SECONDS = 30.0
"""A mapping that breaks down again within so long of its new start was not mended by it, whatever answered in between."""


class Trouble(NamedTuple):
    """Why a mapping gets nothing, and since when it has got nothing in between (monotonic seconds)."""

    since: float
    why: str


class Unreachable:
    """A sink that remembers, for each mapping, tasks that back off and have not had an answer of their source since.

    A task that begins another try has not succeeded by that: only a poll or a listing that came back says so, or its end.
    For a mapping that breaks down at each start not even that: its stream may be listed each time, and not be readable.
    """

    def __init__(self, now: Callable[[], float] = loop_time) -> None:
        self._now = now
        self._troubles: dict[str, dict[str, Trouble]] = {}
        self._broke_down: dict[str, tuple[float, float]] = {}
        """By mapping: since when it breaks down at each start, and when it was to start again."""

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.sinks.RoutedSink`."""
        troubles = self._troubles.setdefault(mapping, {})
        return {
            Doing: partial(self._doing, mapping, troubles),
            Polled: partial(_answered, troubles),
            Listed: lambda _: _forget(troubles, OPENING_TASK),
            ShardEnded: partial(_answered, troubles),
            Removed: partial(self._removed, mapping, troubles),
        }

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Note a fact."""
        take = self.routes(mapping).get(type(fact))
        if take is not None:
            take(fact)

    def trouble(self, mapping: str) -> Trouble | None:
        """The longest trouble that the mapping has now."""
        return min(self._troubles.get(mapping, {}).values(), default=None)

    def _doing(self, mapping: str, troubles: dict[str, Trouble], fact: Doing) -> None:
        if fact.state is State.BACKING_OFF:
            known = troubles.get(fact.task)
            since = known.since if known else self._now()
            if fact.task == MAPPING_TASK:
                since = self._breaks_down(mapping, since, fact.until_seconds or 0.0)
            troubles[fact.task] = Trouble(since, fact.detail)
        elif fact.state is State.ENDED and fact.task not in (MAPPING_TASK, OPENING_TASK):  # they say so before each try
            troubles.pop(fact.task, None)

    def _breaks_down(self, mapping: str, since: float, wait_seconds: float) -> float:
        """Note a breakdown; since when there has been one at each start."""
        now = self._now()
        before, again_at = self._broke_down.get(mapping, (since, now))
        if now <= again_at + MENDED_SECONDS:
            since = min(before, since)
        self._broke_down[mapping] = since, now + wait_seconds
        return since

    def _removed(self, mapping: str, troubles: dict[str, Trouble], _: Removed) -> None:
        troubles.clear()
        self._broke_down.pop(mapping, None)


def _answered(troubles: dict[str, Trouble], fact: Polled | ShardEnded) -> None:
    if troubles:
        _forget(troubles, fact.source or RECEIVE_TASK)


def _forget(troubles: dict[str, Trouble], task: str) -> None:
    troubles.pop(task, None)
    troubles.pop(MAPPING_TASK, None)
