"""What is asked for, and what never is: the receive planner, by example and by property."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollers.sources.sqs.planning import (
    BUSY_POLL_SECONDS,
    UNDELETED_AT_MOST,
    CallState,
    Lend,
    MessageState,
    NotNow,
    PermitState,
    Plan,
    Receive,
    Situation,
    Terms,
    plan,
)
from pollers.sources.sqs.scaling import RECEIVE_LIMIT

NOW = 1_000.0
LONG = 20

TERMS = Terms(batch_size=10, windowed=False, long_poll_seconds=LONG)
SINGLE = Terms(batch_size=1, windowed=False, long_poll_seconds=LONG)
WINDOWED = Terms(batch_size=100, windowed=True, long_poll_seconds=LONG)

IDLE = Situation(
    TERMS,
    CallState(target=1, in_flight=0, asked=0, resume_at=0.0),
    MessageState(waiting=0, runnable=0, ready=False, due_at=None, undeleted=0, mean_bytes=0.0),
    PermitState(reserved=0, running=0, lent=False, allowed=5, obtainable=5, contended=False),
    ahead=0,
    careful_until=0.0,
    careful_size=1,
)
"""A new poller of a function with five permits, all of them free."""


def changed(before: Situation, **changes: Any) -> Situation:  # noqa: ANN401 - any of the fields
    """``before``, with other values for these fields of its own or of its parts."""
    for name, value in changes.items():
        part = next((part for part in ("calls", "messages", "permits") if name in getattr(before, part)._fields), None)
        value = value if part is None else getattr(before, part)._replace(**{name: value})
        before = before._replace(**{part or name: value})
    return before


def situation(**changes: Any) -> Situation:  # noqa: ANN401 - any of the fields
    """:data:`IDLE`, changed."""
    return changed(IDLE, **changes)


def after(before: Situation, step: Plan | Lend) -> Situation:
    """What is true once a step is carried out."""
    permits = before.permits
    obtainable, reserved = permits.obtainable - step.reserve, permits.reserved + step.reserve
    if isinstance(step, Lend):
        return changed(before, obtainable=obtainable, reserved=reserved - 1, lent=True)
    return changed(
        before,
        obtainable=obtainable,
        reserved=min(reserved, step.keep),
        in_flight=before.calls.in_flight + len(step.receives),
        asked=before.calls.asked + sum(receive.maximum for receive in step.receives),
    )


def carried_out(first: Situation) -> tuple[Plan, Situation]:
    """The plan, after a permit has been lent if that is to come first; and what is true when it is carried out."""
    step = plan(first, NOW)
    if isinstance(step, Lend):
        first = after(first, step)
        step = plan(first, NOW)
    assert isinstance(step, Plan), "a permit is lent twice"
    return step, after(first, step)


def only(first: Situation, now: float = NOW) -> Receive:
    """The one receive that is planned."""
    step = plan(first, now)
    assert isinstance(step, Plan)
    (receive,) = step.receives
    return receive


class TestIdle:
    """One long poll, on a permit that is lent."""

    def test_a_permit_is_lent_and_one_long_poll_is_made(self) -> None:
        """The permit comes first: nothing is received that could not be run."""
        step, end = carried_out(IDLE)

        assert plan(IDLE, NOW) == Lend(reserve=1)
        assert step == Plan((Receive(RECEIVE_LIMIT, LONG, on_loan=True),), NotNow.ENOUGH_RECEIVES, keep=0)
        assert (end.permits.reserved, end.permits.lent) == (0, True)

    def test_without_a_free_permit_one_is_waited_for(self) -> None:
        """Other mappings hold them all."""
        assert plan(situation(obtainable=0), NOW) == Plan((), NotNow.NO_PERMIT, keep=0, await_permit=True)

    def test_a_permit_of_our_own_that_must_come_back_first_is_not_waited_for(self) -> None:
        """The end of an invocation wakes the receiver by itself."""
        assert plan(situation(obtainable=0, running=5), NOW) == Plan((), NotNow.NO_PERMIT, keep=0)

    def test_small_batches_ask_for_what_the_permits_can_run(self) -> None:
        """Five invocations of one message each."""
        assert only(situation(terms=SINGLE, lent=True)) == Receive(5, LONG, on_loan=True)

    def test_invocations_that_run_take_their_part_of_the_room(self) -> None:
        """Of five permits three are in use: what the poll brings is for the other two."""
        assert only(situation(terms=SINGLE, lent=True, running=3, obtainable=2)) == Receive(2, LONG, on_loan=True)


class TestBusy:
    """Several receives at a time, a permit behind each."""

    def test_each_receive_has_a_permit_of_its_own(self) -> None:
        """Three are justified, and all three can be run."""
        receives = [Receive(10, BUSY_POLL_SECONDS, on_loan=False)] * 3

        assert plan(situation(target=3), NOW) == Plan(receives, NotNow.ENOUGH_RECEIVES, keep=3, reserve=3)

    def test_no_more_receives_than_permits(self) -> None:
        """Of four justified receives two get a permit; the third waits for the others to come back."""
        receives = [Receive(10, BUSY_POLL_SECONDS, on_loan=False)] * 2

        assert plan(situation(target=4, obtainable=2), NOW) == Plan(receives, NotNow.NO_PERMIT, keep=2, reserve=2)

    def test_a_loan_that_is_left_stands_behind_no_receive(self) -> None:
        """What the wait brought has lapsed before its batch began. Each of these receives has its own permit."""
        step = plan(situation(target=2, lent=True, obtainable=4), NOW)

        receives = [Receive(10, BUSY_POLL_SECONDS, on_loan=False)] * 2
        assert step == Plan(receives, NotNow.ENOUGH_RECEIVES, keep=2, reserve=2)

    def test_with_no_receive_under_way_a_permit_is_waited_for(self) -> None:
        """Nothing else would wake the receiver when another mapping gives one back."""
        step = plan(situation(target=2, obtainable=0), NOW)

        assert step == Plan([], NotNow.NO_PERMIT, keep=0, await_permit=True)

    def test_none_is_waited_for_while_all_that_are_allowed_are_ours(self) -> None:
        """The end of an invocation wakes the receiver by itself."""
        assert plan(situation(target=2, obtainable=0, running=5), NOW) == Plan([], NotNow.NO_PERMIT, keep=0)

    def test_reading_ahead_makes_no_receive_without_a_permit(self) -> None:
        """Eleven messages more could be started soon, but the only permit is behind the receive that is under way."""
        step = plan(situation(terms=SINGLE, target=2, in_flight=1, asked=10, reserved=1, ahead=20, obtainable=0), NOW)

        assert step == Plan([], NotNow.NO_PERMIT, keep=1)

    def test_a_receive_does_not_wait_while_another_mapping_wants_its_permit(self) -> None:
        """A second of each receive would add up to seconds for the other."""
        busy = situation(target=2, in_flight=1, asked=10, reserved=2)

        assert only(changed(busy, contended=True)).wait_seconds == 0
        assert only(busy).wait_seconds == BUSY_POLL_SECONDS

    def test_batches_of_one_take_a_permit_for_each_message_of_a_receive(self) -> None:
        """Unless the function is quick enough to read ahead."""
        slow = situation(terms=SINGLE, target=2, allowed=20, obtainable=10)
        receive = Receive(10, BUSY_POLL_SECONDS, on_loan=False)

        assert plan(slow, NOW) == Plan([receive], NotNow.NO_PERMIT, keep=10, reserve=10)
        assert plan(changed(slow, ahead=50), NOW) == Plan([receive] * 2, NotNow.ENOUGH_RECEIVES, keep=2, reserve=2)

    def test_a_receive_for_a_message_or_two_is_not_made(self) -> None:
        """What may be read ahead is nearly used up: a larger receive follows a little later."""
        step, _ = carried_out(
            situation(terms=SINGLE, target=6, in_flight=2, asked=20, reserved=2, ahead=20, obtainable=1, allowed=3)
        )

        assert (step.receives, step.why_no_more) == ([], NotNow.NO_PERMIT)

    def test_permits_that_would_not_be_kept_do_not_change_hands(self) -> None:
        """One more is free, but ten messages read ahead need none."""
        step = plan(
            situation(terms=SINGLE, target=2, in_flight=1, asked=10, reserved=1, ahead=10, obtainable=3, allowed=9), NOW
        )

        assert step == Plan([], NotNow.NO_PERMIT, keep=1)


class TestWindow:
    """A batch is gathered from many receives, and its permit is lent meanwhile."""

    def test_an_idle_window_is_one_long_poll(self) -> None:
        """It opens with the first message, so the poll need not end before."""
        step, end = carried_out(situation(terms=WINDOWED))

        assert step.receives == [Receive(10, LONG, on_loan=True)]
        assert end.permits.lent

    @pytest.mark.parametrize(("left", "wait_seconds"), [(7.2, 8), (0.4, 1), (60.0, LONG)])
    def test_a_poll_does_not_outlast_the_window(self, left: float, wait_seconds: int) -> None:
        """But for the part of a second that SQS cannot be asked for."""
        receive = only(situation(terms=WINDOWED, lent=True, waiting=5, due_at=NOW + left))

        assert receive == Receive(10, wait_seconds, on_loan=True)

    def test_no_more_is_asked_for_than_the_batch_takes(self) -> None:
        """Ninety-six are there: four more, though ten would come."""
        receive = only(situation(terms=WINDOWED, lent=True, waiting=96, due_at=NOW + 5))

        assert receive == Receive(4, 5, on_loan=True)

    def test_a_batch_that_is_all_asked_for_needs_no_receive(self) -> None:
        """No permit is left for a second one."""
        full = situation(terms=WINDOWED, lent=True, target=5, in_flight=1, waiting=90, asked=10, obtainable=0)

        assert plan(full, NOW) == Plan([], NotNow.NO_ROOM, keep=0)

    def test_a_backlog_begins_the_next_batch_on_a_permit_of_its_own(self) -> None:
        """Receives come back full, so more than one batch is waiting in the queue."""
        busy = situation(terms=WINDOWED, lent=True, target=5, in_flight=4, asked=40, waiting=60)
        receive = Receive(10, BUSY_POLL_SECONDS, on_loan=True)

        assert plan(busy, NOW) == Plan([receive], NotNow.ENOUGH_RECEIVES, keep=1, reserve=1)

    def test_large_messages_are_not_asked_for_by_the_thousand(self) -> None:
        """Six mebibytes are full with 26 of them."""
        terms = Terms(batch_size=1_000, windowed=True, long_poll_seconds=LONG)
        receive = only(situation(terms=terms, lent=True, waiting=20, mean_bytes=250_000.0, due_at=NOW + 5))

        assert receive == Receive(6, 5, on_loan=True)

    def test_a_receive_may_ask_for_ten_however_large_messages_are(self) -> None:
        """What does not fit into the batch begins the next one."""
        terms = Terms(batch_size=1_000, windowed=True, long_poll_seconds=LONG)

        assert only(situation(terms=terms, lent=True, mean_bytes=3_000_000.0, due_at=NOW + 5)).maximum == RECEIVE_LIMIT


class TestNotNow:
    """Why nothing is asked for."""

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"resume_at": NOW + 0.1}, NotNow.BACKING_OFF),
            ({"ready": True, "waiting": 3, "runnable": 3}, NotNow.BATCHES_FIRST),
            ({"undeleted": UNDELETED_AT_MOST + 21}, NotNow.UNDELETED),
            ({"in_flight": 1, "asked": 10, "lent": True}, NotNow.ENOUGH_RECEIVES),
            ({"obtainable": 0}, NotNow.NO_PERMIT),
        ],
        ids=lambda value: value.name if isinstance(value, NotNow) else "",
    )
    def test_the_reason_is_given(self, changes: dict[str, Any], reason: NotNow) -> None:
        """One for each thing that stands in the way."""
        step, _ = carried_out(situation(**changes))

        assert (list(step.receives), step.why_no_more) == ([], reason)

    def test_the_backlog_of_deletes_may_hold_a_thousand_and_two_batches(self) -> None:
        """Below that the queue is read on."""
        assert carried_out(situation(undeleted=UNDELETED_AT_MOST + 20))[0].receives

    def test_a_batch_that_waits_for_a_permit_keeps_what_is_reserved(self) -> None:
        """Two batches are ready: two permits stay, the third goes back."""
        step = plan(situation(ready=True, waiting=15, runnable=15, reserved=3), NOW)

        assert step == Plan((), NotNow.BATCHES_FIRST, keep=2)

    def test_what_waits_behind_a_busy_group_keeps_no_permit(self) -> None:
        """It cannot run before the group's invocation ends, which leaves a permit."""
        step = plan(situation(in_flight=1, asked=10, waiting=20, runnable=0, reserved=3), NOW)

        assert step == Plan((), NotNow.ENOUGH_RECEIVES, keep=1)


class TestCareful:
    """Where a message that goes back without being run comes nearer to the dead-letter queue."""

    def test_a_careful_queue_is_asked_for_one_batch(self) -> None:
        """However many permits there are, and however quick the function."""
        terms = Terms(batch_size=2, windowed=False, long_poll_seconds=LONG, careful=True)

        assert only(situation(terms=terms, lent=True, ahead=50)) == Receive(2, LONG, on_loan=True)

    def test_after_a_failure_no_more_is_asked_for_than_failed(self) -> None:
        """What stands behind the failed messages of a group would only go back; later the queue is read as before."""
        failed = situation(target=2, in_flight=1, asked=2, reserved=2, careful_until=NOW + 1, careful_size=2)

        assert only(failed).maximum == 2
        assert only(failed, NOW + 1).maximum == 10


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Whatever may be true when the planner is asked."""
    windowed = draw(st.booleans())
    size = draw(st.integers(1, 1_000) if windowed else st.integers(1, 10))
    in_flight = draw(st.integers(0, 8))
    waiting = draw(st.integers(0, 3 * size))
    ready = bool(waiting) and (draw(st.booleans()) or not windowed)
    reserved, running, lent = draw(st.integers(0, 6)), draw(st.integers(0, 6)), draw(st.booleans())
    allowed = draw(st.integers(1, 12))
    return Situation(
        Terms(size, windowed, draw(st.sampled_from([0, 1, 5, LONG])), careful=draw(st.booleans()) and not windowed),
        CallState(
            target=draw(st.integers(1, 10)),
            in_flight=in_flight,
            asked=sum(draw(st.lists(st.integers(1, 10), min_size=in_flight, max_size=in_flight))),
            resume_at=draw(st.sampled_from([0.0, 0.0, 0.0, NOW + 1])),
        ),
        MessageState(
            waiting=waiting,
            # Without a window whatever is runnable makes a batch ready.
            runnable=waiting if windowed or ready else 0,
            ready=ready,
            due_at=draw(st.none() | st.floats(NOW - 1, NOW + 300)),
            undeleted=draw(st.sampled_from([0, 0, 0, 900, 1_500, 9_000])),
            mean_bytes=draw(st.sampled_from([0.0, 100.0, 20_000.0, 700_000.0])),
        ),
        PermitState(
            reserved=reserved,
            running=running,
            lent=lent,
            allowed=allowed,
            obtainable=draw(st.integers(0, max(0, allowed - running - reserved - lent))),
            contended=draw(st.booleans()),
        ),
        ahead=draw(st.integers(0, 120)) if size < RECEIVE_LIMIT else 0,
        careful_until=draw(st.sampled_from([0.0, 0.0, NOW + 1])),
        careful_size=draw(st.integers(1, 10)),
    )


class TestProperties:
    """What holds in every situation."""

    @given(situations())
    def test_a_receive_asks_for_what_the_service_allows(self, any_situation: Situation) -> None:
        """One to ten messages, no wait beyond the long poll."""
        for receive in carried_out(any_situation)[0].receives:
            assert 1 <= receive.maximum <= RECEIVE_LIMIT
            assert 0 <= receive.wait_seconds <= max(1, any_situation.terms.long_poll_seconds)

    @given(situations())
    def test_no_more_receives_than_are_justified(self, any_situation: Situation) -> None:
        """Nor any while something stands in the way."""
        step, end = carried_out(any_situation)

        assert end.calls.in_flight <= max(any_situation.calls.target, any_situation.calls.in_flight)
        if any_situation.messages.ready or any_situation.calls.resume_at > NOW or step.why_no_more is NotNow.UNDELETED:
            assert not step.receives

    @given(situations())
    def test_nothing_more_is_planned_until_something_changes(self, any_situation: Situation) -> None:
        """A plan that is carried out leaves nothing to be done: asked again, the planner gives the same reason."""
        step, end = carried_out(any_situation)
        again, _ = carried_out(end)

        assert not again.receives
        assert again.why_no_more is step.why_no_more

    @given(situations())
    def test_there_is_never_more_than_one_idle_long_poll(self, any_situation: Situation) -> None:
        """A receive that waits long on a loan is the only one."""
        step, end = carried_out(any_situation)

        for receive in step.receives:
            if receive.on_loan and receive.wait_seconds > BUSY_POLL_SECONDS:
                assert (any_situation.calls.in_flight, end.calls.in_flight) == (0, 1)

    @given(situations())
    def test_permits_are_taken_only_where_they_are_obtainable(self, any_situation: Situation) -> None:
        """And a loan never makes a second one."""
        step = plan(any_situation, NOW)
        assert 0 <= step.reserve <= any_situation.permits.obtainable
        if isinstance(step, Lend):
            assert not any_situation.permits.lent
            assert any_situation.permits.reserved + step.reserve >= 1
            lent = after(any_situation, step)
            assert 0 <= plan(lent, NOW).reserve <= lent.permits.obtainable

    @given(situations())
    def test_what_busy_receives_may_bring_can_be_run(self, any_situation: Situation) -> None:
        """Each has a permit, and all together ask for no more than the permits take, and what is read ahead."""
        step, end = carried_out(any_situation)

        if step.receives and not step.receives[0].on_loan:
            careful = end.terms.careful or end.careful_until > NOW
            assert end.calls.in_flight <= end.permits.reserved
            assert end.calls.asked <= end.permits.reserved * end.terms.batch_size + (0 if careful else end.ahead)

    @given(situations())
    def test_a_windows_receives_never_exceed_its_batches(self, any_situation: Situation) -> None:
        """The one that is gathered on the loan, and one for each permit in reserve."""
        step, end = carried_out(any_situation)

        if step.receives and end.terms.windowed:
            assert end.messages.waiting + end.calls.asked <= (1 + end.permits.reserved) * end.terms.batch_size

    @given(situations())
    def test_a_permit_stays_for_each_receive_and_batch(self, any_situation: Situation) -> None:
        """What is given back was needed for nothing that is under way or waits."""
        step, end = carried_out(any_situation)

        if not end.permits.lent and not end.terms.windowed:
            assert step.keep >= end.calls.in_flight
            if end.messages.ready and not end.ahead:
                assert step.keep * end.terms.batch_size >= end.messages.runnable
        assert end.permits.reserved <= step.keep

    @given(situations())
    def test_careful_queues_are_asked_for_no_more_than_a_batch(self, any_situation: Situation) -> None:
        """For the one that failed, or for any."""
        for receive in carried_out(any_situation)[0].receives:
            if any_situation.terms.careful:
                assert receive.maximum <= any_situation.terms.batch_size
            if any_situation.careful_until > NOW and not any_situation.terms.windowed:
                assert receive.maximum <= any_situation.careful_size

    @given(situations())
    def test_a_permit_is_waited_for_only_where_nothing_else_would_bring_one(self, any_situation: Situation) -> None:
        """Not with receives under way, nor when all that are allowed are ours."""
        step, end = carried_out(any_situation)

        if step.await_permit:
            assert step.why_no_more is NotNow.NO_PERMIT
            assert end.permits.running + end.permits.reserved < end.permits.allowed
            assert end.calls.in_flight == 0 or end.terms.windowed or end.calls.target == 1
