"""One seed's whole story: a queue, a function with moods, faults, crashes, stops; and what must hold in all of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from handlers.function import FunctionError, InfrastructureError, Payload, Throttle
from pollers.engine.failures import taken_apart
from pollers.errors import SourceUnusable
from pollers.telemetry.facts import Deleted
from pollers.telemetry.ledger import Ledger
from tests.worlds import virtual_time
from tests.worlds.faulty_sqs import FaultySqs, Rates
from tests.worlds.memory_sqs import MemorySqs, Message, Queue, Redrive
from tests.worlds.sqs_world import OK, Call, ScriptedFunction, World, failures

if TYPE_CHECKING:
    from handlers.function import Result
    from pollers.telemetry.facts import Fact

STORM_SECONDS = 240.0
CALM_SECONDS = 40_000.0
POISON = "poison"


@dataclass
class Watch:
    """Sees every invocation, and every rule that one breaks."""

    queue: Queue
    function: ScriptedFunction
    exact_holds: bool
    sequence: dict[str, list[str]] = field(default_factory=dict)
    handled: set[str] = field(default_factory=set)
    first_with: dict[str, set[str]] = field(default_factory=dict)

    def starts(self, call: Call) -> None:
        """The function was called."""
        ids = call.ids
        assert len(set(ids)) == len(ids), "a message twice in one batch"
        elsewhere = {one for other in self.function.running if other is not call for one in other.ids}
        assert not elsewhere & set(ids), "a message in two invocations at a time"
        if self.queue.fifo:
            self._order(call)
        if self.exact_holds:
            self._holds(call)
        for one in ids:
            self.first_with.setdefault(one, set(ids))

    def _order(self, call: Call) -> None:
        groups = {record["attributes"]["MessageGroupId"] for record in call.records}
        for other in self.function.running:
            if other is not call:
                theirs = {record["attributes"]["MessageGroupId"] for record in other.records}
                assert not theirs & groups, "two batches of one group at a time"
        for record in call.records:
            line = self.sequence[record["attributes"]["MessageGroupId"]]
            place = line.index(record["messageId"])
            before = call.ids[: call.ids.index(record["messageId"])]
            for earlier in line[:place]:
                fine = earlier in self.handled or earlier in before or self._dead(earlier)
                assert fine, f"{record['body']} starts before {earlier} is done"
            for later in line[place + 1 :]:
                fine = later not in self.first_with or record["messageId"] in self.first_with[later]
                assert fine, f"{record['body']} starts again though {later} has started without it"

    def _holds(self, call: Call) -> None:
        now = anyio.current_time()
        for record in call.records:
            message = self.queue.messages.get(record["messageId"])
            assert message is not None, "a message that has gone is started"
            assert message.visible_at > now, "a message is started that is visible to others"

    def _dead(self, message_id: str) -> bool:
        return self.queue.redrive is not None and message_id in self.queue.redrive.queue.messages

    def ends(self, call: Call, result: Result) -> None:
        """The function answered."""
        if result == OK or (isinstance(result, Payload) and result.body.startswith(b'{"batchItemFailures"')):
            self.handled.update(one for one in call.ids if one.encode() not in _body(result))


def _body(result: Result) -> bytes:
    return result.body if isinstance(result, Payload) else b""


class Simulation:
    """Everything about it comes from the seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        draw = self.random
        self.fifo = draw.random() < 0.5
        self.reports = draw.random() < 0.6
        self.heartbeat = draw.random() < 0.75
        visibility = draw.choice([0, 2, 6, 15, 30]) if self.heartbeat else draw.choice([8, 15, 30])
        self.visibility = visibility
        dead = Queue("dead.fifo" if self.fifo else "dead")
        self.poisoned = draw.random() < 0.4
        redrive = Redrive(dead, draw.randint(2, 6)) if self.poisoned else None
        self.queue = Queue(
            "orders.fifo" if self.fifo else "orders",
            visibility_seconds=visibility,
            redrive=redrive,
            in_flight_limit=draw.choice([120_000, 120_000, 15]),
            seed=seed,
        )
        self.inner = MemorySqs(self.queue, dead)
        self.rates = self._rates()
        self.api = FaultySqs(self.inner, self.rates, random.Random(seed + 1))
        self.sound = self.rates == Rates()
        self.rival = not self.fifo and draw.random() < 0.4
        self.world = self._world()
        self.function = self.world.function
        self.watch = Watch(self.queue, self.function, exact_holds=self.sound)
        self.world.sinks.append(self._check_fact)
        self.poison: set[str] = set()
        self.sent: dict[str, Message] = {}
        self.storm = True

    def _rates(self) -> Rates:
        draw = self.random
        strength = draw.choice([0.0, 0.02, 0.1, 0.25])

        def rate(most: float = 1.0) -> float:
            return strength * most if draw.random() < 0.5 else 0.0

        return Rates(
            throttled=rate(),
            unavailable=rate(),
            lost_reply=rate(),
            credentials=rate(0.3),
            denied=rate(0.1),
            slow=rate(),
            entry_failed=rate(2.0),
            shown_twice=rate(),
            undeleted=rate(),
            short=rate(2.0),
        )

    def _world(self) -> World:
        draw = self.random
        settings: dict[str, Any] = {"batch_size": draw.choice([1, 2, 3, 7, 10])}
        if not self.fifo and draw.random() < 0.4:
            settings["batch_size"] = draw.choice([3, 10, 25])
            settings["maximum_batching_window_in_seconds"] = draw.choice([1, 3, 20])
        delay = draw.choice([None, None, 0, 7, {"initial": 2, "maximum": 10}])
        settings["visibility"] = {"heartbeat": self.heartbeat, "retry_delay": delay}
        if self.reports:
            settings["function_response_types"] = ["ReportBatchItemFailures"]
        if draw.random() < 0.2:
            settings["scaling_config"] = {"maximum_concurrency": 2}
        timeout = min(self.visibility, 6)
        return World.of(
            behaviour=self.behave,
            concurrency=draw.randint(1, 5),
            timeout_seconds=timeout,
            queue=self.queue,
            api=self.api,
            seed=self.seed,
            **settings,
        )

    async def behave(self, call: Call) -> Result:
        """The function: moody while the storm lasts, but it never accepts poison."""
        self.watch.starts(call)
        result = await self._result(call)
        self.watch.ends(call, result)
        return result

    async def _result(self, call: Call) -> Result:
        draw = self.random
        await anyio.sleep(self._duration())
        poison = [one for one in call.ids if one in self.poison]
        mood = draw.random() if self.storm else 0.0
        if mood < 0.6:
            if not poison:
                return OK
            return failures(*poison) if self.reports else FunctionError("Poison", "", b"{}")
        if mood < 0.7 and self.reports:
            chosen = [one for one in call.ids if draw.random() < 0.4]
            return failures(*dict.fromkeys(poison + chosen))
        if mood < 0.75 and self.reports:
            return Payload(draw.choice([b"{", b'{"batchItemFailures":[{"itemIdentifier":"x"}]}', b"7", b'{"foo":1}']))
        if mood < 0.85:
            return Throttle("busy") if draw.random() < 0.5 else InfrastructureError("gone", draw.choice([None, 3.0]))
        return FunctionError("Moody", "not today", b"{}")

    def _duration(self) -> float:
        draw = self.random
        if draw.random() < 0.1 and self.storm:
            return draw.uniform(0, 3 * self.visibility + 5 if self.heartbeat else min(self.visibility, 6))
        return draw.uniform(0.001, 0.5)

    def send(self) -> None:
        """The messages, some of them poison."""
        draw = self.random
        groups = draw.randint(1, 4)
        for number in range(draw.randint(5, 25)):
            if self.fifo:
                group = f"g{draw.randrange(groups)}"
                one = self.queue.put(f"{group}/{number}", group=group, deduplication=str(number))
                self.watch.sequence.setdefault(group, []).append(one)
            else:
                one = self.queue.put(str(number), delay_seconds=draw.choice([0, 0, 0, 5]))
            self.sent[one] = self.queue.messages[one]
            if self.poisoned and draw.random() < 0.1:
                self.poison.add(one)

    def _check_fact(self, mapping: str, fact: Fact) -> None:
        """What is counted as deleted has been deleted, unless the service itself gave it to two consumers at a time."""
        if isinstance(fact, Deleted):
            for one in fact.ids:
                twice = one in self.api.shown_twice or one in self.api.shown_after_delete
                assert self.sent[one].deleted or twice, "counted as deleted, and is not"

    async def run(self) -> None:
        """Storm, then calm, then the reckoning."""
        self.send()
        until = anyio.current_time() + STORM_SECONDS
        if not self.sound:
            self.api.outages = self._outages()
        async with anyio.create_task_group() as group:
            if self.rival:
                group.start_soon(self._rival)
            for _ in range(self.random.randint(0, 4)):
                if anyio.current_time() < until:
                    await self._life()
            group.cancel_scope.cancel()
        self.storm, self.api.calm = False, True
        await self._last_life()
        self._reckon()

    def _outages(self) -> list[tuple[float, float]]:
        draw, now = self.random, anyio.current_time()
        begins = [now + draw.uniform(0, 60) for _ in range(draw.randint(0, 2))]
        return [(begin, begin + draw.uniform(0.5, 2) * max(self.visibility, 5)) for begin in begins]

    async def _rival(self) -> None:
        """Another consumer of the queue: what it takes it handles, or forgets."""
        draw = self.random
        while True:
            await anyio.sleep(draw.uniform(1, 20))
            if self.queue.in_flight(anyio.current_time()) >= self.queue.in_flight_limit:
                continue
            for wire in self.queue.pick(draw.randint(1, 5), draw.randint(3, 20)):
                if draw.random() < 0.3 and wire["MessageId"] not in self.poison:
                    self.queue.delete(wire["ReceiptHandle"])
                    self.watch.handled.add(wire["MessageId"])

    async def _life(self) -> None:
        """One run of a poller, ended by a crash, an orderly stop, a hurried one, or an unusable source."""
        self.world.ledger = Ledger()
        poller = self.world.make_poller(long_poll_seconds=self.random.choice([1, 5, 20]))
        crashes = self.random.random() < 0.5
        hurries = self.random.choice([None, 0.0, self.random.uniform(0, 20)])
        lasts = self.random.uniform(0, 60)
        loop = virtual_time.current_loop()
        crashed = False
        with anyio.CancelScope() as scope:
            if crashes:
                loop.at_step(loop.steps + self.random.randint(1, 1_500), scope.cancel)
            async with anyio.create_task_group() as group:
                if not crashes:
                    group.start_soon(self._stop_after, lasts, hurries)
                try:
                    await poller.run()
                except Exception as raised:
                    if not isinstance(taken_apart(raised).cause, SourceUnusable):
                        raise
                group.cancel_scope.cancel()
        crashed = scope.cancelled_caught
        assert not self.function.running
        if not crashed:
            self.world.check_books()
        assert self.world.permits.held == 0

    async def _stop_after(self, lasts: float, hurries: float | None) -> None:
        stop = self.world.stop
        await anyio.sleep(lasts)
        stop.request()
        if hurries is not None:
            await anyio.sleep(hurries)
            stop.hurry()

    async def _last_life(self) -> None:
        self.world.ledger = Ledger()
        async with self.world.polling() as poller:
            limit = anyio.current_time() + CALM_SECONDS
            while not await poller.caught_up():
                assert anyio.current_time() < limit, f"never done: {self.queue.messages}"
                await anyio.sleep(2)

    def _reckon(self) -> None:
        redrive = self.queue.redrive
        dead = redrive.queue.messages if redrive else {}
        for one, message in self.sent.items():
            assert one in self.watch.handled or one in dead, f"{message.body} is lost"
            if one in dead:
                assert redrive is not None
                assert message.died_after == redrive.maximum
            if one in self.poison:
                assert one in dead, "poison was accepted"
