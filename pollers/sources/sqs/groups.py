"""FIFO queues: order within a message group, never two batches of one group at a time (docs/lambda 2.4). A decider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pollers.engine.batching import Limits
    from pollers.sources.sqs.message import Held

HIDDEN_AT_MOST = 1_000
"""Failed groups that are remembered before those are forgotten whose messages can be seen again."""


class MessageGroups:
    """What waits in each message group, and one line over all groups in the order of arrival.

    A batch takes messages from the front of the line whose group is not busy, several groups together. Their groups are then busy
    until each is released, which happens when its messages are deleted, or returned with all that stood behind them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._line: dict[str, Held] = {}
        # By group: how many wait, how many occupy it, and the highest sequence number that waits.
        self._waiting: dict[str, int] = {}
        self._busy: dict[str, int] = {}
        self._last: dict[str, int] = {}
        # By group: the first message that failed, and until when it is hidden at least.
        self._hidden: dict[str, tuple[int, float]] = {}
        # How many wait behind busy groups. Counted, so that nobody has to look through the line to know whether any may go.
        self._blocked = 0

    @property
    def count(self) -> int:
        """How many messages wait, for a permit or for their group."""
        return len(self._line)

    @property
    def runnable(self) -> int:
        """How many of them are in groups that are not busy."""
        return len(self._line) - self._blocked

    @property
    def due_at(self) -> float | None:
        """FIFO queues have no window (docs/lambda 1.3)."""
        return None

    def open(self, now: float) -> None:
        """No window."""

    def add(self, message: Held, now: float) -> None:
        """To the end of the line; of its group it is the last, or nearly always."""
        group = message.group or ""
        self._line[message.id] = message
        self._waiting[group] = self._waiting.get(group, 0) + 1
        if message.sequence < self._last.get(group, 0):
            self._sort(group)
        else:
            self._last[group] = message.sequence
        if group in self._busy:
            self._blocked += 1

    def ready(self, now: float) -> bool:
        """Whether any group may go on."""
        return len(self._line) > self._blocked

    def take(self, now: float) -> list[Held]:
        """The next batch; every group in it becomes busy."""
        free = [message for message in self._line.values() if (message.group or "") not in self._busy]
        # One too large for any event goes alone, in its turn, so that it fails where it stands.
        batch = free[: self._limits.leading(len(message.record) for message in free) or 1]
        for message in batch:
            self._leave(message)
        for group in {message.group for message in batch}:
            self._occupy(group)
        return batch

    def release(self, group: str | None) -> None:
        """What occupied the group is settled: when nothing else does, its next may go."""
        name = group or ""
        # More than one may occupy it: a batch that runs, and messages that lapsed behind it and are on their way back.
        self._busy[name] -= 1
        if not self._busy[name]:
            del self._busy[name]
            self._blocked -= self._waiting.get(name, 0)

    def hide(self, message: Held, until: float, now: float) -> None:
        """A message that failed is hidden until then at least: the group has nothing to run before."""
        group = message.group or ""
        if len(self._hidden) >= HIDDEN_AT_MOST:
            self._hidden = {name: hidden for name, hidden in self._hidden.items() if hidden[1] > now}
        first = self._hidden.get(group)
        if first is None or message.sequence <= first[0]:
            self._hidden[group] = (message.sequence, until)

    def overtakes(self, message: Held, now: float) -> float | None:
        """Until when the message must not be run, because one ahead of it is hidden that long; None when it may.

        SQS withholds the group itself. LocalStack shows what follows as soon as any message of the group is visible again.
        """
        group = message.group or ""
        hidden = self._hidden.get(group)
        if hidden is None:
            return None
        if message.sequence > hidden[0] and now < hidden[1]:
            return hidden[1]
        del self._hidden[group]
        return None

    def behind(self, group: str | None) -> list[Held]:
        """Take out everything that waits in the group, in order: what was ahead of it failed."""
        name = group or ""
        if not self._waiting.get(name):
            return []
        taken = [message for message in self._line.values() if (message.group or "") == name]
        for message in taken:
            self._leave(message)
        return taken

    def discard(self, messages: Sequence[Held]) -> list[Held]:
        """Take out these and all that waits in their groups, which stay busy until each is released."""
        groups = dict.fromkeys(message.group for message in messages if message.id in self._line)
        taken = []
        for group in groups:
            taken += self.behind(group)
            self._occupy(group)
        return taken

    def drain(self) -> list[Held]:
        """Give up everything but what waits behind a busy group: SQS might show that while the group still runs."""
        taken = [message for message in self._line.values() if (message.group or "") not in self._busy]
        for message in taken:
            self._leave(message)
        return taken

    def _occupy(self, group: str | None) -> None:
        name = group or ""
        if name not in self._busy:
            self._blocked += self._waiting.get(name, 0)
        self._busy[name] = self._busy.get(name, 0) + 1

    def _leave(self, message: Held) -> None:
        group = message.group or ""
        del self._line[message.id]
        left = self._waiting[group] - 1
        if left:
            self._waiting[group] = left
        else:
            del self._waiting[group]
            self._last.pop(group, None)
        if group in self._busy:
            self._blocked -= 1

    def _sort(self, group: str) -> None:
        """SQS never shows a group out of order; some emulators do when a part of it went back."""
        members = sorted(
            (message for message in self._line.values() if (message.group or "") == group),
            key=lambda message: message.sequence,
        )
        self._last[group] = members[-1].sequence
        places = iter(members)
        line = [next(places) if (message.group or "") == group else message for message in self._line.values()]
        self._line = {message.id: message for message in line}
