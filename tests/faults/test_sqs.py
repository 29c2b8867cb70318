"""The SQS poller on an in-memory queue: what a user of a standard queue relies on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio

from pollers.telemetry.facts import Deleted, Polled, Returned
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import Queue, Redrive
from tests.worlds.sqs_world import FAILED, OK, Call, World, failures, takes
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from handlers.function import Result


@virtual_time.test
async def test_every_message_is_handled_once_and_deleted() -> None:
    """A backlog is worked off; nothing is left in the queue and the books balance."""
    world = World.of()
    for number in range(200):
        world.queue.put(f"order {number}")

    async with world.polling() as poller:
        await eventually(lambda: not world.queue.messages)
        await eventually(lambda: poller.held() == 0)
        assert await poller.caught_up()

    assert sorted(world.handled) == sorted(f"order {number}" for number in range(200))
    assert world.ledger.deleted == world.ledger.received == 200
    assert all(len(call.records) == 10 for call in world.function.calls)


@virtual_time.test
async def test_receives_grow_with_the_backlog_and_shrink_when_it_is_gone() -> None:
    """A backlog keeps all permits busy; an empty queue costs one long poll of 20 seconds at a time."""
    world = World.of(behaviour=takes(0.5), concurrency=20)
    for number in range(1_000):
        world.queue.put(str(number))

    async with world.polling():
        await eventually(lambda: not world.queue.messages)
        assert world.function.most_running == 20
        await anyio.sleep(30)
        polls, began = len(world.of_kind(Polled)), anyio.current_time()
        await anyio.sleep(600)
        idle_polls = len(world.of_kind(Polled)) - polls

    assert anyio.current_time() - began <= 621
    assert idle_polls == 30


@virtual_time.test
async def test_a_window_gathers_a_batch_from_many_receives() -> None:
    """With a window a batch grows beyond ten and goes at the window's end, or at once when it is full."""
    world = World.of(batch_size=100, maximum_batching_window_in_seconds=5)
    async with world.polling():
        await anyio.sleep(30)
        for number in range(130):
            world.queue.put(str(number))
        put_at = anyio.current_time()
        await eventually(lambda: len(world.handled) == 130)

    first, second = world.function.calls
    assert len(first.records) == 100
    assert first.started_at - put_at < 0.1
    assert len(second.records) == 30
    assert 4.9 <= second.started_at - put_at <= 5.2


@virtual_time.test
async def test_a_failed_batch_comes_back_after_its_visibility_timeout() -> None:
    """As on Lambda: nothing is deleted, nothing is made visible early."""
    attempts: list[float] = []

    async def fails_once(call: Call) -> Result:
        attempts.append(anyio.current_time())
        return FAILED if len(attempts) == 1 else OK

    world = World.of(behaviour=fails_once)
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert 29.9 <= attempts[1] - attempts[0] <= 31
    assert [call.records[0]["attributes"]["ApproximateReceiveCount"] for call in world.function.calls] == ["1", "2"]


@virtual_time.test
async def test_a_partial_failure_leaves_just_the_listed_messages() -> None:
    """docs/lambda 3.2: messages 2, 3, 4 of 4 failed, message 1 is deleted, the others come again together."""

    async def fails_all_but_the_first(call: Call) -> Result:
        if call.records[0]["attributes"]["ApproximateReceiveCount"] == "1":
            return failures(*(record["messageId"] for record in call.records if record["body"] != "1"))
        return failures()

    world = World.of(behaviour=fails_all_but_the_first, function_response_types=["ReportBatchItemFailures"])
    for number in range(1, 5):
        world.queue.put(str(number))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert [sorted(call.bodies) for call in world.function.calls] == [["1", "2", "3", "4"], ["2", "3", "4"]]
    assert world.ledger.deleted == 4
    assert world.ledger.returned == 3


@virtual_time.test
async def test_a_poison_message_is_dead_after_exactly_its_receives() -> None:
    """The redrive policy ends it: maxReceiveCount deliveries, no more and no fewer."""
    dead = Queue("dead")
    queue = Queue("orders", redrive=Redrive(dead, 3))

    async def refuses_poison(call: Call) -> Result:
        return failures(*(record["messageId"] for record in call.records if record["body"] == "poison"))

    world = World.of(behaviour=refuses_poison, queue=queue, function_response_types=["ReportBatchItemFailures"])
    for number in range(20):
        queue.put("poison" if number == 7 else str(number))
    async with world.polling():
        await eventually(lambda: bool(dead.messages))

    assert [message.body for message in dead.messages.values()] == ["poison"]
    assert sum(call.bodies.count("poison") for call in world.function.calls) == 3


@virtual_time.test
async def test_a_long_invocation_keeps_its_messages() -> None:
    """The heartbeat extends the visibility far beyond the queue's timeout; the message runs once."""
    world = World.of(behaviour=takes(1_000), timeout_seconds=2_000)
    world.queue.put("slow")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert len(world.function.calls) == 1
    assert world.ledger.extended >= 1_000 / 15 - 1


@virtual_time.test
async def test_a_batch_of_one_does_not_cost_a_receive_each() -> None:
    """With batch size 1 and a quick function ten messages come with one receive."""
    world = World.of(batch_size=1)
    for number in range(500):
        world.queue.put(str(number))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)
        receives = len([polled for polled in world.of_kind(Polled) if polled.count])

    assert len(world.function.calls) == 500
    assert receives <= 70


@virtual_time.test
async def test_deletes_go_in_tens() -> None:
    """Deletes of several invocations travel together."""
    world = World.of(batch_size=1, concurrency=50)
    for number in range(500):
        world.queue.put(str(number))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)
        deletes = world.of_kind(Deleted)

    assert sum(len(deleted.ids) for deleted in deletes) == 500
    assert len(deletes) <= 75


@virtual_time.test
async def test_a_stop_finishes_what_runs_and_hands_back_the_rest() -> None:
    """Running invocations are acknowledged; what was gathered and not started is visible again at once."""
    world = World.of(batch_size=100, maximum_batching_window_in_seconds=60, concurrency=1)
    for number in range(30):
        world.queue.put(str(number))
    async with world.polling() as poller:
        await eventually(lambda: poller.held() == 30)

    assert not world.function.calls
    assert world.queue.attributes()["ApproximateNumberOfMessages"] == "30"
    assert [fact.delay_seconds for fact in world.of_kind(Returned)] == [0, 0, 0]


@virtual_time.test
async def test_an_event_holds_the_body_byte_for_byte() -> None:
    """The body reaches the function as it was sent."""
    body = json.dumps({"text": 'åäö \u2028 \\ " \x00 \U0001f600'}, ensure_ascii=False)
    world = World.of()
    world.queue.put(body)
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert world.handled == [body]
