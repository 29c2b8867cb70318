"""What becomes of a batch: deleted or handed back, and when it is seen again; in FIFO groups, in order."""

from __future__ import annotations

import anyio
import pytest

from pollers.sources.sqs.message import Held
from pollers.sources.sqs.outcome import BatchOutcome, SeenAgain
from pollers.sources.sqs.visibility import RECEIVE_SLACK_SECONDS
from pollers.telemetry.facts import Returned
from tests.unit.sources.sqs.rig import Rig
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import Queue
from tests.worlds.virtual_time import settle


class TestStandard:
    """Each message for itself."""

    @virtual_time.test
    async def test_what_is_done_is_deleted_and_what_failed_is_returned(self) -> None:
        """The failed one after the mapping's retry delay."""
        async with Rig(visibility={"retry_delay": 7}).running() as rig:
            rig.spawn(rig.deletes.run)
            done, failed = await rig.receive(2)
            await rig.settling.settle([done, failed], BatchOutcome([done], [failed], "it broke"))
            assert rig.visible_in(failed) == 7
            await anyio.sleep(1)

        assert list(rig.queue.messages) == [failed.id]
        assert [(fact.ids, fact.reason) for fact in rig.of_kind(Returned)] == [([failed.id], "it broke")]

    @pytest.mark.parametrize(
        ("seen_again", "seconds"), [(SeenAgain.AT_ONCE, 0), (SeenAgain.BY_POLICY, 7), (SeenAgain.AFTER_TIMEOUT, 20)]
    )
    @virtual_time.test
    async def test_it_is_seen_again_as_the_outcome_says(self, seen_again: SeenAgain, seconds: int) -> None:
        """At once on a stop, by the retry delay after a failure, else when the queue's timeout would have run out."""
        async with Rig(visibility={"retry_delay": 7}).running() as rig:
            failed = await rig.receive(1)
            await anyio.sleep(10)
            await rig.settling.settle(failed, BatchOutcome(failed=failed, reason="it broke", seen_again=seen_again))

            assert rig.visible_in(failed[0]) == seconds

    @virtual_time.test
    async def test_messages_that_were_never_started_are_seen_at_once(self) -> None:
        """Whatever the retry delay is: they have not failed."""
        async with Rig(visibility={"retry_delay": 7}).running() as rig:
            unstarted = await rig.receive(2)
            await rig.settling.hand_back(unstarted, "the poller is stopping")

            assert [rig.visible_in(message) for message in unstarted] == [0, 0]

    @virtual_time.test
    async def test_messages_that_cannot_be_run_fail_by_the_retry_delay(self) -> None:
        """So that the queue's redrive policy counts them out."""
        async with Rig(visibility={"retry_delay": 7}).running() as rig:
            oversized = await rig.receive(1)
            await rig.settling.fail(oversized, "it can never be delivered")

            assert rig.visible_in(oversized[0]) == 7


def fifo(**settings: object) -> Rig:
    return Rig(Queue("orders.fifo"), **settings)  # type: ignore[arg-type]


def free_groups(rig: Rig) -> set[str | None]:
    """The groups that wait and may go on."""
    return {message.group for message in rig.take()} if rig.waiting.ready(anyio.current_time()) else set()


def is_busy(rig: Rig, group: str) -> bool:
    """Whether a message of the group would have to wait for it."""
    rig.waiting.drain()
    rig.waiting.add(Held("probe", "handle", b"", group, 1, 0.0, 30.0, 99), 0.0)
    return not rig.waiting.ready(0.0)


async def batch_of(rig: Rig, *messages: Held) -> list[Held]:
    batch = rig.take()
    assert batch == list(messages)
    return batch


class TestGroups:
    """A group is busy until its messages are gone from the queue, or back in it."""

    @virtual_time.test
    async def test_a_group_is_released_when_its_deletes_are_through(self) -> None:
        """The next of the group must not run while the one before could still come again."""
        async with fifo(batch_size=1).running() as rig:
            rig.spawn(rig.deletes.run)
            first, _ = await rig.receive(2, group="a")
            batch = await batch_of(rig, first)
            rig.api.answers.append(3.0)
            rig.spawn(rig.settling.settle, batch, BatchOutcome(done=batch))
            await anyio.sleep(2.9)
            assert not rig.waiting.ready(anyio.current_time())
            await anyio.sleep(0.2)
            assert free_groups(rig) == {"a"}

    @virtual_time.test
    async def test_a_group_that_went_well_does_not_wait_for_one_that_failed(self) -> None:
        """It goes on while the other's messages are on their way back."""
        async with fifo(batch_size=2).running() as rig:
            rig.spawn(rig.deletes.run)
            well, badly, *_ = await rig.receive(4, group="ab")
            batch = await batch_of(rig, well, badly)
            rig.api.answers.extend([None, 5.0])
            rig.spawn(rig.settling.settle, batch, BatchOutcome([well], [badly], "it broke"))
            await anyio.sleep(1)

            assert free_groups(rig) == {"a"}

    @virtual_time.test
    async def test_what_stands_behind_a_failed_message_goes_back_behind_it(self) -> None:
        """None is seen before the one ahead of it, and the group is free when all are back."""
        async with fifo(batch_size=1, visibility={"retry_delay": 7}).running() as rig:
            first, second, third = await rig.receive(3, group="a")
            batch = await batch_of(rig, first)
            await rig.settling.settle(batch, BatchOutcome(failed=batch, reason="it broke"))

            assert [rig.visible_in(message) for message in (first, second, third)] == [7, 7, 7]
            assert rig.waiting.count == 0
            assert [call.handles for call in rig.api.changes] == [[first.handle], [second.handle, third.handle]]

    @virtual_time.test
    async def test_what_stands_behind_an_undeleted_message_waits_for_its_timeout(self) -> None:
        """It comes again by itself, first."""
        async with fifo(batch_size=1).running() as rig:
            rig.spawn(rig.deletes.run)
            first, second = await rig.receive(2, group="a", hidden_seconds=5)
            batch = await batch_of(rig, first)
            rig.api.answers.append(6.0)  # too late: the handle has expired by then
            rig.held.moved(second, second.deadline + 25)
            rig.queue.messages[second.id].visible_at += 25
            await rig.settling.settle(batch, BatchOutcome(done=batch))

            assert first.id in rig.queue.messages
            assert anyio.current_time() + rig.visible_in(second) >= first.deadline + RECEIVE_SLACK_SECONDS

    @virtual_time.test
    async def test_after_a_failure_no_more_is_read_than_failed(self) -> None:
        """Each message that goes back unseen has used up a receive."""
        async with fifo(batch_size=1).running() as rig:
            first, _ = await rig.receive(2, group="a")
            batch = await batch_of(rig, first)
            await rig.settling.settle(batch, BatchOutcome(failed=batch, reason="it broke"))

            assert rig.context.observed.careful_size == 1
            assert rig.context.observed.careful_until == anyio.current_time() + 60

    @virtual_time.test
    async def test_a_message_that_overtakes_is_not_run(self) -> None:
        """The group is hidden until the one ahead is seen again; some emulators show it before."""
        async with fifo(batch_size=1, visibility={"retry_delay": 7}).running() as rig:
            first, second = await rig.receive(2, group="a")
            batch = await batch_of(rig, first)
            await rig.settling.settle(batch, BatchOutcome(failed=batch, reason="it broke"))
            rig.queue.messages[first.id].handle = None  # as an emulator that releases the group early
            rig.queue.show_again(rig.queue.messages[second.id])
            rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)
            await settle()

            assert rig.waiting.count == 0
            assert rig.visible_in(second) == 7

    @virtual_time.test
    async def test_a_fault_of_ours_releases_the_groups(self) -> None:
        """The poller stops because of it, and what waits behind them is handed back then."""
        async with fifo(batch_size=1).running() as rig:
            first, _ = await rig.receive(2, group="a")
            batch = await batch_of(rig, first)
            rig.api.answers.append(ZeroDivisionError())
            rig.spawn(rig.settling.settle, batch, BatchOutcome(failed=batch, reason="it broke"))
            await settle()

            assert not is_busy(rig, "a")
        assert isinstance(rig.died[0], ZeroDivisionError)

    @virtual_time.test
    async def test_a_crash_releases_no_group(self) -> None:
        """Nothing may be started any more."""
        async with fifo(batch_size=1).running() as rig:
            first, _ = await rig.receive(2, group="a")
            batch = await batch_of(rig, first)
            with anyio.move_on_after(1):
                rig.api.answers.append(5.0)
                await rig.settling.settle(batch, BatchOutcome(failed=batch, reason="it broke"))

            assert is_busy(rig, "a")
