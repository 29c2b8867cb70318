"""The books of one mapping: every received event is accounted for (DESIGN promise 4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

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

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Enter one fact."""
        match fact:
            case Received():
                self.received += len(fact.ids)
            case Invoking():
                self.invocations += 1
                self.invoked += len(fact.ids)
            case Invoked(outcome="success"):
                pass
            case Invoked(outcome="throttle"):
                self.throttled += 1
            case Invoked():
                self.failed_invocations += 1
                self.failed += len(fact.failed_ids) if fact.outcome == "partial" else len(fact.ids)
            case Deleted():
                self.deleted += len(fact.ids)
            case Checkpointed():
                self.checkpointed += fact.count
            case Discarded():
                self.discarded += len(fact.ids)
                self.discarded_by[fact.condition] = self.discarded_by.get(fact.condition, 0) + len(fact.ids)
            case Returned():
                self.returned += len(fact.ids)
            case Expired():
                self.expired += len(fact.ids)
            case Filtered():
                self.filtered += len(fact.ids)
            case Extended():
                self.extended += len(fact.ids) - fact.failed
            case DeleteRetried():
                self.deletes_retried += len(fact.ids)
            case _:
                pass
