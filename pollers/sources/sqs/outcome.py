"""What became of a batch, and when its failed messages are to be seen again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.engine.batching import RECORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.sqs.message import Held

# Why messages go back to the queue:
BEHIND = "behind a message of its group that was not handled"
LAPSED = "its visibility timeout ran out before it was started"
STOPPING = "the poller is stopping"


class SeenAgain(Enum):
    """When a message that goes back is to be seen again."""

    BY_POLICY = "by policy"
    """It failed: after the mapping's retry delay, or as on Lambda when there is none."""
    AFTER_TIMEOUT = "after timeout"
    """The function could not be run on it: when its original visibility timeout would have run out."""
    AT_ONCE = "at once"
    """We are stopping: another may have it now."""


@dataclass(slots=True)
class BatchOutcome:
    """What became of a batch: ``done`` is to be deleted, ``failed`` goes back because of ``reason``."""

    done: list[Held] = field(default_factory=list)
    failed: list[Held] = field(default_factory=list)
    reason: str = ""
    seen_again: SeenAgain = SeenAgain.BY_POLICY


def oversized(messages: Sequence[Held]) -> str:
    """Why messages go back that no event can carry."""
    return (
        f"the event of one message would have {RECORDS.size_bytes + len(messages[0].record):,} bytes, "
        f"over the limit of {PAYLOAD_LIMIT_BYTES:,}: it can never be delivered"
    )
