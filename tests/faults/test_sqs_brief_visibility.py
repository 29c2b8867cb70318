"""What long polls hide but briefly, so that a receive that is cut costs little, and how long they are."""

from __future__ import annotations

import anyio
import pytest

from pollers.aws.errors import AccessDenied
from pollers.sources.sqs.visibility import BRIEF_SECONDS
from pollers.telemetry.facts import Expired
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import Queue, Redrive
from tests.worlds.recorded_sqs import recorded
from tests.worlds.sqs_world import FAILED, World, takes
from tests.worlds.virtual_time import eventually


@virtual_time.test
async def test_a_quick_function_costs_no_call_more_for_a_brief_visibility() -> None:
    """What a long poll brought is hidden for ten seconds only, and deleted long before."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api)
    async with world.polling():
        await anyio.sleep(5)
        queue.put("order")
        await eventually(lambda: not queue.messages)

    assert {visibility for _, wait_seconds, visibility in api.asked if wait_seconds == 20} == {BRIEF_SECONDS}
    assert [call[1] for call in api.log] == ["delete"]


@pytest.mark.parametrize("heartbeat", [True, False], ids=["heartbeat", "no heartbeat"])
@virtual_time.test
async def test_a_brief_visibility_is_lengthened_once_to_what_the_others_have(*, heartbeat: bool) -> None:
    """With a heartbeat or without: a function of 25 seconds keeps its message for all of the queue's 30."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api, behaviour=takes(12), timeout_seconds=25, visibility={"heartbeat": heartbeat})
    queue.put("order")
    async with world.polling():
        await eventually(lambda: not queue.messages)

    assert len(world.function.calls) == 1
    [(_, _, _, [seconds])] = api.calls("change")
    assert 24 <= seconds <= 28
    assert world.ledger.deleted == 1
    assert not world.of_kind(Expired)


@pytest.mark.parametrize("heartbeat", [True, False], ids=["heartbeat", "no heartbeat"])
@pytest.mark.parametrize("takes_seconds", [0.1, 5.0], ids=["brief", "lengthened"])
@virtual_time.test
async def test_a_message_that_fails_comes_back_after_the_queues_timeout_all_the_same(
    takes_seconds: float, *, heartbeat: bool
) -> None:
    """A brief visibility does not make retries come sooner than on Lambda."""
    queue, api = recorded()
    failing = takes(takes_seconds, FAILED)
    world = World.of(queue=queue, api=api, behaviour=failing, timeout_seconds=6, visibility={"heartbeat": heartbeat})
    queue.put("order")
    async with world.polling():
        await eventually(lambda: len(world.function.calls) == 2)
        first, second = (call.started_at for call in world.function.calls)
        world.function.behaviour = takes(0.01)
        await eventually(lambda: not queue.messages)

    assert 28 <= second - first <= 32


@virtual_time.test
async def test_a_brief_visibility_survives_a_service_that_does_not_answer_for_a_moment() -> None:
    """A lengthening whose reply never comes is tried again while there is time."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api, behaviour=takes(20), timeout_seconds=25)
    queue.put("order")
    api.change_takes = 1_000
    async with world.polling():
        await eventually(lambda: len(api.calls("change")) == 1)
        api.change_takes = 0
        await eventually(lambda: not queue.messages)

    assert len(world.function.calls) == 1
    assert world.ledger.deleted == 1


@pytest.mark.parametrize("slow_seconds", [12.0, 1_000.0], ids=["slow", "never"])
@virtual_time.test
async def test_a_slow_delete_of_what_is_hidden_briefly_lets_nobody_see_it_again(slow_seconds: float) -> None:
    """It is cut in time, the visibility lengthened, and the delete sent again: the function does not run twice."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api)
    queue.put("order")
    api.delete_takes = slow_seconds
    async with world.polling():
        await eventually(lambda: len(api.calls("delete")) == 1)
        api.delete_takes = 12.0 if slow_seconds < 100 else 0.1
        await eventually(lambda: not queue.messages)

    assert [call[1] for call in api.log] == ["delete", "change", "delete"]
    assert len(world.function.calls) == 1
    assert (world.ledger.received, world.ledger.deleted) == (1, 1)
    assert not world.of_kind(Expired)


@virtual_time.test
async def test_where_visibility_must_not_be_changed_long_polls_ask_for_the_ordinary_one() -> None:
    """Once the service has said no: a brief one could not be lengthened."""
    queue, api = recorded()
    api.refuse_changes = AccessDenied("AccessDenied", "no", status=403)
    world = World.of(queue=queue, api=api, behaviour=takes(9), timeout_seconds=10)
    queue.put("order")
    async with world.polling():
        await eventually(lambda: not queue.messages)
        await anyio.sleep(60)
        assert api.asked[-1] == (10, 20, 30)


@virtual_time.test
async def test_the_length_of_long_polls_can_be_set() -> None:
    """For those who rather ask more often."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api, visibility={"long_poll_seconds": 7})
    async with world.polling():
        await anyio.sleep(30)

    assert {wait_seconds for _, wait_seconds, _ in api.asked} == {7}


@pytest.mark.parametrize(("setting", "expected"), [({}, 1), ({"long_poll_seconds": 20}, 20)], ids=["default", "set"])
@virtual_time.test
async def test_where_every_receive_counts_there_is_no_long_poll_that_a_stop_could_cut(
    setting: dict[str, int], expected: int
) -> None:
    """A message that a cut one has taken would come nearer to the dead-letter queue without ever being run."""
    queue, api = recorded(Queue("orders", redrive=Redrive(Queue("dead"), 2)))
    world = World.of(queue=queue, api=api, visibility=setting)
    async with world.polling():
        await anyio.sleep(30)

    assert {wait_seconds for _, wait_seconds, _ in api.asked} == {expected}
