"""A bounded record of the latest facts, searched to answer what happened to one event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from pollers.clocks.clock import Clock, SystemClock
from pollers.telemetry.async_facts import ASYNC_FACTS, AsyncFact
from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DeleteRetried,
    Discarded,
    Expired,
    Extended,
    Fact,
    Filtered,
    Invoked,
    Invoking,
    Outcome,
    Received,
    Returned,
)
from pollers.telemetry.mapping_board import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pollers.telemetry.sinks import Routes

IDS_KEPT = 500_000
"""How many event ids all kept facts may hold together (about 30 MB). The oldest facts are dropped first. Each
event is in about four.
"""
IDS_AT_ONCE = 10_000
"""How many ids a search looks at before the event loop gets a turn."""
ID_BYTES = 100
FACT_WEIGHT = 4
"""The memory of a fact without its ids, counted in ids (of about :data:`ID_BYTES` each)."""

_OfEvents: TypeAlias = (
    Received | Filtered | Invoking | Invoked | Extended | Returned | Deleted | DeleteRetried | Expired | Discarded
)
_Kept: TypeAlias = _OfEvents | Checkpointed | AsyncFact
_WITH_IDS = (Received, Filtered, Invoking, Extended, Returned, Deleted, DeleteRetried, Expired, Discarded)


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to an event. ``at`` is seconds since the epoch."""

    at: float
    mapping: str
    what: str
    detail: str

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"at": self.at, "mapping": self.mapping, "what": self.what, "detail": self.detail}


class Recorder:
    """The sink. It keeps one fact for a batch, not one for each event, so recording costs nothing for each
    event; a search reads all.
    """

    def __init__(self, clock: Clock | None = None, ids_kept: int = IDS_KEPT) -> None:
        self._time = (clock or SystemClock()).time
        self._weight_kept = ids_kept
        self._kept: deque[tuple[float, str, _Kept, int]] = deque()
        self._weight = 0

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.sinks.RoutedSink`."""
        return {
            **dict.fromkeys(_WITH_IDS, partial(self._of_events, mapping)),
            Invoked: partial(self._invoked, mapping),
            Checkpointed: partial(self._checkpointed, mapping),
        }

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Keep a fact that is about events."""
        keep = self.routes(mapping).get(type(fact))
        if keep is not None:
            keep(fact)

    def asynchronous(self, function: str, fact: AsyncFact) -> None:
        """Keep a fact about an asynchronous event."""
        self._keep(function, fact, len(fact.ids) + FACT_WEIGHT)

    def _of_events(self, mapping: str, fact: _OfEvents) -> None:
        self._keep(mapping, fact, len(fact.ids) + FACT_WEIGHT)

    def _invoked(self, mapping: str, fact: Invoked) -> None:
        weight = len(fact.ids) + FACT_WEIGHT
        if fact.outcome is not Outcome.SUCCESS:
            error = shortened(fact.error or "")
            fact = replace(fact, error=error, first_payload=b"")
            weight += len(fact.failed_ids) + len(error) // ID_BYTES
        self._keep(mapping, fact, weight)

    def _checkpointed(self, mapping: str, fact: Checkpointed) -> None:
        self._keep(mapping, fact, FACT_WEIGHT)

    def _keep(self, mapping: str, fact: _Kept, weight: int) -> None:
        kept = self._kept
        kept.append((self._time(), mapping, fact, weight))
        self._weight += weight
        while self._weight > self._weight_kept and len(kept) > 1:
            self._weight -= kept.popleft()[3]

    @property
    def since(self) -> float | None:
        """Everything since this time is kept (seconds since the epoch); None when nothing is."""
        return self._kept[0][0] if self._kept else None

    def searching(self, identifier: str) -> Iterator[list[Moment]]:
        """Everything kept about the event with this message id or sequence number, in order.

        In steps of less than a millisecond, so that a caller can let other tasks run between them. The search covers what
        was kept at its beginning.
        """
        unwritten = _Unwritten(identifier)
        found: list[Moment] = []
        looked_at = 0
        for at, mapping, fact, weight in list(self._kept):
            words = unwritten.describe(mapping, fact) if isinstance(fact, Checkpointed) else _describe(fact, identifier)
            if isinstance(fact, Received):
                unwritten.note_receive(mapping, fact)
            if words is not None:
                found.append(Moment(at, mapping, *words))
            looked_at += weight
            if looked_at >= IDS_AT_ONCE:
                yield found
                found, looked_at = [], 0
        yield found


class _Unwritten:
    """The shards in which the event was received and that no checkpoint has moved past it yet.

    A checkpoint names only its last record. It covers the event if that was received with the event or after it, for a shard's
    records are received in their order. Where it was not received, numbers are compared, and other positions cannot be.
    """

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier
        self._number = _number(identifier)
        self._followers: dict[tuple[str, str], set[str]] = {}

    def note_receive(self, mapping: str, fact: Received) -> None:
        """Note a receive: the event may be in it, or have been received before it."""
        where = (mapping, fact.source)
        if self._identifier in fact.ids:
            self._followers[where] = set()
        if where in self._followers and fact.source:
            begin = fact.ids.index(self._identifier) if self._identifier in fact.ids else 0
            self._followers[where].update(fact.ids[begin:])

    def describe(self, mapping: str, fact: Checkpointed) -> tuple[str, str] | None:
        """Describe the first checkpoint that covers the event; None for every other."""
        where = (mapping, fact.source)
        if where not in self._followers or not self._passed_by(fact.sequence_number, self._followers[where]):
            return None
        del self._followers[where]
        return "checkpointed", f"the checkpoint of {fact.source} moved on by {_count(fact.count, 'record')}, past it"

    def _passed_by(self, position: str, followers: set[str]) -> bool:
        upto = _number(position)
        return position in followers or (upto is not None and self._number is not None and upto >= self._number)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _describe(fact: _OfEvents | AsyncFact, identifier: str) -> tuple[str, str] | None:
    if identifier not in fact.ids:
        return None
    return _WORDS[type(fact)](fact, identifier)


def _received(fact: Received, identifier: str) -> tuple[str, str]:
    place = f" from {fact.source}" if fact.source else ""
    count = dict(zip(fact.ids, fact.receive_counts, strict=False)).get(identifier)
    if count is None:
        return "received", f"{_with_others(fact.ids)}{place}"
    return ("found again" if count > 1 else "received"), f"receive {count}, {_with_others(fact.ids)}{place}"


def _with_others(ids: Sequence[str]) -> str:
    others = len(ids) - 1
    return "alone" if not others else f"with {_count(others, 'other')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _invoking(fact: Invoking, _: str) -> tuple[str, str]:
    batch = f"in a batch of {len(fact.ids):,}" if len(fact.ids) > 1 else "alone"
    waited = f", after {fact.gather_seconds:.3f} s of gathering" if fact.gather_seconds else ""
    return "invoked", f"request {fact.request_id}, {batch}, attempt {fact.attempt}{waited}"


def _invoked(fact: Invoked, identifier: str) -> tuple[str, str]:
    took = f"after {fact.duration_seconds:.3f} s (request {fact.request_id})"
    if fact.outcome is Outcome.SUCCESS or (fact.outcome is Outcome.PARTIAL and identifier not in fact.failed_ids):
        return "accepted", took
    if fact.outcome is Outcome.PARTIAL:
        return "failed", f"reported in batchItemFailures {took}"
    if fact.outcome is Outcome.THROTTLE:
        return "throttled", f"{fact.error or 'the function is at its limit'}, {took}"
    return "failed", f"with {fact.outcome}: {fact.error or 'no reason given'}, {took}"


def _extended(fact: Extended, _: str) -> tuple[str, str]:
    refused = f"; the queue refused {_count(fact.failed, 'message')} of the {len(fact.ids)}" if fact.failed else ""
    return "extended", f"visibility extended to {fact.seconds} s{refused}"


def _returned(fact: Returned, _: str) -> tuple[str, str]:
    when = "when its visibility timeout runs out" if fact.delay_seconds is None else f"in {fact.delay_seconds:g} s"
    return "returned", f"{fact.reason}; to be seen again {when}"


def _discarded(fact: Discarded, _: str) -> tuple[str, str]:
    sent = f"failure record sent to {fact.destination}" if fact.destination else "no destination configured"
    return "discarded", f"{fact.condition}; {sent}"


_WORDS: dict[type, Callable[..., tuple[str, str]]] = {
    Received: _received,
    Filtered: lambda fact, _: ("filtered", "no filter matches it"),
    Invoking: _invoking,
    Invoked: _invoked,
    Extended: _extended,
    Returned: _returned,
    Deleted: lambda fact, _: ("deleted", "confirmed by the queue"),
    DeleteRetried: lambda fact, _: ("delete retried", fact.error),
    Expired: lambda fact, _: ("expired", f"{fact.reason}; it may be seen again"),
    Discarded: _discarded,
    **dict.fromkeys(ASYNC_FACTS, lambda fact, _: fact.words()),
}
