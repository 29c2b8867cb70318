"""Visibility: heartbeats, deadlines, stale handles and retry delays of the SQS poller."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import AccessDenied
from pollers.errors import SourceUnusable
from pollers.telemetry.facts import Deleted, Expired, Extended, Returned
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import MemorySqs, Queue
from tests.worlds.recorded_sqs import ordinary, recorded
from tests.worlds.sqs_world import FAILED, OK, Call, World, failures, takes
from tests.worlds.virtual_time import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlers.function import Result
    from pollers.aws.api import EntryFailed


@virtual_time.test
async def test_buffered_messages_are_extended_too() -> None:
    """Messages that wait for a window to end are held as long as it takes, ten to a call."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api, batch_size=100, maximum_batching_window_in_seconds=20, timeout_seconds=1)
    for number in range(25):
        queue.put(str(number))
    async with world.polling():
        await eventually(lambda: len(world.handled) == 25)

    assert len(world.function.calls) == 1
    lengthened, *extended = [len(handles) for _, _, handles, _ in api.calls("change")]
    assert lengthened == 10  # what the first long poll brought
    assert extended == [10, 10, 5]


@virtual_time.test
async def test_an_extension_stops_before_the_delete() -> None:
    """A slow extension is waited for; nothing extends a message once its delete was sent."""
    queue, api = recorded()
    api.change_takes = 2.0
    world = World.of(queue=queue, api=api, behaviour=takes(15.5))
    queue.put("order")
    async with world.polling():
        await eventually(lambda: not queue.messages)

    assert [call[1] for call in api.log] == ["change", "change", "delete"]
    _, changed, deleted = api.log
    assert deleted[0] >= changed[0] + 1.99


@virtual_time.test
async def test_a_retry_delay_is_not_overwritten() -> None:
    """A slow extension ends before the retry delay is set, and none follows."""
    queue, api = recorded()
    api.change_takes = 2.0
    world = World.of(queue=queue, api=api, behaviour=takes(15.5, FAILED), visibility={"retry_delay": 300})
    queue.put("order")
    async with world.polling():
        await eventually(lambda: bool(world.of_kind(Returned)))
        returned_at = anyio.current_time()
        await anyio.sleep(200)
        assert len(world.function.calls) == 1
        assert [seconds for _, _, _, seconds in api.calls("change")] == [[26], [30], [300]]
        world.function.behaviour = takes(0.01)
        await eventually(lambda: not queue.messages)
        assert 299 <= anyio.current_time() - returned_at <= 305


@pytest.mark.parametrize(
    ("delay", "expected"),
    [(5, [5, 5, 5]), (0, [0, 0, 0]), ({"initial": 2, "maximum": 7}, [2, 4, 7])],
    ids=["seconds", "at once", "growing"],
)
@virtual_time.test
async def test_a_failed_message_is_seen_again_after_its_retry_delay(delay: object, expected: list[int]) -> None:
    """By the mapping's retry delay, growing with the receive count where it says so."""

    async def fails_thrice(call: Call) -> Result:
        return FAILED if len(world.function.calls) <= 3 else OK

    world = World.of(behaviour=fails_thrice, visibility={"retry_delay": delay})
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert [fact.delay_seconds for fact in world.of_kind(Returned)] == expected
    starts = [call.started_at for call in world.function.calls]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps == pytest.approx(expected, abs=1.1)


@virtual_time.test
async def test_an_extended_message_that_fails_is_seen_when_its_own_timeout_has_run_out() -> None:
    """What the heartbeat added is taken back: the message is seen as if it had never been extended."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api, behaviour=takes(20, FAILED))
    queue.put("order")
    async with world.polling():
        await eventually(lambda: len(world.function.calls) == 2)
        second = world.function.calls[1].started_at
        world.function.behaviour = takes(0.01)

    assert 29 <= second - world.function.calls[0].started_at <= 31


@virtual_time.test
async def test_a_message_is_extended_for_twelve_hours_and_no_longer() -> None:
    """SQS allows no more; after that the claim is over, and the message is counted as expired."""
    queue, api = recorded(Queue("orders", visibility_seconds=3_600))
    world = World.of(queue=queue, api=api, behaviour=takes(50_000))
    queue.put("order")
    async with world.polling():
        await eventually(lambda: bool(world.function.calls))
        received_at = world.function.calls[0].started_at
        await eventually(lambda: bool(world.of_kind(Expired)), within=60_000, every=10)
        world.function.behaviour = takes(0.01)
        await eventually(lambda: not queue.messages, within=60_000, every=10)

    first_handle = api.calls("change")[0][2]
    last = [call for call in api.calls("change") if call[2] == first_handle][-1]
    assert last[0] + last[3][0] <= received_at + 43_200
    assert last[0] + last[3][0] >= received_at + 43_200 - 10
    assert not [fact for fact in world.of_kind(Extended) if fact.failed]


@virtual_time.test
async def test_a_ghost_delete_is_counted_as_expired() -> None:
    """After the timeout a delete may "succeed" and delete nothing: never counted as deleted."""
    queue, api = recorded()
    api.delete_takes = 31.0
    world = World.of(queue=queue, api=api, visibility={"heartbeat": False})
    queue.put("order")
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: len(api.calls("delete")) == 1)
        world.stop.request()

    assert not world.of_kind(Deleted)
    assert sum(len(fact.ids) for fact in world.of_kind(Expired)) == 1


@virtual_time.test
async def test_a_message_received_again_while_held_is_deleted_by_its_newest_handle() -> None:
    """It runs once at a time, its deliveries are all accounted for, and the delete is the one that works."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api, behaviour=takes(10))
    one = queue.put("order")
    async with world.polling():
        await eventually(lambda: bool(world.function.calls))
        queue.show_again(queue.messages[one])
        await eventually(lambda: queue.messages[one].receive_count == 2)
        await eventually(lambda: not queue.messages)

    assert len(world.function.calls) == 1
    assert world.ledger.received == 2
    assert world.ledger.expired == 1
    assert world.ledger.deleted == 1


@virtual_time.test
async def test_a_message_received_again_during_its_delete_is_deleted_again() -> None:
    """The delete of an old handle deletes nothing; the newest handle does, and only that counts."""
    queue, api = recorded()
    api.delete_takes = 2.0
    world = World.of(queue=queue, api=api)
    one = queue.put("order")
    async with world.polling():
        await eventually(lambda: len(api.calls("delete")) == 1)
        queue.show_again(queue.messages[one])
        await eventually(lambda: queue.messages[one].receive_count == 2)
        await eventually(lambda: not queue.messages)

    assert len(world.function.calls) == 1
    assert len(api.calls("delete")) == 2
    assert world.ledger.deleted == 1


@virtual_time.test
async def test_the_same_message_is_never_twice_in_one_batch() -> None:
    """A duplicate that arrives while the first copy waits takes its place."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api, batch_size=100, maximum_batching_window_in_seconds=10)
    one = queue.put("order")
    async with world.polling():
        await eventually(lambda: queue.messages[one].receive_count == 1)
        queue.show_again(queue.messages[one])
        await eventually(lambda: queue.messages[one].receive_count == 2)
        await eventually(lambda: not queue.messages)

    assert [len(call.records) for call in world.function.calls] == [1]
    assert world.function.calls[0].records[0]["attributes"]["ApproximateReceiveCount"] == "2"
    assert [len(handles) for _, _, handles, _ in api.calls("delete")] == [1]


@virtual_time.test
async def test_failed_deletes_are_tried_again_and_counted() -> None:
    """Entries that fail are retried until they are through, while the message stays hidden."""
    queue, api = recorded()
    api.fail_deletes = 12
    world = World.of(queue=queue, api=api)
    queue.put("order")
    async with world.polling():
        await eventually(lambda: not queue.messages)

    assert len(world.function.calls) == 1
    assert world.ledger.deletes_retried == 12
    assert world.ledger.deleted == 1


@virtual_time.test
async def test_messages_that_lapse_while_waiting_are_not_started() -> None:
    """Without a heartbeat a message whose timeout ran out is dropped: somebody else may have it by now."""
    world = World.of(batch_size=1, concurrency=1, behaviour=takes(0.05), visibility={"heartbeat": False})
    for number in range(10):
        world.queue.put(str(number))
    async with world.polling():
        await eventually(lambda: len(world.function.calls) == 1)
        world.function.behaviour = takes(45)
        await eventually(lambda: len(world.function.calls) >= 3)
        world.function.behaviour = takes(0.01)
        await eventually(lambda: not world.queue.messages)

    assert world.ledger.expired >= 7
    late = [call for call in world.function.calls if call.records[0]["attributes"]["ApproximateReceiveCount"] == "2"]
    assert late


@virtual_time.test
async def test_with_a_window_the_effective_timeout_is_lambdas() -> None:
    """docs/lambda 2.6: window + timeout + 30, where the queue's own does not suffice."""
    queue, api = recorded(Queue("orders", visibility_seconds=10))
    world = World.of(queue=queue, api=api, timeout_seconds=8, maximum_batching_window_in_seconds=5)
    queue.put("order")
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: not queue.messages)

    assert ordinary(api) == {43}


@virtual_time.test
async def test_a_window_that_fits_leaves_the_queues_timeout() -> None:
    """The queue's own timeout serves when it holds for function and window."""
    queue, api = recorded(Queue("orders", visibility_seconds=60))
    world = World.of(queue=queue, api=api, timeout_seconds=8, maximum_batching_window_in_seconds=5)
    queue.put("order")
    async with world.polling(long_poll_seconds=1):
        await eventually(lambda: not queue.messages)

    assert ordinary(api) == {60}


@virtual_time.test
async def test_a_timeout_beyond_the_queues_is_refused_without_a_heartbeat() -> None:
    """Lambda's own words (docs/lambda 1.3)."""
    world = World.of(timeout_seconds=31, visibility={"heartbeat": False})
    poller = world.make_poller()

    with pytest.raises(
        SourceUnusable, match="Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    ):
        await poller.run()


@virtual_time.test
async def test_a_changed_visibility_timeout_is_followed() -> None:
    """The queue's attributes are read again now and then."""
    queue, api = recorded()
    world = World.of(queue=queue, api=api)
    async with world.polling(long_poll_seconds=1):
        await anyio.sleep(100)
        queue.visibility_seconds = 77
        await anyio.sleep(400)
        assert api.asked[-1][2] == 77


@virtual_time.test
async def test_without_permission_to_extend_the_poller_goes_on() -> None:
    """Lambda does not need ChangeMessageVisibility; a role without it serves as it does there."""
    queue, api = recorded()
    api.refuse_changes = AccessDenied("AccessDenied", "no", status=403)
    world = World.of(queue=queue, api=api, behaviour=takes(20))
    queue.put("order")
    async with world.polling():
        await eventually(lambda: not queue.messages)

    assert len(api.calls("change")) == 1
    assert world.ledger.deleted == 1


@virtual_time.test
async def test_a_short_visibility_timeout_is_held_by_the_heartbeat() -> None:
    """Even a queue with a timeout of zero serves: messages are held, and come back at once when they fail."""
    world = World.of(queue=Queue("orders", visibility_seconds=0), behaviour=takes(12), timeout_seconds=15)
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert len(world.function.calls) == 1
    assert world.ledger.deleted == 1


@virtual_time.test
async def test_partial_failures_come_back_by_the_same_rule() -> None:
    """Only the listed messages wait for the retry delay."""

    async def fails_two(call: Call) -> Result:
        if len(world.function.calls) == 1:
            return failures(*(record["messageId"] for record in call.records if record["body"] in "01"))
        return OK

    world = World.of(
        behaviour=fails_two, function_response_types=["ReportBatchItemFailures"], visibility={"retry_delay": 2}
    )
    for number in range(5):
        world.queue.put(str(number))
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert [sorted(call.bodies) for call in world.function.calls] == [["0", "1", "2", "3", "4"], ["0", "1"]]


@virtual_time.test
async def test_a_claim_that_was_lost_and_won_again_is_good_again() -> None:
    """A message that lapsed in the middle of its invocation and came to us again is ours to delete."""
    world = World.of(behaviour=takes(45), visibility={"heartbeat": False}, timeout_seconds=30)
    world.queue.put("order")
    async with world.polling():
        await eventually(lambda: not world.queue.messages)

    assert len(world.function.calls) == 1
    assert (world.ledger.received, world.ledger.expired, world.ledger.deleted) == (2, 1, 1)


@virtual_time.test
async def test_a_message_that_comes_again_before_its_return_is_confirmed_is_run_and_not_returned_again() -> None:
    """Its return has come true; handing it back once more would cost a receive for nothing."""

    class LateReply(MemorySqs):
        async def change_visibility(self, url: str, entries: Sequence[tuple[str, int]]) -> list[EntryFailed]:
            refused = await super().change_visibility(url, entries)
            await anyio.sleep(3)
            return refused

    async def fails_once(call: Call) -> Result:
        return FAILED if len(world.function.calls) == 1 else OK

    queue = Queue("orders")
    world = World.of(queue=queue, api=LateReply(queue), behaviour=fails_once, visibility={"retry_delay": 0})
    queue.put("order")
    async with world.polling():
        await eventually(lambda: not queue.messages, within=2)

    assert [call.records[0]["attributes"]["ApproximateReceiveCount"] for call in world.function.calls] == ["1", "2"]
    assert (world.ledger.received, world.ledger.expired, world.ledger.deleted) == (2, 1, 1)
