"""Destinations: where reports go of discarded stream batches and of asynchronous invocations, and dead letters.

::

    destination           what a destination is; kinds of destinations, and what they are used for
      sqs sns s3 function event_bus       the kinds, each one declaration
      limits                what messages may hold
      own_functions  recursion            functions that run here
    record  batches       streams: the failure record of a discarded batch
    ended                 the end of an asynchronous invocation, and the seam to the queue that keeps it
      invocation_record     its record
      dead_letters          its event as a dead letter; schedule_letters: those of schedules
      reporting             whom an end is told to, and in which form
    post                  sends reports to the destinations that ARNs name

May import :mod:`config`, :mod:`pollers.aws`, :mod:`pollers.jsontext` and the types of :mod:`pollers.telemetry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.exports import lazily
from pollers.destinations.batches import BatchDestination, make_destination, mapping_uuid
from pollers.destinations.destination import DestinationUnusable, OwnFunctions, Undeliverable, Ways
from pollers.destinations.record import UNHANDLED, BatchInfoForm, FailureRecord

if TYPE_CHECKING:
    from pollers.destinations.dead_letters import SCHEDULE_DEAD_LETTER
    from pollers.destinations.ended import (
        AcceptedEvent,
        Condition,
        Deliveries,
        EndedInvocation,
        Role,
        TargetRefuses,
    )
    from pollers.destinations.own_functions import QueuedFunctions
    from pollers.destinations.post import Post
    from pollers.destinations.reporting import PostedDeliveries
    from pollers.destinations.schedule_letters import FailedHandover, rule_dead_letter, scheduler_dead_letter

__all__ = [
    "SCHEDULE_DEAD_LETTER",
    "UNHANDLED",
    "AcceptedEvent",
    "BatchDestination",
    "BatchInfoForm",
    "Condition",
    "Deliveries",
    "DestinationUnusable",
    "EndedInvocation",
    "FailedHandover",
    "FailureRecord",
    "OwnFunctions",
    "Post",
    "PostedDeliveries",
    "QueuedFunctions",
    "Role",
    "TargetRefuses",
    "Undeliverable",
    "Ways",
    "make_destination",
    "mapping_uuid",
    "rule_dead_letter",
    "scheduler_dead_letter",
]
__getattr__ = lazily(
    __name__,
    {
        "dead_letters": "SCHEDULE_DEAD_LETTER",
        "ended": "AcceptedEvent Condition Deliveries EndedInvocation Role TargetRefuses",
        "own_functions": "QueuedFunctions",
        "post": "Post",
        "reporting": "PostedDeliveries",
        "schedule_letters": "FailedHandover rule_dead_letter scheduler_dead_letter",
    },
)
