"""The heart of the SQS poller: when to receive, how much, and when a batch goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from handlers.function import PAYLOAD_LIMIT_BYTES
from pollers.aws.errors import AwsError, Throttled
from pollers.engine.backoff import Backoff
from pollers.engine.batching import RECORDS
from pollers.sources.sqs.message import Held, Phase
from pollers.sources.sqs.outcome import Outcome, SeenAgain
from pollers.sources.sqs.queue import is_hopeless
from pollers.sources.sqs.scaling import RECEIVE_LIMIT, Pace, Receives
from pollers.sources.sqs.settling import STOPPING
from pollers.sources.sqs.visibility import RECEIVE_SLACK_SECONDS
from pollers.telemetry.facts import Doing, Polled, PollFailed, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from config.models import SqsMapping
    from pollers.aws.api import Wire
    from pollers.engine.batching import Limits
    from pollers.sources.sqs.deleting import Deletes, Spawn
    from pollers.sources.sqs.entitlement import Entitlement
    from pollers.sources.sqs.heartbeat import Heartbeat
    from pollers.sources.sqs.intake import Intake
    from pollers.sources.sqs.invoking import Invoker
    from pollers.sources.sqs.queue import Queue
    from pollers.sources.sqs.settling import Settling
    from pollers.sources.sqs.waiting import Waiting
    from pollers.telemetry.facts import Facts

LONG_POLL_SECONDS = 20
"""ReceiveMessage waits at most this long; what one idle poll costs."""

BUSY_POLL_SECONDS = 1
"""Several receives at a time hold their permits, so they do not wait long. Not 0 without need: a short poll asks only some of the
servers. Should it miss something, the idle long poll that follows finds it."""

STOPPED_SECONDS = 1.3
"""So long after it was sent a receive is cut by a stop, once no invocation runs: one that is busy would have come back by then."""

UNDELETED_AT_MOST = 1_000
"""No more receives while so many messages wait for their delete, over and above two batches."""

UNDELETED_LOOK_SECONDS = 0.1
SIZE_WEIGHT = 0.2
"""How much the latest receive counts in the mean size of messages."""

BACKOFF_SECONDS = (0.5, 20.0)
OVER_LIMIT_SECONDS = 5.0
"""The queue has too many messages in flight: that passes with deletes, ours or others'."""

LAPSED = "its visibility timeout ran out before it was started"


@dataclass(frozen=True, slots=True)
class Ask:
    """One receive to make. ``lent``: it waits without a permit."""

    maximum: int
    wait_seconds: int
    lent: bool


class Receiver:
    """Decides and starts receives and batches, whenever something has changed.

    ``spawn`` starts a task that the poller owns; ``fail`` tells it that the source is unusable.
    """

    def __init__(
        self,
        mapping: SqsMapping,
        queue: Queue,
        waiting: Waiting,
        entitlement: Entitlement,
        limits: Limits,
        intake: Intake,
        heartbeat: Heartbeat,
        deletes: Deletes,
        settling: Settling,
        invoker: Invoker,
        pace: Pace,
        facts: Facts,
        random: Random,
        spawn: Spawn,
        fail: Callable[[Exception], None],
        *,
        long_poll_seconds: int = LONG_POLL_SECONDS,
        careful: bool = False,
    ) -> None:
        self._size = mapping.batch_size
        self._windowed = mapping.maximum_batching_window_in_seconds > 0
        self._queue = queue
        self._waiting = waiting
        self._entitlement = entitlement
        self._limits = limits
        self._intake = intake
        self._heartbeat = heartbeat
        self._deletes = deletes
        self._settling = settling
        self._invoker = invoker
        self._pace = pace
        self._facts = facts
        self._spawn = spawn
        self._fail = fail
        self._long_poll_seconds = long_poll_seconds
        self._careful = careful
        self._receives = Receives()
        self._backoff = Backoff(random, initial=BACKOFF_SECONDS[0], maximum=BACKOFF_SECONDS[1])
        self._resume_at = -math.inf
        self._in_flight = 0
        self._asked = 0
        self._mean_bytes = 0.0
        self._flights: dict[anyio.CancelScope, float] = {}
        self._changed = anyio.Event()
        self._said: tuple[State, str] | None = None
        self.stopping = False
        self._hurried = False

    def wake(self) -> None:
        """Something has changed: decide anew."""
        self._changed.set()

    async def run(self) -> None:
        """Receive and start batches until :meth:`stop`, then hand back what was not started."""
        while not self.stopping:
            self._changed = anyio.Event()
            now = anyio.current_time()
            self._receives.limit(self._entitlement.limit * -(-self._size // RECEIVE_LIMIT))
            self._start_batches(now)
            self._start_receives(now)
            self._entitlement.keep(self._needed(now))
            self._say_what(now)
            await self._sleep(now)
        await self._wind_down()

    def stop(self, *, hurried: bool = False) -> None:
        """No receive and no batch any more. ``hurried``: do not wait for receives in flight."""
        self.stopping = True
        self._hurried |= hurried
        self._say(State.STOPPING)
        self.wake()

    async def _wind_down(self) -> None:
        """A receive in flight would take at once what is handed back, so they come first; what waits behind a busy group last."""
        while True:
            self._changed = anyio.Event()
            cut_at = self._cut_receives(anyio.current_time())
            if (self._hurried or not self._in_flight) and (drained := self._waiting.drain()):
                await self._settling.hand_back(drained, STOPPING)
                continue
            if not self._in_flight and not self._waiting.count:
                return
            with anyio.move_on_at(cut_at):
                await self._changed.wait()

    def _cut_receives(self, now: float) -> float:
        """Cut what has been in flight for long enough, unless invocations still run; when the next is to be cut.

        What a cut one may have taken comes back soon by itself: long polls ask for a brief visibility.
        """
        if self._entitlement.running and not self._hurried:
            return math.inf
        next_at = math.inf
        for flight, sent_at in self._flights.items():
            if self._hurried or sent_at + STOPPED_SECONDS <= now:
                flight.cancel()
            else:
                next_at = min(next_at, sent_at + STOPPED_SECONDS)
        return next_at

    def _start_batches(self, now: float) -> None:
        while self._waiting.ready(now) and self._entitlement.spend():
            self._start_batch(self._waiting.take(now), now)

    def _start_batch(self, batch: list[Held], now: float) -> None:
        """Invoke the batch, but for what must not or cannot be run: that is settled without."""
        lapsed = [message for message in batch if message.lost or message.deadline <= now]
        if lapsed:
            batch = self._without(batch, lapsed)
        elif not self._limits.deliverable(len(batch[0].record)):
            self._spawn(self._settling.settle, batch, Outcome(failed=batch, reason=oversized(batch)))
            batch = []
        if not batch:
            self._entitlement.ended()
            return
        for message in batch:
            message.phase = Phase.RUNNING
        self._spawn(self._invoker.run, batch)

    def _without(self, batch: list[Held], lapsed: list[Held]) -> list[Held]:
        """The batch without messages whose visibility timeout has run out, and without the rest of their groups."""
        gone, groups = set(lapsed), {message.group for message in lapsed} - {None}
        unsound = [message for message in batch if message in gone or message.group in groups]
        self._spawn(
            self._settling.settle, unsound, Outcome(failed=unsound, reason=LAPSED, seen_again=SeenAgain.AT_ONCE)
        )
        gone = set(unsound)
        return [message for message in batch if message not in gone]

    def _start_receives(self, now: float) -> None:
        while self._in_flight < self._receives.target and (ask := self._next_ask(now)) is not None:
            self._in_flight += 1
            self._asked += ask.maximum
            self._spawn(self._receive, ask)

    def _next_ask(self, now: float) -> Ask | None:
        """The next receive to make, or None when there is no reason or no room for one."""
        if now < self._resume_at or self._waiting.ready(now) or self._undeleted:
            return None
        if self._windowed:
            return self._ask_for_window(now)
        if self._receives.idle:
            return self._ask_idle(now)
        return self._ask_busy(now)

    @property
    def _undeleted(self) -> bool:
        """Whether so much waits for its delete that nothing more should be taken on."""
        return self._deletes.backlog > UNDELETED_AT_MOST + 2 * self._size

    def _ask_idle(self, now: float) -> Ask | None:
        """One long poll, its permit lent."""
        entitlement = self._entitlement
        if not self._entitle():
            return None
        room = max(1, entitlement.allowed - entitlement.running) * self._size + self._ahead(now)
        return Ask(self._maximum(room, now), self._long_poll_seconds, lent=True)

    def _ask_busy(self, now: float) -> Ask | None:
        """One of several receives: each has a permit of its own, and all they may bring can be run, now or within a second."""
        entitlement, ahead = self._entitlement, self._ahead(now)
        room = entitlement.in_hand * self._size + ahead - self._waiting.runnable - self._asked
        while (room < RECEIVE_LIMIT or entitlement.in_hand <= self._in_flight) and entitlement.obtain():
            room += self._size
        if room < max(1, min(ahead, RECEIVE_LIMIT)) or entitlement.in_hand <= self._in_flight:
            if not self._in_flight:
                entitlement.want()
            return None
        return Ask(self._maximum(room, now), self._busy_seconds, lent=False)

    @property
    def _busy_seconds(self) -> int:
        """How long a receive may wait that holds a permit: not at all while another mapping wants it."""
        return 0 if self._entitlement.contended else min(BUSY_POLL_SECONDS, self._long_poll_seconds)

    def _ask_for_window(self, now: float) -> Ask | None:
        """One of the receives that a batch is gathered from. Its permit is lent until it goes; more permits make more room."""
        if not self._entitlement.lent:
            if not self._entitle():
                return None
            self._waiting.open(now)
        size = min(self._size, self._fitting())
        room = (1 + self._entitlement.in_hand) * size - self._waiting.count - self._asked
        while room <= 0 and not self._receives.idle and self._entitlement.obtain():
            room += size
        if room <= 0:
            return None
        return Ask(min(RECEIVE_LIMIT, room), self._wait_in_window(now), lent=True)

    def _fitting(self) -> int:
        """How many messages of the size that they have of late make a full event: more need not be asked for."""
        return max(RECEIVE_LIMIT, int(PAYLOAD_LIMIT_BYTES / self._mean_bytes) + 1) if self._mean_bytes else self._size

    def _wait_in_window(self, now: float) -> int:
        if not self._receives.idle:
            return self._busy_seconds
        if (due_at := self._waiting.due_at) is None:
            return self._long_poll_seconds
        return max(1, min(self._long_poll_seconds, math.ceil(due_at - now)))

    def _entitle(self) -> bool:
        """Have a permit, lent; else wait for one."""
        entitlement = self._entitlement
        if not entitlement.lent:
            if not entitlement.in_hand and not entitlement.obtain():
                entitlement.want()
                return False
            entitlement.lend()
        return True

    def _ahead(self, now: float) -> int:
        return 0 if self._cautious(now) else self._pace.ahead(self._size, self._entitlement.allowed)

    def _cautious(self, now: float) -> bool:
        return self._careful or now < self._settling.careful_until

    def _maximum(self, room: int, now: float) -> int:
        if now < self._settling.careful_until:
            room = min(room, self._settling.careful_size)
        return min(RECEIVE_LIMIT, room, self._size if self._careful else room)

    def _needed(self, now: float) -> int:
        """Permits to keep in hand, for receives in flight and for what waits."""
        if self._windowed:
            beyond = self._waiting.count + self._asked - (self._size if self._entitlement.lent else 0)
            return max(0, -(-beyond // self._size))
        if self._entitlement.lent:
            return 0
        return max(self._in_flight, -(-(self._waiting.runnable + self._asked - self._ahead(now)) // self._size))

    async def _receive(self, ask: Ask) -> None:
        """One ReceiveMessage. Only a stop cuts it: a reply that nobody reads is messages hidden for nothing."""
        sent_at = anyio.current_time()
        hidden_seconds = self._heartbeat.visibility_of_receive(ask.wait_seconds)
        brief = hidden_seconds < self._heartbeat.hold.hold_seconds
        wires = None
        flight = anyio.CancelScope()
        self._flights[flight] = sent_at
        try:
            if not self.stopping:
                with flight:
                    wires = await self._queue.api.receive(
                        self._queue.url,
                        maximum=ask.maximum,
                        wait_seconds=ask.wait_seconds,
                        visibility_seconds=hidden_seconds,
                    )
        except AwsError as error:
            self._receive_failed(error)
        finally:
            del self._flights[flight]
            self._in_flight -= 1
            self._asked -= ask.maximum
        if wires is not None:
            self._backoff.reset()
            self._receives.returned(ask.maximum, len(wires))
            self._facts.emit(Polled("", len(wires)))
            if wires:
                self._arrived(wires, sent_at, hidden_seconds, brief=brief)
        if ask.lent and not self._waiting.count and not self._in_flight:
            self._entitlement.recall()
        self.wake()

    def _arrived(self, wires: list[Wire], sent_at: float, hidden_seconds: int, *, brief: bool) -> None:
        """Take over what came."""
        now = anyio.current_time()
        arrivals = self._intake.take(wires, max(sent_at, now - RECEIVE_SLACK_SECONDS), hidden_seconds, brief=brief)
        mean_bytes = arrivals.size_bytes / len(wires)
        self._mean_bytes += (mean_bytes - self._mean_bytes) * (SIZE_WEIGHT if self._mean_bytes else 1.0)
        if arrivals.look:
            self._heartbeat.wake()
        if arrivals.filtered:
            self._deletes.put(arrivals.filtered)
        if arrivals.oversized:
            self._spawn(self._settling.fail, arrivals.oversized, oversized(arrivals.oversized))
        overtaking = []
        for message in arrivals.fresh:
            if (until := self._waiting.overtakes(message, now)) is None:
                self._waiting.add(message, now)
            else:
                overtaking.append((message, until))
        if overtaking:
            self._spawn(self._settling.hand_back_overtaking, overtaking)

    def _receive_failed(self, error: AwsError) -> None:
        if is_hopeless(error):
            self._facts.emit(PollFailed("", str(error), 0.0))
            self._fail(error)
            return
        now = anyio.current_time()
        if now < self._resume_at:
            return
        pause = self._backoff.next()
        if error.code == "OverLimit":
            pause = max(pause, OVER_LIMIT_SECONDS)
        self._resume_at = now + pause
        self._receives.failed()
        self._facts.emit(PollFailed("", str(error), pause, throttled=isinstance(error, Throttled)))
        self._say(State.BACKING_OFF, str(error), pause)

    async def _sleep(self, now: float) -> None:
        """Until something changes, or the next moment that is known."""
        moments = []
        if self._resume_at > now:
            moments.append(self._resume_at)
        if (due_at := self._waiting.due_at) is not None and due_at > now:
            moments.append(due_at)
        if self._undeleted:
            moments.append(now + UNDELETED_LOOK_SECONDS)
        if not moments:
            await self._changed.wait()
            return
        with anyio.move_on_at(min(moments)):
            await self._changed.wait()

    def _say_what(self, now: float) -> None:
        if now < self._resume_at:
            return
        if self._in_flight:
            self._say(State.POLLING)
        elif self._entitlement.waits:
            self._say(State.WAITING_FOR_PERMIT)
        elif self._undeleted:
            self._say(State.BACKING_OFF, "many messages wait for their delete")
        else:
            self._say(State.INVOKING, "as many invocations run as are allowed")

    def _say(self, state: State, detail: str = "", until_seconds: float | None = None) -> None:
        if self._said != (state, detail):
            self._said = (state, detail)
            self._facts.emit(Doing("receive", state, detail, until_seconds))


def oversized(messages: list[Held]) -> str:
    """Why messages can never be delivered."""
    return (
        f"the event of one message would have {RECORDS.size_bytes + len(messages[0].record):,} bytes, "
        f"over the limit of {PAYLOAD_LIMIT_BYTES:,}: it can never be delivered"
    )
