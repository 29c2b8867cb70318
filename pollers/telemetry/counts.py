"""What every fold over a mapping's facts counts: the one place that says what a fact adds to which count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    DeleteRetried,
    Discarded,
    Expired,
    Extended,
    Filtered,
    Invoked,
    Invoking,
    Outcome,
    Received,
    Returned,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Counts:
    """Counts of one mapping. All count events, except ``invocations``, ``failed_invocations`` and ``throttled``.

    ``filtered`` events are also counted where they ended (deleted or checkpointed).
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

    def _received(self, fact: Received) -> None:
        self.received += len(fact.ids)

    def _filtered(self, fact: Filtered) -> None:
        self.filtered += len(fact.ids)

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

    def _delete_retried(self, fact: DeleteRetried) -> None:
        self.deletes_retried += len(fact.ids)

    def _checkpointed(self, fact: Checkpointed) -> None:
        self.checkpointed += fact.count

    def _discarded(self, fact: Discarded) -> None:
        count, condition = len(fact.ids), fact.condition.value
        self.discarded += count
        self.discarded_by[condition] = self.discarded_by.get(condition, 0) + count

    def _returned(self, fact: Returned) -> None:
        self.returned += len(fact.ids)

    def _expired(self, fact: Expired) -> None:
        self.expired += len(fact.ids)

    def _extended(self, fact: Extended) -> None:
        self.extended += len(fact.ids) - fact.failed

    def handlers(self) -> dict[type, Callable[[Any], None]]:
        """The method that counts each type of fact."""
        return {
            Received: self._received,
            Filtered: self._filtered,
            Invoking: self._invoking,
            Invoked: self._invoked,
            Deleted: self._deleted,
            DeleteRetried: self._delete_retried,
            Checkpointed: self._checkpointed,
            Discarded: self._discarded,
            Returned: self._returned,
            Expired: self._expired,
            Extended: self._extended,
        }
