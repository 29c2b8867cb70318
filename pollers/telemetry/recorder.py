"""A bounded flight recorder: the facts of the last while, searched when somebody asks what happened to one event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pollers.clock import Clock, SystemClock
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
    Received,
    Returned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

IDS_KEPT = 200_000
"""How many event ids all kept facts may name together (some 20 MB); the oldest facts go first."""

_OfEvents: TypeAlias = (
    Received | Filtered | Invoking | Invoked | Extended | Returned | Deleted | DeleteRetried | Expired | Discarded
)


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
    """The sink. It keeps facts whole, once a batch, so that recording costs nothing for each event; a search reads them all."""

    def __init__(self, clock: Clock | None = None, ids_kept: int = IDS_KEPT) -> None:
        self._clock = clock or SystemClock()
        self._ids_kept = ids_kept
        self._kept: deque[tuple[float, str, _OfEvents | Checkpointed]] = deque()
        self._ids = 0

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Keep a fact that is about events."""
        if isinstance(fact, Checkpointed):
            self._keep(mapping, fact, 1)
        elif isinstance(fact, _OfEvents):
            self._keep(mapping, fact, len(fact.ids))

    def _keep(self, mapping: str, fact: _OfEvents | Checkpointed, ids: int) -> None:
        self._kept.append((self._clock.time(), mapping, fact))
        self._ids += ids
        while self._ids > self._ids_kept and len(self._kept) > 1:
            _, _, gone = self._kept.popleft()
            self._ids -= 1 if isinstance(gone, Checkpointed) else len(gone.ids)

    @property
    def since(self) -> float | None:
        """From when on everything is kept (seconds since the epoch); None when nothing is."""
        return self._kept[0][0] if self._kept else None

    def explain(self, identifier: str) -> list[Moment]:
        """Everything kept about the event with this message id or sequence number, in order."""
        moments: list[Moment] = []
        for at, mapping, fact in list(self._kept):
            told = _tell(fact, identifier)
            if told is not None:
                moments.append(Moment(at, mapping, *told))
        return moments


def _tell(fact: _OfEvents | Checkpointed, identifier: str) -> tuple[str, str] | None:
    if isinstance(fact, Checkpointed):
        return _checkpointed(fact, identifier)
    if identifier not in fact.ids:
        return None
    tell = _WORDS[type(fact)]
    return tell(fact, identifier)


def _checkpointed(fact: Checkpointed, identifier: str) -> tuple[str, str] | None:
    """The checkpoint's own record only: which others it passed is not kept, and the invocation's end tells of those."""
    if fact.sequence_number != identifier:
        return None
    return "checkpointed", f"the checkpoint of {fact.source} moved past it and {fact.count - 1} before it"


def _received(fact: Received, identifier: str) -> tuple[str, str]:
    place = f" from {fact.source}" if fact.source else ""
    count = dict(zip(fact.ids, fact.receive_counts, strict=False)).get(identifier)
    if count is None:
        return "received", f"with {len(fact.ids) - 1} others{place}"
    return ("found again" if count > 1 else "received"), f"receive {count}, with {len(fact.ids) - 1} others{place}"


def _invoking(fact: Invoking, _: str) -> tuple[str, str]:
    waited = f" after {fact.gather_seconds:.3f} s of gathering" if fact.gather_seconds else ""
    return "invoked", f"request {fact.request_id}, in a batch of {len(fact.ids)}, attempt {fact.attempt}{waited}"


def _invoked(fact: Invoked, identifier: str) -> tuple[str, str]:
    took = f"after {fact.duration_seconds:.3f} s (request {fact.request_id})"
    if fact.outcome == "success" or (fact.outcome == "partial" and identifier not in fact.failed_ids):
        return "accepted", took
    if fact.outcome == "partial":
        return "failed", f"reported in batchItemFailures {took}"
    return "failed", f"with {fact.outcome}: {fact.error or 'no reason given'}, {took}"


def _returned(fact: Returned, _: str) -> tuple[str, str]:
    when = "when its visibility timeout runs out" if fact.delay_seconds is None else f"in {fact.delay_seconds:g} s"
    return "returned", f"{fact.reason}; to be seen again {when}"


_WORDS: dict[type, Callable[..., tuple[str, str]]] = {
    Received: _received,
    Filtered: lambda fact, _: ("filtered", "no filter matches it"),
    Invoking: _invoking,
    Invoked: _invoked,
    Extended: lambda fact, _: ("extended", f"visibility extended to {fact.seconds} s"),
    Returned: _returned,
    Deleted: lambda fact, _: ("deleted", "confirmed by the queue"),
    DeleteRetried: lambda fact, _: ("delete retried", fact.error),
    Expired: lambda fact, _: ("expired", f"{fact.reason}; it may be seen again"),
    Discarded: lambda fact, _: (
        "discarded",
        f"{fact.condition}; "
        + (f"failure record sent to {fact.destination}" if fact.destination else "no destination configured"),
    ),
}


def conclusions(moments: Sequence[Moment]) -> Iterator[str]:
    """What the timeline says about "why twice" and "why late"."""
    received = [moment for moment in moments if moment.what in ("received", "found again")]
    accepted = [moment for moment in moments if moment.what == "accepted"]
    if not moments:
        return
    if len(received) > 1:
        causes = [m for m in moments if m.what in ("returned", "expired", "failed")]
        why = (
            f": {causes[0].what}, {causes[0].detail}"
            if causes
            else ": its claim ran out elsewhere, or the queue delivered it twice"
        )
        yield f"received {len(received)} times{why}"
    if len(accepted) > 1:
        yield f"accepted {len(accepted)} times: at least once allows that; make the function idempotent"
    if accepted and received and accepted[0].at - received[0].at > 1:
        yield f"accepted {accepted[0].at - received[0].at:.1f} s after it was first received here"
    if not accepted and moments[-1].what not in ("deleted", "discarded", "filtered"):
        yield f"not accepted yet: last {moments[-1].what}"
