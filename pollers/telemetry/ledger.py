"""The books of one mapping: every received event is accounted for (docs/design, promise 4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pollers.telemetry.counts import Counts

if TYPE_CHECKING:
    from pollers.telemetry.facts import Fact
    from pollers.telemetry.sinks import Routes


@dataclass(slots=True)
class Ledger(Counts):
    """received = deleted + checkpointed + discarded + returned + expired + in flight."""

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
        """See :class:`pollers.telemetry.sinks.RoutedSink`; a ledger is of one mapping."""
        return self.handlers()

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Enter one fact."""
        enter = self.handlers().get(type(fact))
        if enter is not None:
            enter(fact)
