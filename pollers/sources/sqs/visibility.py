"""How long messages are hidden: the effective visibility timeout, when to extend it, when a failed message is seen again.

Deciders. The rules are docs/lambda 2.6 and docs/design, decision 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from config.models import RetryDelay
from pollers.sources.sqs.message import Held, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIMIT_SECONDS = 43_200
"""SQS hides a message for at most 12 hours from its receive."""

SHORTEST_HOLD_SECONDS = 5
"""With a heartbeat, messages of queues with a shorter timeout are held in steps of this, so that a beat has time to arrive."""

WINDOW_SLACK_SECONDS = 30
"""What Lambda adds to the function's timeout and the window (docs/lambda 2.6)."""

RECEIVE_SLACK_SECONDS = 2.0
"""A message's visibility timeout began at most this long before the receive that brought it came back. It cannot be the time that
the receive was sent, or a long poll of 20 seconds would eat most of a timeout of 30."""

BRIEF_SECONDS = 10
"""Long polls hide what they bring for no longer: one that is cut by a stop may have taken messages that nobody will ever see the
receipt of, and so they come back soon. Long enough for some tries of lengthening the visibility of what did arrive."""

BRIEF_WAIT_SECONDS = 2
"""Receives that may wait so long are long polls. A shorter one ends by itself before a stop would cut it."""

BRIEF_MARGIN_SECONDS = 6.0
"""So long before its end a brief visibility is lengthened. Most functions are done before that, and their messages deleted, so
most messages cost no call for it."""

EXTENDED_PHASES = frozenset({Phase.WAITING, Phase.RUNNING, Phase.DELETING})
"""A message on its way back is never extended: that would overwrite its retry delay."""


@dataclass(frozen=True, slots=True)
class Hold:
    """``timeout_seconds`` after its receive a failed message is seen again, as on Lambda; ``hold_seconds`` is what receives and
    extensions ask for."""

    timeout_seconds: int
    hold_seconds: int


def effective_hold(queue_seconds: int, *, function_seconds: float, window_seconds: int, heartbeat: bool) -> Hold:
    """The queue's own visibility timeout, or with a window that does not fit into it Lambda's formula (docs/lambda 2.6)."""
    timeout = queue_seconds
    needed = math.ceil(function_seconds) + window_seconds
    if window_seconds and needed > queue_seconds:
        timeout = min(LIMIT_SECONDS, needed + WINDOW_SLACK_SECONDS)
    return Hold(timeout, max(timeout, SHORTEST_HOLD_SECONDS) if heartbeat else timeout)


def visibility_of_receive(hold: Hold, wait_seconds: int, *, brief: bool) -> int:
    """For how long a receive that waits ``wait_seconds`` hides its messages. ``brief``: whether that could be lengthened."""
    if brief and wait_seconds >= BRIEF_WAIT_SECONDS:
        return min(hold.hold_seconds, BRIEF_SECONDS)
    return hold.hold_seconds


def refusal(queue_seconds: int, function_seconds: float) -> str | None:
    """Lambda's own words where it refuses to create a mapping (docs/lambda 1.3); None when the timeouts fit."""
    if function_seconds <= queue_seconds:
        return None
    return (
        f"Queue visibility timeout: {queue_seconds} seconds is less than Function timeout: {function_seconds:g} seconds"
    )


def retry_delay_seconds(policy: int | RetryDelay | None, receive_count: int) -> int | None:
    """When a message that failed in its ``receive_count``-th receive is to be seen again; None: as on Lambda."""
    if isinstance(policy, RetryDelay):
        return (
            min(policy.maximum, policy.initial << min(receive_count - 1, 20)) if receive_count > 0 else policy.initial
        )
    return policy


def seconds_to_hide(message: Held, now: float, hold: Hold, delay: int | None) -> int | None:
    """What to set a returned message's visibility to, so that it is seen after ``delay``; None: leave it alone.

    Without a delay it comes back when its original visibility timeout would have run out. If it was never extended that happens
    by itself; if it was, or is hidden but briefly, what remains of the original timeout is set, at least 0.
    """
    if delay is None:
        untouched = message.deadline <= message.received_at + hold.timeout_seconds
        if untouched and not message.extended and not message.brief:
            return None
        delay = math.ceil(message.received_at + hold.timeout_seconds - now)
    most = int(message.received_at + LIMIT_SECONDS - now) - 1
    return max(0, min(delay, most))


def in_order_of_group(
    messages: Iterable[Held], now: float, planned: Mapping[str, int | None], not_before: float = -math.inf
) -> tuple[dict[str, int | None], float]:
    """The plan changed so that no message of a FIFO group is seen before the one ahead of it, and when the last is seen.

    SQS itself withholds a group while any of its messages is hidden; not every emulator does.
    ``messages`` are those of one group, in its order; ``planned`` has the seconds for each id; none is seen ``not_before``.
    """
    seen_at = not_before
    plan: dict[str, int | None] = {}
    for message in messages:
        seconds = planned[message.id]
        would_be_seen = message.deadline + RECEIVE_SLACK_SECONDS if seconds is None else now + seconds
        if would_be_seen < seen_at:
            seconds = max(0, math.ceil(seen_at - now))
            would_be_seen = now + seconds
        seen_at = would_be_seen
        plan[message.id] = seconds
    return plan, seen_at


@dataclass(slots=True)
class Look:
    """What the deadlines demand now, and when to look again (None: when something is added)."""

    extend: list[Held] = field(default_factory=list)
    lapsed: list[Held] = field(default_factory=list)
    again_at: float | None = None


class HeldMessages:
    """Everything that is held, by message id, in order of deadline: a look costs what is due, not what is held.

    New messages have the latest deadline, nearly always, so the order costs nothing; a message that moves goes to the end. Whatever
    breaks the order only notes that, and the next look sorts.
    """

    def __init__(self) -> None:
        self._messages: dict[str, Held] = {}
        self._brief: dict[str, Held] = {}
        self._latest = -math.inf
        self._in_order = True

    def __len__(self) -> int:
        return len(self._messages)

    def get(self, message_id: str) -> Held | None:
        """The held message of this id."""
        return self._messages.get(message_id)

    def all(self) -> list[Held]:
        """Every held message."""
        return list(self._messages.values())

    def add(self, message: Held) -> bool:
        """Hold one more. True when whoever sleeps until the next deadline must look again."""
        first = not self._messages
        self._messages[message.id] = message
        if message.brief:
            first = first or not self._brief
            self._brief[message.id] = message
        return not self._place(message) or first

    def remove(self, message: Held) -> None:
        """It is accounted for."""
        self._messages.pop(message.id, None)
        if message.brief:
            self._brief.pop(message.id, None)

    @property
    def any_brief(self) -> bool:
        """Whether a brief visibility is still to be lengthened."""
        return bool(self._brief)

    def moved(self, message: Held, deadline: float, *, brief: bool = False) -> None:
        """Its visibility now runs out at ``deadline``."""
        message.deadline = deadline
        message.brief = brief
        self._brief.pop(message.id, None)
        if brief and message.id in self._messages:
            self._brief[message.id] = message
        if self._messages.pop(message.id, None) is not None:
            self._messages[message.id] = message
            self._place(message)

    def look(self, now: float, hold_seconds: int, *, heartbeat: bool) -> Look:
        """What to extend, when half of ``hold_seconds`` is left, and whose deadline has passed."""
        self._sort()
        margin_seconds = hold_seconds / 2
        look = Look()
        again_at = self._look_at_brief(now, look)
        for message in self._messages.values():
            if message.brief and message.deadline > now:
                continue  # looked at already: a brief visibility is lengthened by a rule of its own
            due_at = message.deadline - margin_seconds if heartbeat else message.deadline
            if due_at > now:
                again_at = min(again_at, due_at)
                break
            if message.lost:
                continue
            if message.deadline <= now:
                look.lapsed.append(message)
            elif heartbeat and extension(message, now, hold_seconds) is not None:
                look.extend.append(message)
            else:
                again_at = min(again_at, message.deadline)
        look.again_at = None if math.isinf(again_at) else again_at
        return look

    def _look_at_brief(self, now: float, look: Look) -> float:
        """Those with a brief visibility, with a heartbeat or without; when to look at them again."""
        again_at = math.inf
        for message in self._brief.values():
            if (due_at := message.deadline - BRIEF_MARGIN_SECONDS) > now:
                return min(again_at, due_at)
            if message.deadline > now and not message.lost:
                again_at = min(again_at, message.deadline)
                if _may_be_extended(message):
                    look.extend.append(message)
        return again_at

    def _place(self, message: Held) -> bool:
        """Whether the message, which now stands last, has the latest deadline."""
        if message.deadline < self._latest:
            self._in_order = False
            return False
        self._latest = message.deadline
        return True

    def _sort(self) -> None:
        if not self._in_order:
            self._messages = dict(sorted(self._messages.items(), key=lambda item: item[1].deadline))
            self._in_order = True
            self._latest = next(reversed(self._messages.values())).deadline if self._messages else -math.inf


def extension(message: Held, now: float, hold_seconds: int) -> int | None:
    """For how many seconds from now the message may be hidden, up to ``hold_seconds``; None when it is not to be extended.

    Not after its claim is lost, while it is being deleted or returned, or when the 12 hours are over. A brief visibility becomes
    what it would have been from the receive on, so that nothing else has to know that it ever was brief.
    """
    if not _may_be_extended(message):
        return None
    if message.brief:
        return max(1, math.ceil(message.received_at + hold_seconds - now))
    # A second less than allowed: SQS refuses what goes beyond twelve hours by its own clock. And at the end of them the call is
    # not worth making for what it would still gain.
    seconds = min(hold_seconds, int(message.received_at + LIMIT_SECONDS - now) - 1)
    return seconds if now + seconds > message.deadline + 1 else None


def extended_until(message: Held, sent_at: float, seconds: int, hold_seconds: int) -> float:
    """When the visibility runs out of a message that :func:`extension` has been granted for, asked at ``sent_at``."""
    until = sent_at + seconds
    return min(until, message.received_at + hold_seconds) if message.brief else until


def _may_be_extended(message: Held) -> bool:
    return not (message.lost or message.in_delete or message.in_extension) and message.phase in EXTENDED_PHASES
