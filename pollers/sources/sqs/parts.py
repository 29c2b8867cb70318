"""The parts of one queue's poller, made in an order in which each needs only those before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.sources.sqs.deleting import Deletes
from pollers.sources.sqs.group_settling import GroupSettling
from pollers.sources.sqs.groups import MessageGroups
from pollers.sources.sqs.intake import Intake
from pollers.sources.sqs.invoking import Invoker
from pollers.sources.sqs.receive_calls import ReceiveCalls
from pollers.sources.sqs.receiving import Receiver
from pollers.sources.sqs.returns import Returns
from pollers.sources.sqs.settling import Settling
from pollers.sources.sqs.starting import Starter
from pollers.sources.sqs.waiting import Buffer

if TYPE_CHECKING:
    from pollers.filtering import RecordFilter
    from pollers.sources.sqs.context import QueueContext, Spawn
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.planning import Terms
    from pollers.sources.sqs.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Parts:
    """What the poller itself starts, stops and asks."""

    heartbeat: Heartbeat
    deletes: Deletes
    returns: Returns
    settling: Settling
    starter: Starter
    receiver: Receiver


def _make_settling(
    context: QueueContext, heartbeat: Heartbeat, spawn_side: Spawn
) -> tuple[Waiting, Deletes, Returns, Settling]:
    """The parts that hold messages and part with them. ``spawn_side`` starts tasks that outlive the work on messages."""
    deletes, returns = Deletes(context, heartbeat, spawn_side), Returns(context, heartbeat)
    if context.mapping.fifo:
        groups = MessageGroups(context.limits)
        return groups, deletes, returns, GroupSettling(context, heartbeat, deletes, returns, groups)
    return Buffer(context.limits), deletes, returns, Settling(context, heartbeat, deletes, returns)


def make_parts(
    context: QueueContext,
    heartbeat: Heartbeat,
    terms: Terms,
    entitlement: Entitlement,
    event_filter: RecordFilter | None,
    spawn_side: Spawn,
) -> Parts:
    """Everything that receives, runs and settles messages."""
    waiting, deletes, returns, settling = _make_settling(context, heartbeat, spawn_side)
    invoker = Invoker(context, entitlement, heartbeat, settling)
    starter = Starter(context, waiting, entitlement, settling, invoker)
    intake = Intake(context, event_filter, waiting, heartbeat, deletes, settling)
    calls = ReceiveCalls(context, waiting, entitlement, heartbeat, intake)
    receiver = Receiver(context, terms, waiting, entitlement, calls, starter, deletes)
    return Parts(heartbeat, deletes, returns, settling, starter, receiver)
