"""Messages that wait for an invocation, cut into batches. A decider; FIFO queues have another, :mod:`groups`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from pollers.engine.batching import Gather, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.sources.sqs.message import Held


class Waiting(Protocol):
    """What has been received and not started."""

    @property
    def count(self) -> int:
        """How many messages wait."""

    @property
    def runnable(self) -> int:
        """How many of them wait for nothing but a permit (or for their batch to fill)."""

    @property
    def due_at(self) -> float | None:
        """When the batch that is being gathered must go."""

    def open(self, now: float) -> None:
        """Polling for a new batch begins: its window opens."""

    def add(self, message: Held, now: float) -> None:
        """One more message, in the order of the queue."""

    def overtakes(self, message: Held, now: float) -> float | None:
        """Until when the message must not be run, if it came before one that is ahead of it."""

    def ready(self, now: float) -> bool:
        """Whether a batch should be invoked now."""

    def take(self, now: float) -> list[Held]:
        """The next batch. Its groups are busy until they are released."""

    def discard(self, messages: Sequence[Held]) -> list[Held]:
        """Forget waiting messages that are no longer ours, and what must not be run without them; all of these, to be settled."""

    def drain(self) -> list[Held]:
        """Give up everything that does not wait for its own group."""


class Buffer:
    """Standard queues: one line, one batch gathered at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._line: deque[Held] = deque()
        self._gather = Gather(limits)

    @property
    def count(self) -> int:
        """How many messages wait."""
        return len(self._line)

    @property
    def runnable(self) -> int:
        """All of them."""
        return len(self._line)

    @property
    def due_at(self) -> float | None:
        """When the window ends."""
        return self._gather.due_at

    def open(self, now: float) -> None:
        """The window of the next batch opens."""
        self._gather.open(now)

    def add(self, message: Held, now: float) -> None:
        """Into this batch, or behind it when it is full."""
        self._gather.offer(len(message.record), now)
        self._line.append(message)

    def overtakes(self, message: Held, now: float) -> float | None:
        """There is no order here."""
        return None

    def ready(self, now: float) -> bool:
        """Whether size, payload or window ended the batch."""
        return self._gather.ready(now)

    def take(self, now: float) -> list[Held]:
        """The gathered batch; what came behind it begins the next."""
        line = self._line
        batch = [line.popleft() for _ in range(self._gather.count)]
        self._begin(now)
        return batch

    def discard(self, messages: Sequence[Held]) -> list[Held]:
        """Forget them; nothing stands behind anything here."""
        gone = {message.id for message in messages}
        forgotten = [message for message in self._line if message.id in gone]
        due_at = self._gather.due_at
        self._line = deque(message for message in self._line if message.id not in gone)
        if self._line and due_at is not None:
            self._begin(due_at - self._limits.window_seconds)
        else:
            self._gather = Gather(self._limits)
        return forgotten

    def drain(self) -> list[Held]:
        """Everything."""
        drained = list(self._line)
        self._line.clear()
        self._gather = Gather(self._limits)
        return drained

    def _begin(self, opened_at: float) -> None:
        self._gather = Gather(self._limits)
        for message in self._line:
            if not self._gather.offer(len(message.record), opened_at):
                break
