"""What became of a batch, and when its failed messages are to be seen again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollers.sources.sqs.message import Held


class SeenAgain(Enum):
    """When a message that goes back is to be seen again."""

    BY_POLICY = "by policy"
    """It failed: after the mapping's retry delay, or as on Lambda when there is none."""
    AFTER_TIMEOUT = "after timeout"
    """The function could not be run on it: when its original visibility timeout would have run out."""
    AT_ONCE = "at once"
    """We are stopping: another may have it now."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    done: list[Held] = field(default_factory=list)
    failed: list[Held] = field(default_factory=list)
    reason: str = ""
    seen_again: SeenAgain = SeenAgain.BY_POLICY
