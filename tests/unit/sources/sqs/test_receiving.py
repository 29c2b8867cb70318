"""The receiver and its calls: what it does when something changes, when a receive fails, and when it is to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pollers.aws.errors import NotFound, Throttled, Unavailable
from pollers.sources.sqs.planning import UNDELETED_AT_MOST, Receive
from pollers.sources.sqs.receive_calls import OVER_LIMIT_SECONDS, STOPPED_SECONDS
from pollers.telemetry.facts import Doing, Expired, PollFailed, State
from tests.unit.sources.sqs.rig import Rig
from tests.worlds import virtual_time
from tests.worlds.memory_sqs import Queue
from tests.worlds.sqs_world import takes
from tests.worlds.virtual_time import settle

if TYPE_CHECKING:
    from pollers.sources.sqs.receiving import Receiver


def run(rig: Rig) -> Receiver:
    """Start the receiver and what it needs around it."""
    receiver = rig.receiver()
    for task in (receiver.run, receiver.ring_at_stop, rig.entitlement.run, rig.deletes.run):
        rig.spawn(task)
    return receiver


def states(rig: Rig) -> list[State]:
    return [fact.state for fact in rig.of_kind(Doing) if fact.task == "receive"]


class TestReceiving:
    """While nothing stops it."""

    @virtual_time.test
    async def test_what_a_receive_brings_is_run_at_once(self) -> None:
        """Without a window a batch is ready as soon as it has a message."""
        async with Rig().running() as rig:
            run(rig)
            await anyio.sleep(5)
            rig.queue.put("order")
            await settle()

            assert [call.started_at - anyio.current_time() for call in rig.function.calls] == [0]

    @virtual_time.test
    async def test_an_idle_queue_costs_one_long_poll_at_a_time(self) -> None:
        """And holds no permit."""
        async with Rig().running() as rig:
            run(rig)
            await anyio.sleep(59)

            assert [wait_seconds for _, _, wait_seconds in rig.api.received] == [20, 20, 20]
            assert rig.permits.held == 0

    @virtual_time.test
    async def test_the_end_of_an_invocation_starts_the_next_batch(self) -> None:
        """With one permit, batches follow one another without a pause."""
        async with Rig(behaviour=takes(2), concurrency=1, batch_size=1).running() as rig:
            for number in range(3):
                rig.queue.put(str(number))
            run(rig)
            await anyio.sleep(7)

        starts = [call.started_at for call in rig.function.calls]
        assert [start - starts[0] for start in starts] == [0, 2, 4]

    @virtual_time.test
    async def test_nothing_is_received_while_too_much_waits_for_its_delete(self) -> None:
        """It goes on by itself when the deletes are through, and says why it paused."""
        async with Rig().running() as rig:
            messages = await rig.receive(UNDELETED_AT_MOST + 40)
            rig.waiting.drain()
            rig.api.answers.extend([5.0] * 16)
            rig.deletes.put(messages)
            run(rig)
            await anyio.sleep(4)
            assert not rig.api.received
            assert states(rig) == [State.BACKING_OFF]
            await anyio.sleep(2)
            assert len(rig.api.received) == 1

    @virtual_time.test
    async def test_what_is_being_done_is_told_when_it_changes(self) -> None:
        """Not at every turn."""
        async with Rig(behaviour=takes(10), concurrency=1).running() as rig:
            run(rig)
            await anyio.sleep(45)
            rig.queue.put("order")
            await anyio.sleep(15)

        assert states(rig) == [State.POLLING, State.INVOKING, State.POLLING]

    @virtual_time.test
    async def test_a_permit_that_others_hold_is_waited_for(self) -> None:
        """And taken when it comes."""
        async with Rig(concurrency=1).running() as rig:
            other = rig.permits.claim()
            assert other.try_acquire()
            run(rig)
            await anyio.sleep(5)
            assert (states(rig), rig.api.received) == ([State.WAITING_FOR_PERMIT], [])
            other.release()
            await settle()

            assert len(rig.api.received) == 1

    @virtual_time.test
    async def test_a_queue_that_is_empty_again_leaves_its_permits_to_others(self) -> None:
        """What several receives had reserved goes back."""
        async with Rig().running() as rig:
            for number in range(100):
                rig.queue.put(str(number))
            run(rig)
            await anyio.sleep(30)

            assert rig.calls.count == 1
            assert rig.permits.held == 0

    @virtual_time.test
    async def test_a_loan_ends_with_the_last_receive_that_brings_nothing(self) -> None:
        """The next wait needs a permit again."""
        async with Rig().running() as rig:
            rig.entitlement.reserve(1)
            rig.entitlement.lend()
            for wait_seconds in (1, 5):
                rig.calls.start(Receive(10, wait_seconds, on_loan=True))
            await anyio.sleep(2)
            assert rig.entitlement.lent
            await anyio.sleep(4)

            assert not rig.entitlement.lent

    @virtual_time.test
    async def test_a_batch_goes_when_its_window_ends(self) -> None:
        """A receive that is still under way is not waited for."""
        async with Rig(maximum_batching_window_in_seconds=3).running() as rig:
            began = anyio.current_time()
            run(rig)
            await anyio.sleep(0.5)
            rig.queue.put("order")
            await anyio.sleep(5)

        assert [call.started_at - began for call in rig.function.calls] == pytest.approx([3])


class TestFailures:
    """A receive that fails."""

    @virtual_time.test
    async def test_it_backs_off_and_says_so(self) -> None:
        """No receive before the pause is over; the error and the pause are told."""
        async with Rig().running() as rig:
            error = Unavailable("ServiceUnavailable", "try later")
            rig.api.answers.extend([error, error])
            run(rig)
            await anyio.sleep(10)

        failed = rig.of_kind(PollFailed)
        backing_off = [fact for fact in rig.of_kind(Doing) if fact.state is State.BACKING_OFF]
        first, second, third = (at for at, _, _ in rig.api.received)
        assert [second - first, third - second] == pytest.approx([fact.retry_seconds for fact in failed])
        assert failed[1].retry_seconds > failed[0].retry_seconds
        assert (backing_off[0].detail, backing_off[0].until_seconds) == (str(error), failed[0].retry_seconds)

    @virtual_time.test
    async def test_a_throttle_is_told_as_one(self) -> None:
        """Metrics count it apart."""
        async with Rig().running() as rig:
            rig.api.answers.append(Throttled("RequestThrottled"))
            run(rig)
            await anyio.sleep(1)

        assert [fact.throttled for fact in rig.of_kind(PollFailed)] == [True]

    @virtual_time.test
    async def test_too_many_messages_in_flight_is_waited_out(self) -> None:
        """That passes with deletes, which take a while."""
        async with Rig().running() as rig:
            rig.api.answers.append(Throttled("OverLimit"))
            run(rig)
            await anyio.sleep(20)

        first, second = (at for at, _, _ in rig.api.received)
        assert second - first == pytest.approx(OVER_LIMIT_SECONDS)

    @virtual_time.test
    async def test_one_outage_is_one_failure(self) -> None:
        """However many receives were under way: the pause grows once."""
        async with Rig().running() as rig:
            rig.api.answers.extend([(1.0, Unavailable("ServiceUnavailable"))] * 3)
            for _ in range(3):
                rig.calls.start(Receive(10, 1, on_loan=False))
            await anyio.sleep(2)

        assert len(rig.of_kind(PollFailed)) == 1

    @virtual_time.test
    async def test_an_error_that_no_retry_cures_ends_the_call_loudly(self) -> None:
        """Its task dies with it, which stops the poller."""
        async with Rig().running() as rig:
            rig.api.answers.append(NotFound("NonExistentQueue"))
            run(rig)
            await settle()

        assert isinstance(rig.died[0], NotFound)
        assert rig.calls.count == 0

    @virtual_time.test
    async def test_a_success_ends_the_growth_of_pauses(self) -> None:
        """The next failure starts from half a second again."""
        async with Rig().running() as rig:
            error = Unavailable("ServiceUnavailable")
            rig.api.answers.extend([error, error, error, error, None, error])
            run(rig)
            await anyio.sleep(60)

        assert rig.of_kind(PollFailed)[-1].retry_seconds <= 0.5


class TestStop:
    """What waits goes back; what is under way is waited for, but not for long."""

    @virtual_time.test
    async def test_a_long_poll_is_cut_when_it_is_old_enough(self) -> None:
        """1.3 seconds after it was sent: one that finds messages would have come back by then."""
        async with Rig().running() as rig:
            run(rig)
            await anyio.sleep(0.3)
            rig.stop.request()
            began = anyio.current_time()
            while rig.calls.count:
                await anyio.sleep(0.05)

            assert anyio.current_time() - began == pytest.approx(STOPPED_SECONDS - 0.3, abs=0.06)
        assert states(rig)[-1] is State.STOPPING

    @virtual_time.test
    async def test_a_long_poll_that_is_old_is_cut_at_once(self) -> None:
        """Nothing is gained by waiting."""
        async with Rig().running() as rig:
            run(rig)
            await anyio.sleep(5)
            rig.stop.request()
            await settle()

            assert rig.calls.count == 0

    @virtual_time.test
    async def test_while_invocations_run_a_receive_is_waited_for(self) -> None:
        """There is time, and what it brings is then handed back in good order."""
        async with Rig(behaviour=takes(6)).running() as rig:
            rig.queue.put("order")
            run(rig)
            await anyio.sleep(2)
            rig.stop.request()
            await anyio.sleep(3)
            assert rig.calls.count == 1
            late = rig.queue.put("late")
            await anyio.sleep(0.5)
            assert rig.queue.messages[late].visible_at <= anyio.current_time()
            assert rig.calls.count == 0

    @virtual_time.test
    async def test_a_hurried_stop_cuts_receives_at_once(self) -> None:
        """However young, and though invocations run."""
        async with Rig(behaviour=takes(60)).running() as rig:
            rig.queue.put("order")
            run(rig)
            await anyio.sleep(0.1)
            rig.stop.hurry()
            await settle()

            assert rig.calls.count == 0

    @virtual_time.test
    async def test_a_stop_that_becomes_hurried_cuts_what_was_waited_for(self) -> None:
        """A receive that was too young to be cut before."""
        async with Rig().running() as rig:
            run(rig)
            await anyio.sleep(0.1)
            rig.stop.request()
            await settle()
            assert rig.calls.count == 1
            rig.stop.hurry()
            await settle()

            assert rig.calls.count == 0

    @virtual_time.test
    async def test_what_waits_is_handed_back_when_no_receive_is_under_way(self) -> None:
        """One that is would take it again at once."""
        async with Rig(maximum_batching_window_in_seconds=10).running() as rig:
            run(rig)
            await anyio.sleep(0.1)
            order = rig.queue.put("order")
            await settle()
            rig.stop.request()
            await settle()
            assert (rig.calls.count, rig.waiting.count) == (1, 1)
            await anyio.sleep(2)

            assert (rig.calls.count, len(rig.held)) == (0, 0)
            assert rig.queue.messages[order].visible_at <= anyio.current_time()

    @virtual_time.test
    async def test_what_waits_behind_a_busy_group_is_handed_back_last(self) -> None:
        """SQS might show it while the group still runs."""
        async with Rig(Queue("orders.fifo"), behaviour=takes(5), batch_size=1).running() as rig:
            first, second, other = await rig.receive(3, group="aab")
            rig.entitlement.reserve(1)
            rig.starter.start_ready(anyio.current_time())
            await settle()
            receiver = rig.receiver()
            rig.stop.request()
            rig.spawn(receiver.run)
            rig.spawn(rig.deletes.run)
            await anyio.sleep(1)
            assert second.id in [message.id for message in rig.held.all()]
            await anyio.sleep(6)

            assert rig.visible_in(second) <= 0
        assert first.id not in rig.queue.messages
        assert other.id not in rig.queue.messages


class TestStarting:
    """What is ready is started, unless it must not or cannot be run."""

    @virtual_time.test
    async def test_a_message_whose_time_ran_out_is_not_run(self) -> None:
        """Others can see it by now; the rest of the batch goes on."""
        async with Rig().running() as rig:
            lapsed, sound = await rig.receive(2)
            lapsed.deadline = anyio.current_time()
            rig.starter.start_ready(anyio.current_time())
            await settle()

            assert [call.ids for call in rig.function.calls] == [[sound.id]]
        assert [fact.ids for fact in rig.of_kind(Expired)] == [[lapsed.id]]

    @virtual_time.test
    async def test_a_batch_of_lapsed_messages_takes_no_permit(self) -> None:
        """Nothing is invoked for it."""
        async with Rig().running() as rig:
            for message in await rig.receive(2):
                message.lost = True
            rig.starter.start_ready(anyio.current_time())
            await settle()

            assert (rig.function.calls, rig.permits.held, len(rig.held)) == ([], 0, 0)

    @virtual_time.test
    async def test_what_stands_behind_a_lapsed_message_of_its_group_is_not_run(self) -> None:
        """It would overtake it."""
        async with Rig(Queue("orders.fifo")).running() as rig:
            lapsed, other, _ = await rig.receive(3, group="aba")
            lapsed.lost = True
            rig.starter.start_ready(anyio.current_time())
            await settle()

            assert [call.ids for call in rig.function.calls] == [[other.id]]

    @virtual_time.test
    async def test_messages_that_lapse_while_they_wait_are_dropped(self) -> None:
        """With those behind them; what runs is left to its end."""
        async with Rig(Queue("orders.fifo")).running() as rig:
            lapsed, _, other = await rig.receive(3, group="aab")
            lapsed.lost = True
            rig.starter.drop_lapsed([lapsed])
            await settle()

            assert [message.id for message in rig.held.all()] == [other.id]

    @virtual_time.test
    async def test_a_message_too_large_for_any_event_fails_in_its_turn(self) -> None:
        """In a FIFO group, whose order it keeps; no permit is used for it."""
        async with Rig(Queue("orders.fifo")).running() as rig:
            large = rig.queue.put("x" * 7_000_000, group="a", deduplication="1")
            rig.intake.take(rig.queue.pick(10, 30), anyio.current_time(), 30)
            rig.starter.start_ready(anyio.current_time())
            await settle()

            assert (rig.function.calls, rig.permits.held, len(rig.held)) == ([], 0, 0)
            assert large in rig.queue.messages

    @virtual_time.test
    async def test_without_a_permit_a_batch_waits(self) -> None:
        """And the permit is asked for."""
        async with Rig(concurrency=1).running() as rig:
            other = rig.permits.claim()
            assert other.try_acquire()
            await rig.receive(2)
            rig.starter.start_ready(anyio.current_time())

            assert rig.waiting.count == 2
            assert rig.entitlement.awaited
