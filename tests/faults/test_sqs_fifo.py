"""FIFO queues: order within a group, groups side by side, and what happens behind a failure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.telemetry.facts import Returned
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import Queue, Redrive
from tests.worlds.sqs_world import FAILED, OK, Call, World, failures, takes
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from handlers.function import Result


def fifo(**options: object) -> Queue:
    return Queue("orders.fifo", **options)  # type: ignore[arg-type]


def put(queue: Queue, *bodies: str) -> None:
    """Send ``group number`` bodies."""
    for body in bodies:
        queue.put(body, group=body.split()[0], deduplication=body)


def by_group(world: World) -> dict[str, list[str]]:
    order: dict[str, list[str]] = defaultdict(list)
    for body in world.handled:
        order[body.split()[0]].append(body)
    return order


@pytest.mark.parametrize("batch_size", [1, 3, 10])
@virtual_time.test
async def test_the_order_of_each_group_is_kept(batch_size: int) -> None:
    """Whatever the batch size and however many invocations run at a time."""
    world = World.of(queue=fifo(), batch_size=batch_size, behaviour=takes(0.3))
    bodies = [f"g{number % 7} {number:03}" for number in range(150)]
    put(world.queue, *bodies)
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert len(world.handled) == 150
    assert all(line == sorted(line) for line in by_group(world).values())


@virtual_time.test
async def test_groups_run_side_by_side_and_never_one_twice_at_a_time() -> None:
    """docs/lambda 2.4: as many invocations as there are groups."""
    running: set[str] = set()

    async def alone_in_its_group(call: Call) -> Result:
        groups = {body.split()[0] for body in call.bodies}
        assert not groups & running
        running.update(groups)
        await anyio.sleep(1)
        running.difference_update(groups)
        return OK

    world = World.of(queue=fifo(), batch_size=1, behaviour=alone_in_its_group, concurrency=10)
    put(world.queue, *(f"g{number % 4} {number:02}" for number in range(40)))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert world.function.most_running == 4


@virtual_time.test
async def test_a_batch_may_hold_several_groups() -> None:
    """As Lambda's batches do."""
    world = World.of(queue=fifo())
    put(world.queue, "a 1", "b 1", "a 2", "c 1")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert [call.bodies for call in world.function.calls] == [["a 1", "b 1", "a 2", "c 1"]]


@virtual_time.test
async def test_what_waits_behind_a_failed_message_is_handed_back_with_it() -> None:
    """It is not run before the failed message, and other groups go on."""

    async def fails_a1_once(call: Call) -> Result:
        await anyio.sleep(0.1)
        return FAILED if call.bodies == ["a 1"] and a1_calls(world) == 1 else OK

    def a1_calls(world: World) -> int:
        return sum(call.bodies == ["a 1"] for call in world.function.calls)

    world = World.of(queue=fifo(), batch_size=1, behaviour=fails_a1_once, visibility={"retry_delay": 5})
    put(world.queue, "b 0")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)
        put(world.queue, "a 1", "a 2", "a 3", "b 1")
        await eventually(lambda: not world.queue.messages)

    assert by_group(world) == {"a": ["a 1", "a 2", "a 3"], "b": ["b 0", "b 1"]}
    bodies = [call.bodies[0] for call in world.function.calls]
    assert bodies.index("b 1") < bodies.index("a 2")
    behind = [fact for fact in world.of_kind(Returned) if "behind" in fact.reason]
    assert sum(len(fact.ids) for fact in behind) == 2
    assert all(fact.delay_seconds == 5 for fact in behind)


@virtual_time.test
async def test_a_partial_failure_returns_just_the_listed_ones_of_the_batch() -> None:
    """docs/lambda 3.2: what the function did handle in that very batch is deleted, before and behind the failed message."""

    async def fails_a2_once(call: Call) -> Result:
        if len(world.function.calls) == 1:
            return failures(call.ids[1])
        return OK

    world = World.of(queue=fifo(), behaviour=fails_a2_once, function_response_types=["ReportBatchItemFailures"])
    put(world.queue, "a 1", "a 2", "a 3", "b 1")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert [call.bodies for call in world.function.calls] == [["a 1", "a 2", "a 3", "b 1"], ["a 2"]]


@virtual_time.test
async def test_the_next_of_a_group_waits_for_the_delete() -> None:
    """A delete that fails for good sends back what waits behind it, as the undeleted message will come again first."""
    deletes = 0

    world = World.of(queue=fifo(), batch_size=1, concurrency=2)
    inner = world.api.delete

    async def fails_long(url: str, handles: list[str]) -> list[object]:
        nonlocal deletes
        deletes += 1
        await anyio.sleep(3)
        return await inner(url, handles)  # type: ignore[return-value]

    world.api.delete = fails_long  # type: ignore[method-assign,assignment]
    put(world.queue, "a 1", "a 2", "a 3")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    starts = [call.started_at for call in world.function.calls]
    assert [call.bodies for call in world.function.calls] == [["a 1"], ["a 2"], ["a 3"]]
    assert starts[1] - starts[0] >= 3
    assert starts[2] - starts[1] >= 3


@virtual_time.test
async def test_the_order_holds_where_the_emulator_releases_a_group_early() -> None:
    """LocalStack shows a group again when one of its messages is visible; nothing overtakes the failed one all the same."""

    async def fails_a1_thrice(call: Call) -> Result:
        failed = sum("a 1" in other.bodies for other in world.function.calls) <= 3
        return FAILED if "a 1" in call.bodies and failed else OK

    world = World.of(
        queue=fifo(unlocks_early=True), batch_size=2, behaviour=fails_a1_thrice, visibility={"retry_delay": 3}
    )
    put(world.queue, *(f"a {number}" for number in range(1, 9)))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    line = by_group(world)["a"]
    assert line == sorted(line)


@virtual_time.test
async def test_what_never_ran_does_not_die_with_the_poison_ahead_of_it() -> None:
    """Being handed back costs receives; a failing group is no longer read ahead, so that they do not run out."""
    dead = Queue("dead.fifo")

    async def refuses_poison(call: Call) -> Result:
        await anyio.sleep(0.01)
        return FAILED if "a poison" in call.bodies else OK

    world = World.of(queue=fifo(redrive=Redrive(dead, 3)), batch_size=1, behaviour=refuses_poison)
    put(world.queue, *(f"warm {number}" for number in range(3)))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)
        put(world.queue, "a poison", *(f"a {number}" for number in range(9)))
        await eventually(lambda: not world.queue.messages)

    assert [message.body for message in dead.messages.values()] == ["a poison"]
    assert by_group(world)["a"] == [f"a {number}" for number in range(9)]
    assert sum("a poison" in call.bodies for call in world.function.calls) == 3


@virtual_time.test
async def test_with_few_receives_allowed_a_fifo_queue_is_never_read_ahead() -> None:
    """With maxReceiveCount 1 being handed back once would be the end of a message that never ran."""
    dead = Queue("dead.fifo")

    async def refuses_poison(call: Call) -> Result:
        await anyio.sleep(0.01)
        return FAILED if "a poison" in call.bodies else OK

    world = World.of(queue=fifo(redrive=Redrive(dead, 1)), batch_size=1, behaviour=refuses_poison)
    put(world.queue, *(f"warm {number}" for number in range(3)))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)
        put(world.queue, "a poison", *(f"a {number}" for number in range(5)))
        await eventually(lambda: not world.queue.messages)

    assert [message.body for message in dead.messages.values()] == ["a poison"]
    assert by_group(world)["a"] == [f"a {number}" for number in range(5)]


@virtual_time.test
async def test_a_stop_returns_what_waits_behind_a_running_group() -> None:
    """The running batch is finished and deleted, the rest of its group is visible again at once, in order."""
    world = World.of(queue=fifo(), batch_size=1, concurrency=1, behaviour=takes(0.01))
    put(world.queue, "warm 1")
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: not world.queue.messages)
        world.function.behaviour = takes(5)
        put(world.queue, *(f"a {number}" for number in range(6)))
        await eventually(lambda: len(world.function.calls) == 2)

    assert world.handled == ["warm 1", "a 0"]
    assert world.queue.attributes()["ApproximateNumberOfMessages"] == "5"


@virtual_time.test
async def test_a_message_too_large_for_any_event_fails_in_its_turn() -> None:
    """What is behind it in its group waits until the redrive policy has taken it away."""
    dead = Queue("dead.fifo")
    world = World.of(queue=fifo(redrive=Redrive(dead, 3), visibility_seconds=5), batch_size=10)
    put(world.queue, "a 1")
    world.queue.put("\x01" * 1_048_576, group="a", deduplication="large")
    put(world.queue, "a 3")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert world.handled == ["a 1", "a 3"]
    assert len(dead.messages) == 1
    assert any("it can never be delivered" in fact.reason for fact in world.of_kind(Returned))
