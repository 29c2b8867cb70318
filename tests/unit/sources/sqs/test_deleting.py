"""What is done is deleted: in tens, until that is confirmed in time or the claim is over."""

from __future__ import annotations

import anyio
import pytest

from pollers.aws.errors import AccessDenied, Throttled, Unavailable
from pollers.sources.sqs.batch_deletes import BatchDeletes
from pollers.sources.sqs.deleting import CALLS_AT_MOST, LAST_TRIES, LINGER_SECONDS
from pollers.sources.sqs.message import Phase
from pollers.telemetry.facts import Deleted, DeleteRetried, Expired
from tests.unit.sources.sqs.rig import Rig
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import Queue
from tests.worlds.virtual_time import settle


@virtual_time.test
async def test_full_tens_go_at_once_and_the_rest_a_moment_later() -> None:
    """So that those of other batches go with it."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        messages = await rig.receive(25)
        began = anyio.current_time()
        rig.deletes.put(messages[:20])
        rig.deletes.put(messages[20:22])
        await settle()
        rig.deletes.put(messages[22:])
        await anyio.sleep(1)

    assert [len(call.handles) for call in rig.api.deletes] == [10, 10, 5]
    assert [call.at - began for call in rig.api.deletes] == pytest.approx([0, 0, LINGER_SECONDS])
    assert not rig.queue.messages
    assert rig.deletes.backlog == 0


@virtual_time.test
async def test_deletes_of_a_fifo_queue_do_not_linger() -> None:
    """A group waits for them."""
    async with Rig(Queue("orders.fifo")).running() as rig:
        rig.spawn(rig.deletes.run)
        began = anyio.current_time()
        rig.deletes.put(await rig.receive(3, group="a"))
        await anyio.sleep(1)

    assert [(call.at - began, len(call.handles)) for call in rig.api.deletes] == [(0, 3)]


@pytest.mark.parametrize("trouble", [[0, 1], Throttled("RequestThrottled"), Unavailable("ServiceUnavailable")], ids=str)
@virtual_time.test
async def test_what_fails_is_tried_again_until_it_is_confirmed(trouble: list[int] | Exception) -> None:
    """Entries or the whole call; each try is told."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        messages = await rig.receive(2)
        rig.api.answers.extend([trouble, trouble])
        rig.deletes.put(messages)
        await anyio.sleep(5)

    assert len(rig.of_kind(DeleteRetried)) == 2
    assert [sorted(fact.ids) for fact in rig.of_kind(Deleted)] == [sorted(message.id for message in messages)]
    assert len(rig.held) == 0


@virtual_time.test
async def test_a_delete_that_is_confirmed_too_late_is_counted_as_expired() -> None:
    """After the visibility timeout a success may have deleted nothing."""
    async with Rig(visibility={"heartbeat": False}).running() as rig:
        rig.spawn(rig.deletes.run)
        (message,) = await rig.receive(1, hidden_seconds=5)
        rig.api.answers.append(6.0)
        rig.deletes.put([message])
        await anyio.sleep(10)

    assert [fact.ids for fact in rig.of_kind(Expired)] == [[message.id]]
    assert not rig.of_kind(Deleted)


@virtual_time.test
async def test_a_message_received_again_during_its_delete_is_deleted_by_its_newest_handle() -> None:
    """Only the newest handle deletes it, and only then is it counted."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        (message,) = await rig.receive(1)
        rig.api.answers.append(2.0)
        rig.deletes.put([message])
        await anyio.sleep(1)
        rig.queue.show_again(rig.queue.messages[message.id])
        rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)
        await anyio.sleep(5)

    assert [len(call.handles) for call in rig.api.deletes] == [1, 1]
    assert not rig.queue.messages
    assert len(rig.of_kind(Deleted)) == 1


@virtual_time.test
async def test_a_slow_reply_is_not_waited_for_beyond_a_brief_visibility() -> None:
    """Nothing lengthens the visibility meanwhile; the call is sent again, as deleting twice does no harm."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        rig.spawn(rig.heartbeat.run, lambda _: None)
        rig.queue.put("order")
        rig.intake.take(rig.queue.pick(10, 10), anyio.current_time(), 10, brief=True)
        rig.api.answers.append(60.0)
        rig.deletes.put(rig.held.all())
        await anyio.sleep(9)

    assert not rig.queue.messages
    assert len(rig.of_kind(Deleted)) == 1


@virtual_time.test
async def test_a_denied_delete_counts_nothing_as_deleted_and_stops_the_poller() -> None:
    """No retry cures it, and who waits for the batch learns that nothing is deleted."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        messages = await rig.receive(2)
        batch = BatchDeletes(messages)
        rig.api.answers.append(AccessDenied("AccessDenied"))
        rig.deletes.put(messages)
        undeleted = await batch.wait()

    assert undeleted == messages
    assert isinstance(rig.died[0], AccessDenied)
    assert not rig.of_kind(Deleted)


@virtual_time.test
async def test_a_fault_of_ours_leaves_the_messages_held() -> None:
    """They are handed back at the end; nobody waits for their deletes any more."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        messages = await rig.receive(2)
        batch = BatchDeletes(messages)
        rig.api.answers.append(ZeroDivisionError())
        rig.deletes.put(messages)
        undeleted = await batch.wait()

        assert undeleted == messages
        assert {message.phase for message in rig.held.all()} == {Phase.DELETING}
        assert rig.deletes.backlog == 0
    assert isinstance(rig.died[0], ZeroDivisionError)


@virtual_time.test
async def test_a_flush_bounds_the_tries_and_makes_the_next_at_once() -> None:
    """A stop does not wait for a service that is away, nor for a pause that had begun before."""
    async with Rig().running() as rig:
        rig.spawn(rig.deletes.run)
        messages = await rig.receive(1)
        rig.api.answers.extend([Unavailable("ServiceUnavailable")] * 20)
        rig.deletes.put(messages)
        await anyio.sleep(4)
        tries, began = len(rig.api.deletes), anyio.current_time()
        await rig.deletes.flush()

        assert anyio.current_time() - began < 2
    assert len(rig.api.deletes) - tries < LAST_TRIES
    assert [fact.ids for fact in rig.of_kind(Expired)] == [[messages[0].id]]


@virtual_time.test
async def test_a_flush_waits_until_everything_is_deleted() -> None:
    """With nothing more to come, nothing lingers."""
    async with Rig().running() as rig:
        began = anyio.current_time()
        rig.deletes.put(await rig.receive(13))
        rig.api.answers.append(1.0)
        await rig.deletes.flush()

        assert anyio.current_time() == began + 1
    assert not rig.queue.messages


@virtual_time.test
async def test_a_brief_visibility_that_is_nearly_over_is_deleted_all_the_same() -> None:
    """There is no time left to cut the call in, and nothing better to do with it."""
    async with Rig().running() as rig:
        rig.queue.put("order")
        rig.intake.take(rig.queue.pick(10, 10), anyio.current_time(), 10, brief=True)
        (message,) = rig.held.all()
        await anyio.sleep(8)
        rig.api.answers.append(0.5)
        rig.deletes.put([message])
        rig.spawn(rig.deletes.run)
        await anyio.sleep(1.5)

    assert [fact.ids for fact in rig.of_kind(Deleted)] == [[message.id]]
    assert len(rig.api.deletes) == 1


@virtual_time.test
async def test_no_more_deletes_are_under_way_than_sixteen() -> None:
    """What is done meanwhile gathers into full tens and goes when one is through."""
    async with Rig().running() as rig:
        messages = await rig.receive(200)
        rig.api.answers.extend([1.0] * CALLS_AT_MOST)
        began = anyio.current_time()
        rig.deletes.put(messages)
        await anyio.sleep(2)

    assert [call.at - began for call in rig.api.deletes] == pytest.approx([0] * CALLS_AT_MOST + [1] * 4)
