"""The counts of a mapping in the demo's live view, folded from facts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import anyio

from pollers.telemetry.facts import (
    Checkpointed,
    Deleted,
    Discarded,
    Fact,
    Invoked,
    Polled,
    ShardEnded,
    ShardSeen,
)

RATE_SECONDS = 5.0
"""Over how long batches a second are averaged."""


@dataclass(slots=True)
class MappingCounts:
    """One mapping's moving numbers."""

    batches: int = 0
    done: int = 0
    behind: dict[str, float] = field(default_factory=dict)
    shards: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    recent: deque[float] = field(default_factory=deque)

    def batches_per_second(self, now: float) -> float:
        """Finished invocations a second, over the last few seconds."""
        while self.recent and self.recent[0] < now - RATE_SECONDS:
            self.recent.popleft()
        return len(self.recent) / RATE_SECONDS

    @property
    def iterator_age(self) -> float | None:
        """How far the reader furthest behind its shard's tip is behind, in seconds; None without streams."""
        return max(self.behind.values()) if self.behind else None


@dataclass(slots=True)
class CountsSink:
    """Keeps a :class:`MappingCounts` for each mapping."""

    mappings: dict[str, MappingCounts] = field(default_factory=dict)

    def __call__(self, mapping: str, fact: Fact) -> None:
        """Fold one fact in."""
        counts = self.mappings.setdefault(mapping, MappingCounts())
        match fact:
            case Invoked():
                counts.batches += 1
                counts.recent.append(anyio.current_time())
            case Deleted():
                counts.done += len(fact.ids)
            case Checkpointed():
                counts.done += fact.count
            case Discarded():
                counts.done += len(fact.ids)
            case Polled(behind_seconds=float(behind)):
                counts.behind[fact.source] = behind
            case ShardSeen():
                counts.shards.add(fact.source)
            case ShardEnded():
                counts.ended.add(fact.source)
                counts.behind.pop(fact.source, None)
            case _:
                pass
