"""Several mappings of one function: its concurrency is shared fairly, and waiting costs the others nothing."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from pollers.engine.permits import Permits
from pollers.engine.poller import Surroundings
from pollers.engine.stop import Stop
from pollers.sources.sqs.kind import SQS
from pollers.sources.sqs.poller import SqsPoller
from pollers.telemetry.sinks import Facts
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.sqs_world import OK, Call, ScriptedFunction, sqs_mapping
from tests.worlds.virtual_time import VirtualClock, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from config.models import SqsMapping
    from handlers.function import Result


@asynccontextmanager
async def mappings(function: ScriptedFunction, *served: tuple[Queue, SqsMapping]) -> AsyncIterator[Permits]:
    """One poller for each mapping, all of one function."""
    permits = Permits(function.concurrency)
    api = MemorySqs(*(queue for queue, _ in served))
    stops = []
    async with anyio.create_task_group() as group:
        for _, mapping in served:
            stop = Stop()
            stops.append(stop)
            claim = permits.claim(mapping.scaling_config.maximum_concurrency)
            facts = Facts(mapping.name)
            around = Surroundings(
                function, claim, facts, SQS.shown.first_payload, stop, VirtualClock(), random.Random(1)
            )
            group.start_soon(SqsPoller(mapping, api, around).run)
        yield permits
        for stop in stops:
            stop.hurry()
    assert permits.held == 0


@virtual_time.test
async def test_an_idle_mapping_does_not_keep_the_only_permit() -> None:
    """Its long poll lends the permit; the busy one gets on as if it were alone."""

    async def quick(call: Call) -> Result:
        await anyio.sleep(0.1)
        return OK

    function = ScriptedFunction(quick, concurrency=1)
    idle, busy = Queue("idle"), Queue("busy")
    for number in range(500):
        busy.put(str(number))
    async with mappings(function, (idle, sqs_mapping(idle)), (busy, sqs_mapping(busy))):
        began = anyio.current_time()
        await eventually(lambda: not busy.messages)
        assert anyio.current_time() - began < 10


@virtual_time.test
async def test_a_message_of_an_idle_mapping_goes_before_the_backlog_of_a_busy_one() -> None:
    """Its permit comes back first: it waits for at most one invocation of the other."""

    async def second(call: Call) -> Result:
        await anyio.sleep(1)
        return OK

    function = ScriptedFunction(second, concurrency=1)
    idle, busy = Queue("idle"), Queue("busy")
    for number in range(1_000):
        busy.put(str(number))
    async with mappings(function, (idle, sqs_mapping(idle)), (busy, sqs_mapping(busy))):
        await anyio.sleep(20.5)
        idle.put("urgent")
        put_at = anyio.current_time()
        await eventually(lambda: not idle.messages)
        assert anyio.current_time() - put_at <= 4.5


@virtual_time.test
async def test_emptied_queues_do_not_keep_the_only_permit_while_others_wait_for_it() -> None:
    """After a burst in many queues none holds the permit just to see whether its queue has more."""

    async def quick(call: Call) -> Result:
        await anyio.sleep(0.01)
        return OK

    function = ScriptedFunction(quick, concurrency=1)
    queues = [Queue(f"q{number}") for number in range(100)]
    async with mappings(function, *((queue, sqs_mapping(queue)) for queue in queues)):
        await anyio.sleep(1)
        for queue in queues:
            for number in range(8):
                queue.put(str(number))
        began = anyio.current_time()
        await eventually(lambda: not any(queue.messages for queue in queues))
        assert anyio.current_time() - began < 5


@virtual_time.test
async def test_a_gathering_window_does_not_keep_the_only_permit() -> None:
    """While one mapping waits for its window to end the other runs."""

    async def quick(call: Call) -> Result:
        await anyio.sleep(0.1)
        return OK

    function = ScriptedFunction(quick, concurrency=1)
    slow, busy = Queue("slow"), Queue("busy")
    windowed = sqs_mapping(slow, batch_size=100, maximum_batching_window_in_seconds=300)
    slow.put("waits for five minutes")
    for number in range(300):
        busy.put(str(number))
    async with mappings(function, (slow, windowed), (busy, sqs_mapping(busy))):
        await eventually(lambda: not busy.messages, within=60)
        assert slow.messages
        await eventually(lambda: not slow.messages, within=320)


@virtual_time.test
async def test_two_busy_mappings_share_the_concurrency() -> None:
    """Each gets half, whatever their batch sizes."""
    durations = random.Random(2)
    served: dict[str, int] = {"one": 0, "two": 0}

    async def counted(call: Call) -> Result:
        name = call.records[0]["eventSourceARN"].rsplit(":", 1)[1]
        served[name] += 1
        await anyio.sleep(durations.uniform(0.4, 0.6))
        return OK

    function = ScriptedFunction(counted, concurrency=6)
    one, two = Queue("one"), Queue("two")
    for number in range(3_000):
        one.put(str(number))
        two.put(str(number))
    async with mappings(function, (one, sqs_mapping(one, batch_size=1)), (two, sqs_mapping(two, batch_size=10))):
        await anyio.sleep(10)
        before = dict(served)
        await anyio.sleep(30)
        gained = {name: served[name] - before[name] for name in served}

    assert gained["one"] + gained["two"] >= 0.8 * 6 * 60
    assert 0.6 <= gained["one"] / gained["two"] <= 1.7


@virtual_time.test
async def test_a_mapping_never_exceeds_its_own_maximum_concurrency() -> None:
    """ScalingConfig.MaximumConcurrency holds though the function has more."""

    async def second(call: Call) -> Result:
        await anyio.sleep(1)
        return OK

    function = ScriptedFunction(second, concurrency=10)
    queue = Queue("orders")
    for number in range(200):
        queue.put(str(number))
    limited = sqs_mapping(queue, scaling_config={"maximum_concurrency": 3})
    async with mappings(function, (queue, limited)):
        await eventually(lambda: not queue.messages)

    assert function.most_running == 3
