"""What a receive brought: encoded, recognised if we hold it already, filtered, and handed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from pollers.sources.sqs.events import SqsEncoder
from pollers.sources.sqs.message import Held, Phase
from pollers.sources.sqs.outcome import oversized
from pollers.sources.sqs.trace_header import trace_header
from pollers.sources.sqs.visibility import RECEIVE_SLACK_SECONDS
from pollers.telemetry.facts import Expired, Filtered, Received

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.aws.api import Wire
    from pollers.filtering import RecordFilter
    from pollers.sources.sqs.context import QueueContext
    from pollers.sources.sqs.deleting import Deletes
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.settling import Settling
    from pollers.sources.sqs.waiting import Waiting


@dataclass(slots=True)
class Arrivals:
    """A receive, sorted: for the function, past the filter, too large for any event. ``look`` asks for a look at the deadlines."""

    fresh: list[Held] = field(default_factory=list)
    filtered: list[Held] = field(default_factory=list)
    oversized: list[Held] = field(default_factory=list)
    look: bool = False
    size_bytes: int = 0


class Intake:
    """Takes over the messages of one queue. Each is encoded here, once (docs/design, decision 2).

    A message that is received again while we hold it (its visibility timeout ran out, or the service delivered it twice) is not
    held twice, and never run twice at a time: the newest receipt handle replaces the one we have, as only the newest deletes the
    message, and the delivery that had the old one is counted as expired.
    """

    def __init__(
        self,
        context: QueueContext,
        event_filter: RecordFilter | None,
        waiting: Waiting,
        heartbeat: Heartbeat,
        deletes: Deletes,
        settling: Settling,
    ) -> None:
        mapping = context.mapping
        self._encode = SqsEncoder(mapping.arn, window_seconds=mapping.maximum_batching_window_in_seconds).encode
        self._fifo = mapping.fifo
        self._context = context
        self._held = context.held
        self._facts = context.facts
        self._limits = context.limits
        self._filter = event_filter
        self._waiting = waiting
        self._heartbeat = heartbeat
        self._deletes = deletes
        self._settling = settling

    def take(self, wires: Sequence[Wire], sent_at: float, hidden_seconds: int, *, brief: bool = False) -> None:
        """Hold what a receive brought that was sent at ``sent_at``, and hand it on. See :attr:`Held.brief`."""
        now = anyio.current_time()
        # The service hid them for ``hidden_seconds`` at some moment between the call and its reply.
        hidden_from = max(sent_at, now - RECEIVE_SLACK_SECONDS)
        arrivals = self._sort(wires, hidden_from, hidden_seconds, brief=brief)
        self._context.observed.received(len(wires), arrivals.size_bytes)
        if arrivals.look:
            self._heartbeat.wake()
        if arrivals.filtered:
            self._deletes.put(arrivals.filtered)
        if arrivals.oversized:
            self._context.spawn(self._settling.fail, arrivals.oversized, oversized(arrivals.oversized))
        self._queue_up(arrivals.fresh, now)

    def _queue_up(self, fresh: Sequence[Held], now: float) -> None:
        overtaking = []
        for message in fresh:
            if (until := self._waiting.overtakes(message, now)) is None:
                self._waiting.add(message, now)
            else:
                overtaking.append((message, until))
        if overtaking:
            self._context.spawn(self._settling.hand_back_overtaking, overtaking)

    def _sort(self, wires: Sequence[Wire], hidden_from: float, hidden_seconds: int, *, brief: bool) -> Arrivals:
        arrivals = Arrivals()
        again = []
        counts = []
        for wire in wires:
            record = self._encode(wire)
            arrivals.size_bytes += len(record)
            message = self._message(wire, record, hidden_from, hidden_from + hidden_seconds)
            message.brief = brief
            counts.append(message.receive_count)
            known = self._held.get(message.id)
            if known is not None:
                again.append(message.id)
            if known is not None and not self._has_gone_back(known):
                self._adopt(known, message)
                arrivals.look = True
            else:
                arrivals.look |= self._held.add(message)
                self._sort_one(message, wire, arrivals)
        self._facts.emit(Received("", [wire["MessageId"] for wire in wires], arrivals.size_bytes, counts))
        if again:
            self._facts.emit(Expired(again, "received again while held: the newest receipt handle counts"))
        if arrivals.filtered:
            self._facts.emit(Filtered("", [message.id for message in arrivals.filtered]))
        return arrivals

    def _message(self, wire: Wire, record: bytes, received_at: float, deadline: float) -> Held:
        attributes = wire.get("Attributes") or {}
        return Held(
            wire["MessageId"],
            wire["ReceiptHandle"],
            record,
            attributes.get("MessageGroupId", "") if self._fifo else None,
            int(attributes.get("ApproximateReceiveCount") or 1),
            received_at,
            deadline,
            int(attributes.get("SequenceNumber") or 0) if self._fifo else 0,
            trace_header(wire) if self._facts.traced else None,
        )

    def _sort_one(self, message: Held, wire: Wire, arrivals: Arrivals) -> None:
        if self._filter is not None and not self._filter.matches(wire):
            arrivals.filtered.append(message)
        elif self._fifo or self._limits.deliverable(len(message.record)):
            # In a FIFO group one that is too large fails in its turn, or it would overtake what is ahead of it.
            arrivals.fresh.append(message)
        else:
            arrivals.oversized.append(message)

    def _has_gone_back(self, known: Held) -> bool:
        """Whether we were handing it back, which has come true before we learned of it; what came is a message like any other."""
        if known.phase is not Phase.RETURNING:
            return False
        # The return has happened at the service and its reply is still to come. When it does, nothing is left to do for it.
        known.phase = Phase.GONE
        known.record = b""
        self._held.remove(known)
        return True

    def _adopt(self, known: Held, newest: Held) -> None:
        """Go on with the newest handle. A message that has not been started is also shown as it came last."""
        known.handle = newest.handle
        known.receive_count = newest.receive_count
        known.received_at = newest.received_at
        known.lost = False
        known.extended = False
        if known.phase is Phase.WAITING and len(known.record) == len(newest.record):
            # Of another length it could burst a batch that has been counted already.
            known.record = newest.record
        self._held.moved(known, newest.deadline, brief=newest.brief)
