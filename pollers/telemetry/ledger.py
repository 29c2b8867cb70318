"""The books of one mapping: every received event is accounted for (docs/design, promise 4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from pollers.telemetry.facts import Routes


@dataclass(slots=True)
class Ledger:
    """received = deleted + checkpointed + discarded + returned + expired + in flight.

    A fold over the facts. ``filtered`` events are also counted where they ended (deleted or checkpointed).
    """

    received: int = 0
    deleted: int = 0
    checkpointed: int = 0
    discarded: int = 0
    returned: int = 0
    expired: int = 0
    filtered: int = 0
    invocations: int = 0
    invoked: int = 0
    failed_invocations: int = 0
    failed: int = 0
    throttled: int = 0
    extended: int = 0
    deletes_retried: int = 0
    discarded_by: dict[str, int] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Events held and not yet accounted for."""
        return self.received - self.deleted - self.checkpointed - self.discarded - self.returned - self.expired

    def balances(self, held: int) -> bool:
        """Whether the books agree with ``held``, the number of events that the poller itself counts as held."""
        return self.in_flight == held

    def as_dict(self) -> dict[str, object]:
        """Every column, with ``in_flight``; what is logged each minute and at the end."""
        return {**asdict(self), "in_flight": self.in_flight}

    def routes(self, mapping: str) -> Routes:
        """See :class:`pollers.telemetry.facts.RoutedSink`; a ledger is of one mapping."""
        return {kind: partial(enter, self) for kind, enter in _ENTRIES.items()}

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Enter one fact."""
        enter = _ENTRIES.get(type(fact))
        if enter is not None:
            enter(self, fact)

    def _received(self, fact: Received) -> None:
        self.received += len(fact.ids)

    def _invoking(self, fact: Invoking) -> None:
        self.invocations += 1
        self.invoked += len(fact.ids)

    def _invoked(self, fact: Invoked) -> None:
        if fact.outcome is Outcome.SUCCESS:
            return
        if fact.outcome is Outcome.THROTTLE:
            self.throttled += 1
            return
        self.failed_invocations += 1
        self.failed += len(fact.failed_ids) if fact.outcome is Outcome.PARTIAL else len(fact.ids)

    def _deleted(self, fact: Deleted) -> None:
        self.deleted += len(fact.ids)

    def _checkpointed(self, fact: Checkpointed) -> None:
        self.checkpointed += fact.count

    def _discarded(self, fact: Discarded) -> None:
        self.discarded += len(fact.ids)
        condition = fact.condition.value
        self.discarded_by[condition] = self.discarded_by.get(condition, 0) + len(fact.ids)

    def _returned(self, fact: Returned) -> None:
        self.returned += len(fact.ids)

    def _expired(self, fact: Expired) -> None:
        self.expired += len(fact.ids)

    def _filtered(self, fact: Filtered) -> None:
        self.filtered += len(fact.ids)

    def _extended(self, fact: Extended) -> None:
        self.extended += len(fact.ids) - fact.failed

    def _delete_retried(self, fact: DeleteRetried) -> None:
        self.deletes_retried += len(fact.ids)


_ENTRIES: dict[type, Callable[..., None]] = {
    Received: Ledger._received,
    Invoking: Ledger._invoking,
    Invoked: Ledger._invoked,
    Deleted: Ledger._deleted,
    Checkpointed: Ledger._checkpointed,
    Discarded: Ledger._discarded,
    Returned: Ledger._returned,
    Expired: Ledger._expired,
    Filtered: Ledger._filtered,
    Extended: Ledger._extended,
    DeleteRetried: Ledger._delete_retried,
}
