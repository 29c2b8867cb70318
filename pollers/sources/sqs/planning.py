"""What to ask the queue for now, or why not: how many messages, how long to wait, and what that takes of the permits.

A decider. :func:`plan` is asked whenever something has changed, and the receiver carries out what it answers. Permits come before
receives (docs/design, decision 3), so each answer also says what is to become of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.sources.sqs.scaling import RECEIVE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

BUSY_POLL_SECONDS = 1
"""Several receives at a time hold their permits, so they do not wait long. Not 0 without need: a short poll asks only some of the
servers. Should it miss something, the idle long poll that follows finds it."""

UNDELETED_AT_MOST = 1_000
"""No more receives while so many messages wait for their delete, over and above two batches."""


class NotNow(Enum):
    """Why no receive is made now."""

    UNDELETED = "too many messages wait for their delete"
    BACKING_OFF = "a receive failed a moment ago"
    BATCHES_FIRST = "a batch is ready and goes first"
    ENOUGH_RECEIVES = "as many receives are under way as what they bring justifies"
    NO_PERMIT = "no permit is free"
    NO_ROOM = "what waits and what is asked for fills all permits"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a poller's whole life. ``careful``: a message of this queue may be received so few times that none is to be
    received without being run."""

    batch_size: int
    windowed: bool
    long_poll_seconds: int
    careful: bool = False


class CallState(NamedTuple):
    """``target`` receives are justified; ``in_flight`` are under way and asked for ``asked`` messages in all. None is to be made
    before ``resume_at``."""

    target: int
    in_flight: int
    asked: int
    resume_at: float


class MessageState(NamedTuple):
    """``waiting`` messages are held and not started, ``runnable`` of them are in no busy group. ``ready``: a batch could start, but
    for a permit. ``due_at`` is the end of the window. ``undeleted`` messages wait for their delete. ``mean_bytes`` is the size
    that messages have had of late (0: not known yet)."""

    waiting: int
    runnable: int
    ready: bool
    due_at: float | None
    undeleted: int
    mean_bytes: float


class PermitState(NamedTuple):
    """``reserved`` permits are in hand, ``running`` are in use, one may be ``lent``; ``allowed`` is the most of all these together.
    ``obtainable`` more are free for us. ``contended``: another mapping waits for one."""

    reserved: int
    running: int
    lent: bool
    allowed: int
    obtainable: int
    contended: bool


class Situation(NamedTuple):
    """Everything that :func:`plan` decides by. Tuples, as one is made whenever something changes: frozen dataclasses cost thrice.

    ``ahead`` messages may be received beyond what the permits hold, as they would be started soon. Until ``careful_until`` a
    receive asks for at most ``careful_size``.
    """

    terms: Terms
    calls: CallState
    messages: MessageState
    permits: PermitState
    ahead: int
    careful_until: float
    careful_size: int


class Receive(NamedTuple):
    """Make this receive. ``on_loan``: it waits without a permit of its own."""

    maximum: int
    wait_seconds: int
    on_loan: bool


class Lend(NamedTuple):
    """A wait begins: have ``reserve`` permits more, lend one for the time of the wait, then ask again.

    Again, because it is not known before who else takes the permit that is lent.
    """

    reserve: int


class Plan(NamedTuple):
    """Have ``reserve`` permits more in hand, make these receives, keep at most ``keep`` permits of all.

    ``why_no_more`` says what stands in the way of a further receive. ``await_permit``: one is to be waited for in the background.
    """

    receives: Sequence[Receive]
    why_no_more: NotNow
    keep: int
    reserve: int = 0
    await_permit: bool = False


def plan(situation: Situation, now: float) -> Plan | Lend:
    """What to receive now, and why no more; or to lend a permit first."""
    terms, calls, messages = situation.terms, situation.calls, situation.messages
    if messages.undeleted > UNDELETED_AT_MOST + 2 * terms.batch_size:
        return _nothing(NotNow.UNDELETED, situation, now)
    if now < calls.resume_at:
        return _nothing(NotNow.BACKING_OFF, situation, now)
    if messages.ready:
        # It waits for a permit. More messages would only wait behind it, while their visibility timeouts run.
        return _nothing(NotNow.BATCHES_FIRST, situation, now)
    if calls.in_flight >= calls.target:
        return _nothing(NotNow.ENOUGH_RECEIVES, situation, now)
    if terms.windowed:
        return _plan_window(situation, now)
    if calls.target == 1:
        return _plan_idle(situation, now)
    return _plan_busy(situation, now)


def _plan_idle(situation: Situation, now: float) -> Plan | Lend:
    """One long poll. Its permit is lent: other mappings are not to starve for a queue that may stay empty."""
    if not situation.permits.lent:
        return _lend(situation, now)
    # Permits that others hold now may be free when the poll comes back, so the room is all that is not running. If they are not,
    # what came waits with an urgent wish for one: at most one receive's worth, as there is no second poll.
    invocations = max(1, situation.permits.allowed - situation.permits.running)
    room = invocations * situation.terms.batch_size + _ahead(situation, now)
    receive = Receive(_maximum(situation, room, now), situation.terms.long_poll_seconds, on_loan=True)
    return Plan((receive,), NotNow.ENOUGH_RECEIVES, _needed(situation, now, 1, receive.maximum))


def _plan_busy(situation: Situation, now: float) -> Plan:
    """Several receives: each has a permit of its own, and all they may bring can be run, now or within a second."""
    size, ahead, seconds = situation.terms.batch_size, _ahead(situation, now), _busy_seconds(situation)
    target, in_flight, asked, _ = situation.calls
    permits, obtainable = situation.permits.reserved, situation.permits.obtainable
    receives: list[Receive] = []
    while in_flight < target:
        room = permits * size + ahead - situation.messages.runnable - asked
        # Enough for a full receive, and for one permit a receive: the latter matters where batches are larger than a receive.
        taken = min(max(-(-(RECEIVE_LIMIT - room) // size), in_flight + 1 - permits, 0), obtainable)
        permits, obtainable, room = permits + taken, obtainable - taken, room + taken * size
        # While little of what may be read ahead is free, a receive would bring a message or two: better a large one a little later.
        if room < max(1, min(ahead, RECEIVE_LIMIT)) or permits <= in_flight:
            keep = _behind(situation, now, in_flight, asked)
            # Receives under way bring work or wake the receiver, so only without any is a permit worth waiting for.
            wanted = not in_flight and situation.permits.running + permits < situation.permits.allowed
            return Plan(receives, NotNow.NO_PERMIT, keep, _to_reserve(situation, permits, keep), wanted)
        receive = Receive(_maximum(situation, room, now), seconds, on_loan=False)
        receives.append(receive)
        in_flight, asked = in_flight + 1, asked + receive.maximum
    keep = _behind(situation, now, in_flight, asked)
    return Plan(receives, NotNow.ENOUGH_RECEIVES, keep, _to_reserve(situation, permits, keep))


def _plan_window(situation: Situation, now: float) -> Plan | Lend:
    """The receives that a batch is gathered from. Its permit is lent until the batch goes; more permits make more room."""
    if not situation.permits.lent:
        return _lend(situation, now)
    size, seconds = _window_size(situation), _wait_in_window(situation, now)
    target, in_flight, asked, _ = situation.calls
    permits, obtainable = situation.permits.reserved, situation.permits.obtainable
    receives: list[Receive] = []
    why_no_more = NotNow.ENOUGH_RECEIVES
    while in_flight < target:
        room = (1 + permits) * size - situation.messages.waiting - asked
        if room <= 0 and target > 1:
            # The batch is full of what waits and what is asked for. The queue brings more, so begin the next one now.
            taken = min(-room // size + 1, obtainable)
            permits, obtainable, room = permits + taken, obtainable - taken, room + taken * size
        if room <= 0:
            why_no_more = NotNow.NO_ROOM
            break
        receive = Receive(min(RECEIVE_LIMIT, room), seconds, on_loan=True)
        receives.append(receive)
        in_flight, asked = in_flight + 1, asked + receive.maximum
    keep = _needed(situation, now, in_flight, asked)
    return Plan(receives, why_no_more, keep, _to_reserve(situation, permits, keep))


def _lend(situation: Situation, now: float) -> Plan | Lend:
    """Have a permit and lend it; wait for one if none is free."""
    if situation.permits.reserved:
        return Lend(0)
    if situation.permits.obtainable:
        return Lend(1)
    wanted = situation.permits.running < situation.permits.allowed
    keep = _needed(situation, now, situation.calls.in_flight, situation.calls.asked)
    return Plan((), NotNow.NO_PERMIT, keep, await_permit=wanted)


def _window_size(situation: Situation) -> int:
    """How many messages make a batch: no more than fill an event if they are as large as they were of late."""
    size = situation.terms.batch_size
    if not situation.messages.mean_bytes:
        return size
    return min(size, max(RECEIVE_LIMIT, int(PAYLOAD_LIMIT_BYTES / situation.messages.mean_bytes) + 1))


def _wait_in_window(situation: Situation, now: float) -> int:
    """A receive is not to outlast the window: the batch would go without what it brings, and its permit with it."""
    if situation.calls.target > 1:
        return _busy_seconds(situation)
    if situation.messages.due_at is None:
        return situation.terms.long_poll_seconds
    return max(1, min(situation.terms.long_poll_seconds, math.ceil(situation.messages.due_at - now)))


def _busy_seconds(situation: Situation) -> int:
    """How long a receive may wait that holds a permit: not at all while another mapping wants it."""
    return 0 if situation.permits.contended else min(BUSY_POLL_SECONDS, situation.terms.long_poll_seconds)


def _ahead(situation: Situation, now: float) -> int:
    """Nothing is read ahead where messages that go back unseen come nearer to the dead-letter queue."""
    return 0 if situation.terms.careful or now < situation.careful_until else situation.ahead


def _maximum(situation: Situation, room: int, now: float) -> int:
    if now < situation.careful_until:
        room = min(room, situation.careful_size)
    if situation.terms.careful:
        room = min(room, situation.terms.batch_size)
    return min(RECEIVE_LIMIT, room)


def _nothing(reason: NotNow, situation: Situation, now: float) -> Plan:
    return Plan((), reason, _needed(situation, now, situation.calls.in_flight, situation.calls.asked))


def _to_reserve(situation: Situation, permits: int, keep: int) -> int:
    """How many to take so that ``permits`` are in hand. What would not be kept would only change hands twice."""
    return max(0, min(permits, keep) - situation.permits.reserved)


def _needed(situation: Situation, now: float, in_flight: int, asked: int) -> int:
    """Permits to keep in hand: for receives under way, as each may bring a batch, and for what waits."""
    size = situation.terms.batch_size
    if situation.terms.windowed:
        # One batch starts on the permit that is lent.
        beyond = situation.messages.waiting + asked - (size if situation.permits.lent else 0)
        return max(0, -(-beyond // size))
    return 0 if situation.permits.lent else _behind(situation, now, in_flight, asked)


def _behind(situation: Situation, now: float, in_flight: int, asked: int) -> int:
    """Permits for what waits and for receives that do not wait on a loan. A loan may be left of an earlier wait: what it brought
    could lapse before its batch began. It stands behind none of them."""
    size = situation.terms.batch_size
    return max(in_flight, -(-(situation.messages.runnable + asked - _ahead(situation, now)) // size))
