"""Logs what keeps a mapping from going on, for those who look at neither the console nor health nor metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from pollers.clocks.clock import loop_time
from pollers.telemetry.facts import (
    MAPPING_TASK,
    OPENING_TASK,
    RECEIVE_TASK,
    Doing,
    Fact,
    Invoked,
    Outcome,
    Polled,
    Removed,
    State,
)
from pollers.telemetry.mapping_board import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.telemetry.sinks import Routes

log = structlog.stdlib.get_logger(__name__)

REPEAT_SECONDS = 60.0
"""A mapping's trouble of one kind is logged at most this often, however many shards or batches have it."""
ERRORS_A_MINUTE = 10
"""How many different errors of a mapping's batches are logged in a minute."""

_WORDS = {
    State.BACKING_OFF: "waiting before another try",
    State.RETRYING: "a batch failed and is tried again",
    State.DELIVERING: "a failure record could not be delivered and is tried again",
}


@dataclass(slots=True)
class _Minute:
    """Which errors a mapping's failed batches had since ``began``, and how many batches were not logged since the last line."""

    began: float
    kinds: set[str] = field(default_factory=set)
    unlogged: int = 0


class Troubles:
    """A sink that logs what goes wrong and is tried again: at once, then once a minute, and once more when it is over.

    ``now`` gives monotonic seconds.
    """

    def __init__(self, now: Callable[[], float] = loop_time) -> None:
        self._now = now
        self._last_logged: dict[tuple[str, State], float] = {}
        self._failing: dict[str, set[str]] = {}
        self._since: dict[str, float] = {}
        self._minutes: dict[str, _Minute] = {}

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.sinks.RoutedSink`."""
        return {
            Doing: partial(self._doing, mapping),
            Invoked: partial(self._invoked, mapping),
            Polled: partial(self._polled, mapping),
            Removed: partial(self._removed, mapping),
        }

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Log what one fact reports, if it is a trouble or the end of one."""
        if isinstance(fact, Doing):
            self._doing(mapping, fact)
        elif isinstance(fact, Invoked):
            self._invoked(mapping, fact)
        elif isinstance(fact, Polled):
            self._polled(mapping, fact)
        elif isinstance(fact, Removed):
            self._removed(mapping, fact)

    def _doing(self, mapping: str, fact: Doing) -> None:
        if fact.task == MAPPING_TASK:
            if fact.state is State.BACKING_OFF:
                self._failing.setdefault(mapping, set())
                self._since.setdefault(mapping, self._now())
            return
        words = _WORDS.get(fact.state)
        if words is not None:
            self._trouble(mapping, fact, words)
        elif fact.state is State.ENDED and mapping in self._failing and fact.task not in (RECEIVE_TASK, OPENING_TASK):
            self._failing[mapping].discard(fact.task)

    def _trouble(self, mapping: str, fact: Doing, words: str) -> None:
        now = self._now()
        if fact.state is State.BACKING_OFF:
            self._failing.setdefault(mapping, set()).add(fact.task)
        last = self._last_logged.get((mapping, fact.state))
        if last is not None and now - last < REPEAT_SECONDS:
            return
        self._last_logged[mapping, fact.state] = now
        if fact.state is State.BACKING_OFF:
            self._since.setdefault(mapping, now)
        wait = None if fact.until_seconds is None else round(fact.until_seconds, 1)
        log.warning(words, mapping=mapping, task=fact.task, why=fact.detail, retry_seconds=wait)

    def _invoked(self, mapping: str, fact: Invoked) -> None:
        """Log that a queue's batch failed. Not every function logs that itself, and none knows that its response could not be read.

        A stream's failed batches are logged when they are retried or discarded.
        """
        if fact.outcome is not Outcome.ERROR or fact.source:
            return
        error = shortened(fact.error or "")
        kind = error.replace(fact.request_id, "")  # else every error would be a different one
        minute, now = self._minutes.get(mapping), self._now()
        if minute is None or now - minute.began >= REPEAT_SECONDS:
            minute = self._minutes[mapping] = _Minute(now, unlogged=0 if minute is None else minute.unlogged)
        if kind in minute.kinds or len(minute.kinds) >= ERRORS_A_MINUTE:
            minute.unlogged += 1
            return
        minute.kinds.add(kind)
        more = {"batches_not_logged_before": minute.unlogged} if minute.unlogged else {}
        minute.unlogged = 0
        log.error(
            "a batch failed", mapping=mapping, messages=len(fact.ids), request_id=fact.request_id, why=error, **more
        )

    def _polled(self, mapping: str, fact: Polled) -> None:
        """A poll succeeded. The trouble is over once every task that failed has read again; a poll that only
        began may still fail.
        """
        failing = self._failing.get(mapping)
        if failing is None:
            return
        # A shard can be read only when its stream has been opened.
        failing -= {fact.source or RECEIVE_TASK, OPENING_TASK}
        if not failing:
            del self._failing[mapping]
            since = self._since.pop(mapping, None)
            if since is not None:
                log.info("the source is read again", mapping=mapping, after_seconds=round(self._now() - since, 1))

    def _removed(self, mapping: str, _: Removed) -> None:
        self._failing.pop(mapping, None)
        self._since.pop(mapping, None)
        self._minutes.pop(mapping, None)
        for state in _WORDS:
            self._last_logged.pop((mapping, state), None)
