"""What the attributes of a queue mean for its poller."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pollers.sources.sqs.planning import BUSY_POLL_SECONDS, Terms
from pollers.sources.sqs.visibility import Hold, effective_hold, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.models import SqsMapping

LONG_POLL_SECONDS = 20
"""ReceiveMessage waits at most this long; what one idle poll costs."""

CAREFUL_RECEIVES = 3
"""A FIFO queue that allows fewer receives a message is never read ahead: each handing back costs one of them. Nor is any such queue
asked in long polls, unless the configuration says so: what a stop cuts may cost one too."""

DEPTHS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """Of one queue, as far as its poller needs them.

    ``receives_allowed`` is maxReceiveCount of its redrive policy; ``depth`` counts its messages, visible, hidden and delayed.
    """

    visibility_seconds: int
    receives_allowed: float
    depth: int

    @classmethod
    def read(cls, attributes: Mapping[str, str]) -> QueueAttributes:
        """From what GetQueueAttributes returned."""
        return cls(
            int(attributes.get("VisibilityTimeout", "30")),
            _receives_allowed(attributes),
            sum(int(attributes.get(depth, "0")) for depth in DEPTHS),
        )

    def refusal(self, function_seconds: float) -> str | None:
        """Lambda's words where it refuses a function with this timeout; None when the timeouts fit."""
        return refusal(self.visibility_seconds, function_seconds)

    def hold(self, mapping: SqsMapping, function_seconds: float) -> Hold:
        """For how long messages are to be hidden."""
        return effective_hold(
            self.visibility_seconds,
            function_seconds=function_seconds,
            window_seconds=mapping.maximum_batching_window_in_seconds,
            heartbeat=mapping.visibility.heartbeat,
        )

    def terms(self, mapping: SqsMapping, long_poll_seconds: int = LONG_POLL_SECONDS) -> Terms:
        """On what terms the queue is received from; ``long_poll_seconds`` is the longest wait that the process wants."""
        visibility = mapping.visibility
        seconds = min(long_poll_seconds, visibility.long_poll_seconds)
        every_receive_counts = self.receives_allowed < CAREFUL_RECEIVES
        if every_receive_counts and "long_poll_seconds" not in visibility.model_fields_set:
            seconds = min(seconds, BUSY_POLL_SECONDS)
        return Terms(
            mapping.batch_size,
            windowed=mapping.maximum_batching_window_in_seconds > 0,
            long_poll_seconds=seconds,
            careful=mapping.fifo and every_receive_counts,
        )


def _receives_allowed(attributes: Mapping[str, str]) -> float:
    try:
        return float(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"])
    except (KeyError, ValueError, TypeError):
        return math.inf
